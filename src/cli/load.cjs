// Loads the command line's files. V8's compiled code is kept beside them, as Python keeps __pycache__, where Node does not
// do that itself (before 22.1): compiling takes longer than a small copy. A package that can't be written to does without.
const {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} = require('node:fs');
const { join } = require('node:path');

const { enableCompileCache, wrap } = module.constructor; // node:module, but already there
const home = __dirname;
const command = process.argv.slice(2).find((argument) => !argument.startsWith('-')) ?? '';
const keep = !enableCompileCache && process.env.NODE_DISABLE_COMPILE_CACHE === undefined;
const worthKeeping = 8000; // characters; less is compiled in the time that another file takes to read
const loaded = new Map();
const uncached = [];

/** The exports of a file in dist/cli. */
function load(name) {
  let module = loaded.get(name);
  if (module) return module.exports;
  const filename = join(home, name);
  if (!keep) return require(filename);
  const source = readFileSync(filename, 'latin1'); // esbuild writes ASCII
  if (source.length < worthKeeping) return require(filename);
  const { Script } = require('node:vm');
  const cache = cacheName(name, source);
  let cachedData;
  try {
    cachedData = readFileSync(cache);
  } catch {
    // The first time, or a package that can't be written to.
  }
  const script = new Script(wrap(source), { filename, cachedData });
  // Rejected code was made with other flags: it stays for those.
  if (!cachedData) {
    if (uncached.length === 0) process.once('exit', save);
    uncached.push([cache, script]);
  }
  module = { exports: {} };
  loaded.set(name, module);
  script.runInThisContext().call(module.exports, module.exports, require, module, filename, home);
  return module.exports;
}

/** Code depends on the build, on Node, and is compiled as far as the command needed it. */
function cacheName(name, source) {
  const build = /^"use strict";\/\*(\w+)\*\//.exec(source)?.[1] ?? 'unknown';
  const known = /^[a-z-]{1,20}$/.test(command) ? command : 'none';
  return join(home, 'code', `${name}-${known}-${build}-${process.version}-${process.arch}`);
}

/** Whole and on storage before it has its name: V8 does not look whether code was torn, and would crash. */
function save() {
  if (!require('node:worker_threads').isMainThread) return;
  for (const [cache, script] of uncached) {
    const temp = `${cache}.${process.pid}`;
    let fd;
    try {
      mkdirSync(join(home, 'code'), { recursive: true });
      fd = openSync(temp, 'wx'); // Before the work: most that can go wrong goes wrong here.
    } catch {
      return;
    }
    try {
      writeFileSync(fd, script.createCachedData());
      fsyncSync(fd);
      closeSync(fd);
      renameSync(temp, cache);
    } catch {
      try {
        unlinkSync(temp);
      } catch {
        // Gone.
      }
      return;
    }
  }
}

module.exports = load;
