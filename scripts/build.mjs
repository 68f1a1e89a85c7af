// Builds dist/: the library (an ES module), and the command line with its workers, split into chunks; dependencies bundled.
// `--js` leaves the type declarations out (enough to run; packing needs them).
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import { build, transform } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const js = process.argv.includes('--js');
const out = join(root, `dist.${process.pid}.tmp`);

rmSync(out, { recursive: true, force: true });
mkdirSync(out);

/** The command line's entries. Worker scripts are entries too: they are started by path. */
const entries = { main: 'src/cli/main.ts' };
for (const dir of ['src/tree', 'src/io', 'src/follow', 'src/probe'])
  for (const name of existsSync(join(root, dir)) ? readdirSync(join(root, dir)) : [])
    if (name.endsWith('-worker.ts')) entries[name.slice(0, -3)] = `${dir}/${name}`;

/** commander asks for node:child_process at once, for subcommands that are programs of their own: we have none. */
const lean = {
  name: 'lean',
  setup(build) {
    build.onResolve({ filter: /^(node:)?child_process$/ }, ({ importer }) =>
      importer.includes('/commander/') ? { path: 'child_process', namespace: 'absent' } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'absent' }, () => ({ contents: 'module.exports = {};' }));
    // `process` by import is the global one: only that can be defined away below.
    build.onLoad({ filter: /node_modules[\\/].*\.[cm]?js$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(
        /^(?:(?:const|var|let) process = require\(['"](?:node:)?process['"]\)|import process from ['"](?:node:)?process['"]);?$/m,
        '',
      ),
    }));
  },
};

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20.12',
  external: ['koffi'],
  legalComments: 'none',
  logLevel: 'warning',
  plugins: [lean],
};

const define = {
  SLUICE_VERSION: JSON.stringify(version),
  // Reading these getters changes the descriptors (docs/architecture.md): no dependency may reach them either.
  'process.stdin': 'undefined',
  'process.stdout': 'undefined',
  'process.stderr': 'undefined',
};
const small = { minifySyntax: true, minifyWhitespace: true };

// The library: one ES module.
await build({
  ...common,
  ...small,
  entryPoints: { index: 'src/index.ts' },
  outdir: out,
  format: 'esm',
  define: { ...define, SLUICE_ICONV: '"./iconv.cjs"', SLUICE_ZSTD: '"./zstd.cjs"' },
  // Bundled CommonJS packages ask for Node's own modules by require().
  banner: {
    js: "import{createRequire as __sluiceRequire}from'node:module';const require=__sluiceRequire(import.meta.url);",
  },
});

// The command line: split like ES modules, so that a command loads only what it needs, then made CommonJS. Node 20 takes
// half as long to load that: no loader threads, and no ES facades for its own modules (node:fs has 8 ms of them).
const { outputFiles } = await build({
  ...common,
  ...small,
  entryPoints: entries,
  outdir: join(out, 'cli'),
  format: 'esm',
  splitting: true,
  chunkNames: '[name]-[hash]',
  write: false,
  define: {
    ...define,
    SLUICE_ICONV: '"../iconv.cjs"',
    SLUICE_ZSTD: '"../zstd.cjs"',
    'import.meta.url': '__sluiceUrl',
  },
});
mkdirSync(join(out, 'cli'));
writeFileSync(join(out, 'cli/package.json'), '{"type":"commonjs"}\n');
for (const { path, text } of outputFiles) {
  const { code } = await transform(text, {
    format: 'cjs',
    target: common.target,
    platform: 'node',
    supported: { 'dynamic-import': false },
    ...small,
  });
  const here = 'const __sluiceUrl=require("node:url").pathToFileURL(__filename).href;';
  writeFileSync(path, code.includes('__sluiceUrl') ? code.replace(/^("use strict";)?/, `$1${here}`) : code);
}

// The encoding tables are large, seldom needed, and needed synchronously; zstd's writer looks for its WebAssembly beside
// itself: files of their own, loaded by require().
const { outputFiles: libraries } = await build({
  ...common,
  entryPoints: { iconv: 'iconv-lite', zstd: '@bokuweb/zstd-wasm' },
  outdir: out,
  format: 'cjs',
  outExtension: { '.js': '.cjs' },
  minify: true,
  write: false,
});
// More than a third of the package otherwise: npm's gzip makes 270 kB of the tables and the WebAssembly, brotli 166.
const pack = (name, bytes) =>
  writeFileSync(
    join(out, name),
    brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: js ? 5 : 11 } }),
  );
for (const { path, text } of libraries) {
  if (path.endsWith('iconv.cjs')) {
    pack('iconv.br', Buffer.from(text));
    writeFileSync(
      path,
      `const{readFileSync}=require('node:fs'),{join}=require('node:path'),{brotliDecompressSync}=require('node:zlib');
module._compile(brotliDecompressSync(readFileSync(join(__dirname,'iconv.br'))).toString(),__filename);
`,
    );
  } else {
    const unpacked = text.replace(
      /yield (\w+\(\w+\(__dirname,\s*"\.\/)zstd\.wasm("\)\))/,
      'require("node:zlib").brotliDecompressSync(yield $1zstd.br$2)',
    );
    if (unpacked === text) throw new Error('zstd-wasm no longer reads its WebAssembly where the build expects it');
    writeFileSync(path, unpacked);
  }
}
pack('zstd.br', readFileSync(join(root, 'node_modules/@bokuweb/zstd-wasm/dist/common/zstd.wasm')));

if (!js) {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.types.json', '--outDir', join(out, 'types')], {
    cwd: root,
    stdio: 'inherit',
  });
}

if (!js) await import('./manual.mjs');

// Swap in one step, so that a sluice started meanwhile never sees half a build.
const old = join(root, `dist.${process.pid}.old`);
if (existsSync(join(root, 'dist'))) renameSync(join(root, 'dist'), old);
renameSync(out, join(root, 'dist'));
rmSync(old, { recursive: true, force: true });
