// Builds dist/: the library (an ES module), and the command line with its workers, split into chunks; dependencies bundled.
// `--js` leaves the type declarations out (enough to run; packing needs them).
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative } from 'node:path';
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

// The command line: split like ES modules, so that a command runs only what it needs, then made CommonJS. Node 20 takes
// half as long to load that: no loader threads, and no ES facades for its own modules (node:fs has 8 ms of them).
const { outputFiles, metafile } = await build({
  ...common,
  ...small,
  entryPoints: entries,
  outdir: join(out, 'cli'),
  format: 'esm',
  splitting: true,
  chunkNames: '[name]-[hash]',
  write: false,
  metafile: true,
  define: {
    ...define,
    SLUICE_ICONV: '"../iconv.cjs"',
    SLUICE_ZSTD: '"../zstd.cjs"',
    'import.meta.url': '__sluiceUrl',
  },
});

/** What esbuild made, by file name: its code, what it imports at once, and the source that it is the entry of. */
const parts = new Map();
for (const { path, text } of outputFiles) {
  const { imports, entryPoint } = metafile.outputs[relative(root, path)];
  const { code } = await transform(text, {
    format: 'cjs',
    target: common.target,
    platform: 'node',
    supported: { 'dynamic-import': false },
    ...small,
  });
  if (/[^\0-\x7f]/.test(code)) throw new Error(`${path} is not ASCII, which src/cli/load.cjs relies on`);
  const named = (kind) => imports.filter((each) => each.kind === kind).map((each) => basename(each.path));
  parts.set(basename(path), { code, needs: named('import-statement'), later: named('dynamic-import'), entryPoint });
}
const inOutput = (name) => parts.has(name);
const shortHash = (text) => createHash('sha256').update(text).digest('hex').slice(0, 8);
const closure = (name, seen = new Set()) => {
  if (seen.has(name)) return seen;
  seen.add(name);
  for (const need of parts.get(name).needs.filter(inOutput)) closure(need, seen);
  return seen;
};
const partOf = (source) => [...parts].find(([, { entryPoint }]) => entryPoint === source)[0];

// Every file costs a third of a millisecond, and every 30 kB one more to compile: parts go together, each a function, into
// few files. What every small job needs is one file, what one command alone needs at once another.
const smallJobs = ['src/cli/run.ts', 'src/cli/copy.ts', 'src/cli/atomic-write.ts'];
const [run, ...jobs] = smallJobs.map((source) => closure(partOf(source)));
const core = new Set([...run, ...jobs[0]].filter((name) => run.has(name) || jobs.every((job) => job.has(name))));
const roots = [...parts].filter(([, { entryPoint }]) => entryPoint !== undefined).map(([name]) => name);
const ownEntry = (name) => Object.values(entries).includes(parts.get(name).entryPoint);
const usersOf = (name) => roots.filter((root) => closure(root).has(name));
/** What alone asks for this root, later: who runs the root has run that before. */
const askers = new Map(roots.map((root) => [root, askerOf(root)]));
function askerOf(root) {
  const asking = [...parts.keys()].filter((name) => parts.get(name).later.includes(root));
  const users = new Set(asking.flatMap(usersOf));
  return users.size === 1 && !ownEntry(root) ? [...users][0] : undefined;
}
/** The roots that a part is first needed by. */
function firstUsersOf(name) {
  const users = new Set(usersOf(name));
  const asked = (root) => root !== undefined && (users.has(root) || asked(askers.get(root)));
  const first = [...users].filter((root) => !asked(askers.get(root)));
  // Workers are started by those who have what they share with them.
  const others = first.filter((root) => !ownEntry(root));
  return others.length > 0 ? others : first;
}
const sharing = new Map();
for (const name of parts.keys()) {
  const users = core.has(name) ? [] : firstUsersOf(name);
  const group = ownEntry(name) ? name : core.has(name) ? 'core.js' : users.length === 1 ? users[0] : users.join();
  if (!sharing.has(group)) sharing.set(group, []);
  sharing.get(group).push(name);
}
// What several need is one file for each set of these, unless it is small.
const groups = new Map();
for (const [group, names] of sharing) {
  const size = names.reduce((sum, name) => sum + parts.get(name).code.length, 0);
  const users = group.split(',');
  const together = users.length === 1 ? group : size < 8000 ? 'shared.js' : `shared-${shortHash(group)}.js`;
  groups.set(together, [...(groups.get(together) ?? []), ...names]);
}
const groupOf = new Map([...groups].flatMap(([group, names]) => names.map((name) => [name, group])));

/**
 * Node's own modules cost up to 6 ms each where Node has not loaded them itself: they are asked for when something in them is. So are
 * the package that filters need, and not `performance`, for the sake of a clock that `process` has too.
 */
const atOnce = new Set(['node:fs', 'node:path', 'node:buffer']); // called often, and there already
const sparing = (code) =>
  code
    .replace(
      /__toESM\(require\("(node:[\w/]+)"\)(?:,1)?\)|\brequire\("(node:[\w/]+)"\)/g,
      (whole, all = '', named = '') => (atOnce.has(all || named) ? whole : `__later(()=>require("${all || named}"))`),
    )
    .replace(/\(0,\w+\.__toESM\)\(require_ignore\d*\(\),1\)/g, '(__later(()=>$&))')
    .replace(/\(0,import_node_module\d*\.createRequire\)\(__sluiceUrl\)/g, '(__require)')
    .replaceAll('__sluiceUrl', '__here.url')
    .replaceAll('performance.now()', '__now()');
const buildId = createHash('sha256')
  .update([...parts.values()].map(({ code }) => code).join())
  .update(readFileSync(fileURLToPath(import.meta.url)))
  .digest('hex')
  .slice(0, 16);
mkdirSync(join(out, 'cli'));
writeFileSync(join(out, 'cli/package.json'), '{"type":"commonjs"}\n');
copyFileSync(join(root, 'src/cli/load.cjs'), join(out, 'cli/load.js'));
for (const [group, names] of groups) {
  const functions = names.map((name) => {
    const code = sparing(parts.get(name).code).replace(/\brequire\((['"])\.\/([^'"]+)\1\)/g, (whole, _, target) => {
      if (!inOutput(target)) return whole;
      const place = groupOf.get(target);
      return place === group
        ? `__part(${JSON.stringify(target)})`
        : `__load("${place}").part(${JSON.stringify(target)})`;
    });
    return `${JSON.stringify(name)}(module,exports){${code}}`;
  });
  const uses = (word) => functions.some((code) => code.includes(word));
  const load = uses('__load(') ? 'const __load=require("./load.js");' : '';
  const here =
    uses('__require') || uses('__here')
      ? 'const __require=require,__here=Object.defineProperty({},"url",{get:()=>require("node:url").pathToFileURL(__filename).href});'
      : '';
  const later = uses('__later(')
    ? 'const __later=(get)=>{let it;return new Proxy({},{get(_,key){it??=get();return key==="default"?it.default??it:it[key]}})};'
    : '';
  const clock = uses('__now(') ? 'const __now=()=>{const[s,ns]=process.hrtime();return s*1e3+ns/1e6};' : '';
  const entry = groupOf.get(group) === group && ownEntry(group);
  writeFileSync(
    join(out, 'cli', group),
    `"use strict";/*${buildId}*/${load}${here}${later}${clock}
const __made={},__parts={${functions.join(',\n')}};
function __part(name){let module=__made[name];if(module===undefined){module=__made[name]={exports:{}};__parts[name](module,module.exports)}return module.exports}
exports.part=__part;
${entry ? `__part(${JSON.stringify(group)});\n` : ''}`,
  );
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
