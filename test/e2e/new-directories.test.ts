// Directories of many files, made by several threads, that get their names when the files in them are whole.

import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { native } from '../../src/io/native.js';
import { treeLines } from '../helpers/nasty-tree.js';
import { bin, type Ended, eventually, outcome, sluice, temporary } from '../helpers/sluice.js';
import { hasStrace, strace } from '../helpers/strace.js';

const exact = native() !== null;
const comparable = exact ? {} : { xattrs: false, times: 'none' as const };

let dir: string;
beforeEach(() => {
  dir = temporary(true);
});
const at = (...names: string[]) => join(dir, ...names);

const content = (i: number) => `${i}\n`.repeat(i % 50);

function flat(path: string, files: number): void {
  mkdirSync(path, { recursive: true });
  for (let i = 0; i < files; i++) writeFileSync(join(path, `file-${i}`), content(i));
}

const temps = (path: string) => readdirSync(path).filter((name) => /\.sluice-[0-9a-f]+\.tmp$/.test(name));

/** Stops `sluice ARGS` when a directory without a name has some files in it; `meanwhile` is done, and it goes on or is killed. */
async function stoppedHalfWay(
  args: string[],
  where: string,
  meanwhile: () => void,
  signal: NodeJS.Signals,
): Promise<Ended> {
  const child = spawn(process.execPath, [bin, ...args], { stdio: 'pipe' });
  const ended = outcome(child);
  await eventually(
    'files in a directory without a name',
    () => existsSync(where) && temps(where).some((name) => readdirSync(join(where, name)).length > 520),
  );
  child.kill('SIGSTOP');
  meanwhile();
  child.kill(signal);
  child.kill('SIGCONT');
  return ended;
}

it('the tree itself, and directories in it, with more bytes than wait for a name: equal, by one thread or by several', async () => {
  flat(at('src'), 1500);
  flat(at('src/many'), 2500);
  flat(at('src/large'), 1500);
  for (let i = 0; i < 20; i++) writeFileSync(at(`src/large/file-${i}`), Buffer.alloc(4_000_000, `${i}`));
  writeFileSync(at('src/huge'), Buffer.alloc(5 << 20, 'large'));
  linkSync(at('src/file-7'), at('src/many/link'));
  symlinkSync('file-8', at('src/many/symlink'));
  execFileSync('mkfifo', [at('src/many/fifo')]);
  mkdirSync(at('src/many/below/deep'), { recursive: true });
  const expected = treeLines(at('src'), comparable);
  for (const jobs of ['1', '3']) {
    const { status, stderr } = await sluice(['copy', '-a', '--jobs', jobs, at('src'), at(`out${jobs}`)]);
    expect(status).toBe(0);
    if (exact) expect(stderr).toBe('');
    expect(treeLines(at(`out${jobs}`), comparable)).toEqual(expected);
  }
  expect(temps(dir)).toEqual([]);
});

it.skipIf(!hasStrace || !exact).each([['copy', '-r'], ['copy', '-a'], ['sync']])(
  'no file needs a rename: %s %s (needs strace and native calls)',
  (...args) => {
    flat(at('src/sub'), 3000);
    flat(at('src'), 3000);
    const { status, calls } = strace(process.execPath, [bin, ...args, at('src'), at('out')], {
      trace: '?rename,renameat,renameat2',
    });
    expect(status).toBe(0);
    expect(calls.filter((line) => line.includes('.tmp')).length).toBe(2);
    expect(treeLines(at('out'), { times: 'none' })).toEqual(treeLines(at('src'), { times: 'none' }));
  },
);

it.skipIf(!exact)(
  'SIGTERM while the first files of the tree itself are made: nothing is left (needs native calls)',
  async () => {
    flat(at('src'), 1);
    writeFileSync(at('src/each'), Buffer.alloc(120_000, 'x'));
    for (let i = 0; i < 490; i++) linkSync(at('src/each'), at(`src/each-${i}`));
    for (const args of [['copy', '-r'], ['sync'], ['copy', '-r']]) {
      const child = spawn(process.execPath, [bin, ...args, at('src'), at('out')], { stdio: 'ignore' });
      const ended = outcome(child);
      // Where it was quicker than we looked, it is done.
      await eventually('the tree under some name', () => readdirSync(dir).length > 1);
      child.kill('SIGTERM');
      await ended;
      expect(temps(dir)).toEqual([]);
      rmSync(at('out'), { recursive: true, force: true });
    }
  },
);

it.skipIf(!hasStrace || !exact).each([
  ['renames no directory that is open', 'renameat2:error=EBUSY:when=1', true],
  ['renames nothing without replacing', 'renameat2:error=EINVAL:when=1', true],
  ['locks no directory', 'flock:error=EBADF', true],
  ['has no room for a directory', 'mkdirat:error=ENOSPC:when=1', false],
] as const)('a file system that %s (needs strace and native calls)', (_, injection, works) => {
  flat(at('src'), 700);
  mkdirSync(at('src/sub'));
  writeFileSync(at('src/sub/below'), 'below');
  chmodSync(at('src'), 0o751);
  const { status } = strace(process.execPath, [bin, 'copy', '-a', at('src'), at('out')], { inject: [injection] });
  expect([status, temps(dir)]).toEqual([works ? 0 : 1, []]);
  if (works) expect(treeLines(at('out'), comparable)).toEqual(treeLines(at('src'), comparable));
});

describe.skipIf(!exact)('half way (needs native calls)', () => {
  beforeEach(() => flat(at('src'), 6_000));

  it.each(['SIGTERM', 'SIGINT'] as const)('%s: nothing is left, and nothing has the name', async (signal) => {
    const { signal: died } = await stoppedHalfWay(
      ['copy', '-r', '--jobs', '3', at('src'), at('out')],
      dir,
      () => {},
      signal,
    );
    expect(died).toBe(signal);
    expect(readdirSync(dir)).toEqual(['src']);
  });

  it.each([
    'SIGTERM',
    'SIGINT',
  ] as const)('%s in a directory of the tree: that has no name, and is gone', async (signal) => {
    renameSync(at('src'), at('large'));
    mkdirSync(at('src'));
    renameSync(at('large'), at('src/large'));
    const { signal: died } = await stoppedHalfWay(
      ['copy', '-r', '--jobs', '3', at('src'), at('out')],
      at('out'),
      () => {},
      signal,
    );
    expect(died).toBe(signal);
    expect(readdirSync(at('out'))).toEqual([]);
  });

  it.each([
    ['copy', '-r'],
    ['sync'],
  ])('kill -9: nothing has the name; the next run makes it whole, and leaves nothing (%s)', async (...args) => {
    const run = [...args, at('src'), at('out')];
    await stoppedHalfWay(run, dir, () => {}, 'SIGKILL');
    expect(readdirSync(dir).filter((name) => !temps(dir).includes(name))).toEqual(['src']);
    expect((await sluice(run)).status).toBe(0);
    expect(readdirSync(dir).sort()).toEqual(['out', 'src']);
    expect(treeLines(at('out'), { times: 'none' })).toEqual(treeLines(at('src'), { times: 'none' }));
  });

  it.each([
    ['copy', '-r'],
    ['sync'],
  ])('somebody else makes a directory of that name: both are in it, complete (%s %s)', async (...args) => {
    mkdirSync(at('src/sub'));
    writeFileSync(at('src/sub/below'), 'below');
    const { status, stderr } = await stoppedHalfWay(
      [...args, '--jobs', '3', at('src'), at('out')],
      dir,
      () => {
        mkdirSync(at('out'));
        writeFileSync(at('out/theirs'), 'theirs');
        writeFileSync(at('out/file-1'), 'theirs');
      },
      'SIGCONT',
    );
    expect([status, stderr.replace(/^sluice sync: .* created.*\n/, '')]).toEqual([0, '']);
    expect(temps(dir)).toEqual([]);
    expect(readdirSync(at('out')).length).toBe(6_002);
    expect(readFileSync(at('out/sub/below'), 'utf8')).toBe('below');
    expect(readFileSync(at('out/theirs'), 'utf8')).toBe('theirs');
    for (let i = 0; i < 6_000; i += 37) expect(readFileSync(at(`out/file-${i}`), 'utf8')).toBe(content(i));
  });

  it('something else has got that name: an error that says so, and that stays', async () => {
    const { status, stderr } = await stoppedHalfWay(
      ['copy', '-r', at('src'), at('out')],
      dir,
      () => writeFileSync(at('out'), 'a file'),
      'SIGCONT',
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/out: .*ENOTDIR/);
    expect(readdirSync(dir).sort()).toEqual(['out', 'src']);
    expect(readFileSync(at('out'), 'utf8')).toBe('a file');
  });

  it('what stops being there is told, and the rest has its name', async () => {
    const { status, stderr } = await stoppedHalfWay(
      ['copy', '-r', at('src'), at('out')],
      dir,
      () => execFileSync('rm', [at('src/file-999')]),
      'SIGCONT',
    );
    const copied = readdirSync(at('out')).length;
    // It may have been copied before it went.
    if (status === 0) expect(copied).toBe(6_000);
    else expect([copied, stderr.includes('file-999')]).toEqual([5_999, true]);
    expect(statSync(at('out/file-1')).size).toBe(content(1).length);
  });
});
