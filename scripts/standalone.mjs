// `npm run build:standalone [DIRECTORY]`: dist/ and this Node in one executable, standalone/sluice, for machines without Node and for calls in
// loops. Node's own single-executable support; the modules stay apart in it, so that a command still loads only what it needs.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const out = resolve(root, process.argv[2] ?? 'standalone');
const work = join(out, 'work');
rmSync(out, { recursive: true, force: true });
mkdirSync(work, { recursive: true });

const assets = Object.fromEntries(
  readdirSync(join(dist, 'cli'))
    .filter((name) => name.endsWith('.js'))
    .map((name) => [`cli/${name}`, join(dist, 'cli', name)]),
);
// Not packed: the executable's size is Node's anyway.
writeFileSync(join(work, 'iconv.cjs'), brotliDecompressSync(readFileSync(join(dist, 'iconv.br'))));
Object.assign(assets, {
  'iconv.cjs': join(work, 'iconv.cjs'),
  'zstd.cjs': join(dist, 'zstd.cjs'),
  'zstd.br': join(dist, 'zstd.br'),
});

/** Modules by name from inside the executable; a worker thread begins with the same text, and its own entry. */
function boot(entry, text) {
  const sea = require('node:sea');
  process.env.NODE_DISABLE_COMPILE_CACHE = '1'; // Nothing is beside an executable's inside.
  const { Module, createRequire } = require('node:module');
  const { posix } = require('node:path');
  const base = '/sluice/';
  const outside = createRequire(process.execPath); // a koffi in node_modules beside the executable is found
  const loaded = new Map();
  const { Worker } = require('node:worker_threads');
  const inside = (path) => (path.startsWith(base) ? path.slice(base.length) : undefined);
  class SluiceWorker extends Worker {
    constructor(path, options) {
      const name = inside(path instanceof URL ? path.pathname : String(path));
      if (name === undefined) super(path, options);
      else
        super(`const bootText=${JSON.stringify(text)};(0,eval)('('+bootText+')')(${JSON.stringify(name)},bootText)`, {
          ...options,
          eval: true,
        });
    }
  }
  const replaced = {
    'node:worker_threads': { ...require('node:worker_threads'), Worker: SluiceWorker },
    'fs/promises': {
      ...require('node:fs/promises'),
      readFile: async (path) => Buffer.from(sea.getRawAsset(inside(path))),
    },
  };
  replaced.worker_threads = replaced['node:worker_threads'];
  const requireFrom = (from) =>
    Object.assign(
      (name) => {
        if (name.startsWith(base)) return load(name.slice(base.length));
        if (name.startsWith('.')) return load(posix.join(posix.dirname(from), name));
        if (name === 'fs/promises' ? from === 'zstd.cjs' : name in replaced) return replaced[name];
        if (name === 'node:module')
          return { ...Module, Module, createRequire: (url) => requireFrom(inside(new URL(url).pathname) ?? from) };
        return Module.isBuiltin(name) ? require(name) : outside(name);
      },
      { resolve: (name) => name },
    );
  function load(name) {
    const known = loaded.get(name);
    if (known) return known.exports;
    const module = { exports: {} };
    loaded.set(name, module);
    const code = Buffer.from(sea.getRawAsset(name)).toString();
    const { compileFunction } = require('node:vm');
    const run = compileFunction(code, ['exports', 'require', 'module', '__filename', '__dirname'], {
      filename: base + name,
    });
    run(module.exports, requireFrom(name), module, base + name, posix.dirname(base + name));
    return module.exports;
  }
  load(entry);
}
writeFileSync(join(work, 'main.cjs'), `const boot=${boot};boot('cli/main.js',boot.toString());\n`);
writeFileSync(
  join(work, 'sea.json'),
  JSON.stringify({
    main: join(work, 'main.cjs'),
    output: join(work, 'sluice.blob'),
    disableExperimentalSEAWarning: true,
    assets,
  }),
);
const quiet = { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, NODE_EXTRA_CA_CERTS: undefined } };
execFileSync(process.execPath, ['--no-warnings', '--experimental-sea-config', join(work, 'sea.json')], quiet);

const executable = join(out, process.platform === 'win32' ? 'sluice.exe' : 'sluice');
copyFileSync(process.execPath, executable);
chmodSync(executable, 0o755);
const mac = process.platform === 'darwin';
if (mac) execFileSync('codesign', ['--remove-signature', executable]);
const { inject } = (await import('postject')).default;
const log = console.log;
console.log = () => {};
await inject(executable, 'NODE_SEA_BLOB', readFileSync(join(work, 'sluice.blob')), {
  sentinelFuse: 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2',
  ...(mac && { machoSegmentName: 'NODE_SEA' }),
});
console.log = log;
if (mac) execFileSync('codesign', ['--sign', '-', executable]);
rmSync(work, { recursive: true });
console.error(`sluice: ${executable}, ${Math.round(statSync(executable).size / 2 ** 20)} MiB`);
