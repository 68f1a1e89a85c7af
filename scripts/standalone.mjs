// `npm run build:standalone [DIRECTORY]`: dist/, koffi's binary and this Node in one executable, standalone/sluice, for machines without
// Node. Node's own single-executable support; the modules stay apart in it, with V8's compiled code, so that a command still loads
// only what it needs.
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
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

// Compiled code as a run of each command leaves it (src/cli/load.cjs), from a copy of the package.
const warm = join(work, 'warm');
for (const name of ['bin', 'dist']) cpSync(join(root, name), join(warm, name), { recursive: true });
rmSync(join(warm, 'dist/cli/code'), { recursive: true, force: true });
const file = join(work, 'file');
const usual = [
  ['--help'],
  ['copy', file, `${file}.copy`],
  ['copy', '-r', join(warm, 'bin'), `${file}.tree`],
  ['atomic-write', '--no-durable', `${file}.copy`],
  ['tail', file],
  ['inspect', '--quick', file],
  ['inspect', '--pid', String(process.pid)],
  ['sync', join(warm, 'bin'), `${file}.tree`],
  ['flush', file],
  ['complete', '--', 'copy', '--n'],
];
writeFileSync(file, 'a line\n');
// Newer Nodes keep code in a way of their own, which an executable's inside has no part in.
writeFileSync(join(work, 'older.cjs'), "delete require('node:module').enableCompileCache;\n");
const env = {
  ...process.env,
  NODE_EXTRA_CA_CERTS: undefined,
  NODE_OPTIONS: undefined,
  NODE_DISABLE_COMPILE_CACHE: undefined,
};
for (const args of usual) {
  const line = ['--require', join(work, 'older.cjs'), join(warm, 'bin/sluice.js'), ...args];
  spawnSync(process.execPath, line, { input: 'a line\n', stdio: ['pipe', 'ignore', 'ignore'], env });
}
const code = join(warm, 'dist/cli/code');
for (const name of readdirSync(code)) {
  const [, part, command] = /^(.+\.js)-([a-z-]+)-[0-9a-f]{16}-v/.exec(name) ?? [];
  if (command) assets[`code/${part}-${command}`] = join(code, name);
}
const koffi = join(root, 'node_modules/@koromix', `koffi-linux-${process.arch}`);
const libc =
  process.platform === 'linux' && readFileSync('/proc/self/maps', 'latin1').includes('/ld-musl-') ? 'musl' : 'linux';
const native = join(koffi, `${libc}_${process.arch}`, 'koffi.node');
if (existsSync(native)) assets['koffi.node'] = native;

/** Modules by name from inside the executable; a worker thread begins with the same text, and its own entry. */
function boot(entry, text) {
  const sea = require('node:sea');
  process.env.NODE_DISABLE_COMPILE_CACHE = '1'; // Nothing is beside an executable's inside.
  const { Module, createRequire } = require('node:module');
  const { posix } = require('node:path');
  const base = '/sluice/';
  const outside = (name) => createRequire(process.execPath)(name);
  const command = process.argv.slice(2).find((argument) => !argument.startsWith('-')) ?? 'none';
  const assetIfThere = (name) => {
    try {
      return Buffer.from(sea.getRawAsset(name));
    } catch {
      return undefined;
    }
  };
  /** The system loads libraries from files only: this one has no name by then, so that nobody else can change it. */
  function embeddedKoffi() {
    const binary = assetIfThere('koffi.node');
    if (!binary) return outside('koffi'); // one in node_modules beside the executable, if any
    const { openSync, writeFileSync, unlinkSync, closeSync } = require('node:fs');
    const { tmpdir } = require('node:os');
    let refusal;
    for (const directory of [tmpdir(), '/dev/shm']) {
      let fd;
      try {
        const path = posix.join(directory, `.sluice-koffi-${process.pid}-${process.hrtime().join('')}`);
        fd = openSync(path, 'wx+', 0o700);
        unlinkSync(path);
        writeFileSync(fd, binary);
        const it = { exports: {} };
        process.dlopen(it, `/proc/self/fd/${fd}`);
        return it.exports;
      } catch (error) {
        refusal = error;
      } finally {
        if (fd !== undefined) closeSync(fd);
      }
    }
    throw refusal;
  }
  const loaded = new Map();
  const inside = (path) => (path.startsWith(base) ? path.slice(base.length) : undefined);
  /** What is not Node's own here, made when it is asked for: some of it is slow to load. */
  const replaced = {
    get 'node:worker_threads'() {
      const threads = require('node:worker_threads');
      class SluiceWorker extends threads.Worker {
        constructor(path, options) {
          const name = inside(path instanceof URL ? path.pathname : String(path));
          if (name === undefined) super(path, options);
          else
            super(
              `const bootText=${JSON.stringify(text)};(0,eval)('('+bootText+')')(${JSON.stringify(name)},bootText)`,
              {
                ...options,
                eval: true,
              },
            );
        }
      }
      return { ...threads, Worker: SluiceWorker };
    },
    get 'fs/promises'() {
      return {
        ...require('node:fs/promises'),
        readFile: async (path) => Buffer.from(sea.getRawAsset(inside(path))),
      };
    },
    get worker_threads() {
      return replaced['node:worker_threads'];
    },
  };
  const requireFrom = (from) =>
    Object.assign(
      (name) => {
        if (name.startsWith(base)) return load(name.slice(base.length));
        if (name.startsWith('.')) return load(posix.join(posix.dirname(from), name));
        if (name === 'fs/promises' ? from === 'zstd.cjs' : name in replaced) return replaced[name];
        if (name === 'koffi') return embeddedKoffi();
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
    const code = Buffer.from(sea.getRawAsset(name)).toString('latin1');
    const { Script } = require('node:vm');
    const cachedData = assetIfThere(`code/${posix.basename(name)}-${command}`);
    const script = new Script(Module.wrap(code), { filename: base + name, cachedData });
    const run = script.runInThisContext();
    run.call(module.exports, module.exports, requireFrom(name), module, base + name, posix.dirname(base + name));
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
