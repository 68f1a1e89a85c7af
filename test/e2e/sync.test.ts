// `sluice sync`, from a shell's point of view: what it does, what it refuses, and that a second run does nothing.

import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { native } from '../../src/io/native.js';
import { nastyTree, treeLines } from '../helpers/nasty-tree.js';
import { bin, type Ended, eventually, isRoot, outcome, sluice, temporary } from '../helpers/sluice.js';
import { hasStrace, strace } from '../helpers/strace.js';
import { asNobody, nobody } from '../helpers/unprivileged.js';

const exact = native() !== null;
/** What can be compared without native calls, too. */
const comparable = exact ? {} : { xattrs: false, times: 'none' as const };
/** Sockets are passed over. */
const asSource = { ...comparable, sockets: false };

let dir: string;
beforeEach(() => {
  dir = temporary();
});
// Deeper than Node's own rm can go.
afterEach(() => void execFileSync('rm', ['-rf', dir]));
const at = (...names: string[]) => join(dir, ...names);

function make(files: Record<string, string>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(at(name), '..'), { recursive: true });
    writeFileSync(at(name), content);
  }
}

const names = (path: string): string[] => (readdirSync(path, { recursive: true }) as string[]).sort();
const sync = (...args: string[]): Promise<Ended> => sluice(['sync', ...args, at('src'), at('dst')]);
const actions = (ended: Ended): string[] =>
  ended
    .records()
    .filter(({ type }) => type === 'action')
    .map(({ action, path, reason }) => `${action} ${path} (${reason})`);

describe('sync', () => {
  it('copies what is missing or differs, deletes nothing, and a second run does nothing and says so', async () => {
    make({ 'src/a': 'A', 'src/b/c': 'C', 'src/same': 'S', 'dst/same': 'S', 'dst/extra': 'E', 'dst/a': 'old!' });
    utimesSync(at('src/same'), 1000, 1000);
    utimesSync(at('dst/same'), 1000, 1000);
    const before = lstatSync(at('dst/same')).ino;
    const first = await sync('--json');
    expect(first.status).toBe(0);
    expect(actions(first).sort()).toEqual(
      expect.arrayContaining(['create b (new)', 'create b/c (new)', 'update a (size)']),
    );
    expect(names(at('dst'))).toEqual(['a', 'b', 'b/c', 'extra', 'same']);
    expect(lstatSync(at('dst/same')).ino).toBe(before);
    const second = await sync('-v');
    expect(second.out).toBe('');
    expect(second.stderr).toBe('sluice sync: nothing to do: 4 entries are the same\n');
  });

  it.skipIf(!isRoot)('every kind of entry comes out the same, and a second run touches nothing (as root)', async () => {
    nastyTree(at('src'));
    const first = await sync('-HX');
    expect(first.status).toBe(0);
    expect(treeLines(at('dst'), comparable)).toEqual(treeLines(at('src'), asSource));
    const before = execFileSync('find', [at('dst'), '-printf', '%i %C@\\n']).toString();
    const second = await sync('-HX', '--json');
    expect(actions(second)).toEqual([]);
    expect(execFileSync('find', [at('dst'), '-printf', '%i %C@\\n']).toString()).toBe(before);
  });

  it.skipIf(!isRoot)('for somebody who may do little, what he may (needs root to become nobody)', async () => {
    nastyTree(at('src'), { unprivileged: true, depth: 20 });
    execFileSync('chown', ['-R', `${nobody.uid}:${nobody.gid}`, dir]);
    const run = (...args: string[]) => asNobody(['sync', ...args, '-HX', at('src'), at('dst')]);
    expect((await run()).status).toBe(0);
    expect(treeLines(at('dst'), comparable)).toEqual(treeLines(at('src'), asSource));
    expect(actions(await run('--json'))).toEqual([]);
    // Into, and out of, directories that keep him out.
    execFileSync('rm', [at('src/readonly/inside')]);
    writeFileSync(at('src/readonly/other'), 'o');
    chmodSync(at('src/readonly'), 0o555);
    expect((await run('--delete')).status).toBe(0);
    expect(names(at('dst/readonly'))).toEqual(['other']);
    expect(lstatSync(at('dst/readonly')).mode & 0o777).toBe(0o555);
  });

  it('what is told beforehand is what is done: -n, --plan, -v and --json', async () => {
    make({ 'src/a': 'A', 'src/b/c': 'C', 'src/kind/x': 'X', 'dst/kind': 'file', 'dst/extra/e': 'E', 'dst/a': 'old!' });
    symlinkSync('a', at('src/link'));
    const dry = await sync('-n', '--delete');
    const json = await sync('-n', '--delete', '--json');
    const state = treeLines(at('dst'), { xattrs: false });
    const real = await sync('-v', '--delete');
    expect(state).not.toEqual(treeLines(at('dst'), { xattrs: false }));
    expect([dry.status, json.status, real.status]).toEqual([0, 0, 0]);
    expect(dry.out).toBe(real.out);
    expect(
      actions(json)
        .map((line) => `${line}\n`)
        .join(''),
    ).toBe(real.out);
    expect(real.out).toContain('delete extra/e');
  });

  it('compares size and time, content with --checksum, loosely with --modify-window', async () => {
    make({ 'src/a': 'one', 'dst/a': 'two' });
    for (const side of ['src', 'dst']) utimesSync(at(side, 'a'), 1000, 1000);
    for (const side of ['src', 'dst']) utimesSync(at(side), 1000, 1000);
    expect(actions(await sync('--json'))).toEqual([]);
    expect(actions(await sync('--json', '--checksum'))).toEqual(['update a (content)']);
    expect(readFileSync(at('dst/a'), 'utf8')).toBe('one');
    utimesSync(at('src/a'), 1001, 1001);
    expect(actions(await sync('-n', '--json', '--modify-window', '1s'))).toEqual([]);
    expect(actions(await sync('-n', '--json', '--checksum'))).toEqual(['metadata a (mtime)']);
    expect(actions(await sync('-n', '--json'))).toEqual(['update a (mtime)']);
  });

  it.skipIf(!exact)('times count to the nanosecond, before 1970 too', async () => {
    make({ 'src/a': 'A' });
    // Each differs from the one before it by little: one nanosecond is a difference, of files, links and directories.
    for (const time of [-1n, -1_500_000_000n, -1_500_000_001n, 0n, 1n, 1_000_000_001n, 1_000_000_002n]) {
      native()!.times.set(at('src/a'), time, time);
      expect((await sync()).status).toBe(0);
      expect(lstatSync(at('dst/a'), { bigint: true }).mtimeNs).toBe(time);
      expect(actions(await sync('--json'))).toEqual([]);
    }
  });

  it.skipIf(!exact)(
    'a nanosecond is a difference, of directories and links too, however it is looked for',
    async () => {
      make({ 'src/d/a': 'A' });
      symlinkSync('a', at('src/d/l'));
      const { times } = native()!;
      for (const name of ['src/d/a', 'src/d/l', 'src/d']) times.set(at(name), 5_000_000_001n, 5_000_000_001n);
      expect((await sync()).status).toBe(0);
      for (const name of ['src/d/a', 'src/d/l', 'src/d']) times.set(at(name), 5_000_000_002n, 5_000_000_002n);
      const wanted = ['metadata d (mtime)', 'update d/a (mtime)', 'metadata d/l (mtime)'];
      expect(actions(await sync('--json', '-n'))).toEqual(wanted);
      expect(actions(await sync('--json'))).toEqual(wanted);
      expect(actions(await sync('--json'))).toEqual([]);
    },
  );

  it('modes are kept, and set alone where content is the same', async () => {
    make({ 'src/a': 'A' });
    await sync();
    const { ino } = lstatSync(at('dst/a'));
    chmodSync(at('src/a'), 0o4751);
    expect(actions(await sync('--json'))).toEqual(['metadata a (mode)']);
    expect(lstatSync(at('dst/a'))).toMatchObject({ ino, mode: 0o104751 });
  });

  it('--check compares only', async () => {
    make({ 'src/a': 'A' });
    await sync();
    expect((await sync('--check')).status).toBe(0);
    writeFileSync(at('dst/extra'), '');
    const extra = await sync('--check');
    expect(extra.status).toBe(3);
    expect(extra.out).toContain('extra');
    rmSync(at('dst/extra'));
    writeFileSync(at('src/a'), 'changed');
    expect((await sync('--check')).status).toBe(3);
    expect(readFileSync(at('dst/a'), 'utf8')).toBe('A');
  });

  it('things in the wrong place are replaced; a directory with contents only with --delete', async () => {
    make({ 'src/file': 'F', 'src/dir/x': 'X', 'src/full': 'now a file', 'dst/dir': 'a file', 'dst/full/in/side': '' });
    mkdirSync(at('dst/file'));
    symlinkSync('/etc', at('src/link'));
    writeFileSync(at('dst/link'), '');
    const first = await sync();
    expect(first.status).toBe(1);
    expect(first.stderr).toContain('--delete replaces it');
    expect(readFileSync(at('dst/file'), 'utf8')).toBe('F');
    expect(readFileSync(at('dst/dir/x'), 'utf8')).toBe('X');
    expect(readlinkSync(at('dst/link'))).toBe('/etc');
    expect(existsSync(at('dst/full/in/side'))).toBe(true);
    const dry = await sync('-n', '--delete');
    const second = await sync('-v', '--delete');
    expect(second.out).toBe(dry.out);
    expect(second.status).toBe(0);
    expect(readFileSync(at('dst/full'), 'utf8')).toBe('now a file');
    expect(actions(await sync('--json', '--delete'))).toEqual([]);
  });

  it("the destination's symlinks are never followed out of it", async () => {
    make({ 'src/sub/x': 'X', 'outside/x': 'theirs', 'outside/more': 'theirs', 'dst/keep': '' });
    symlinkSync('../outside', at('dst/sub'));
    symlinkSync('../outside', at('dst/gone'));
    expect((await sync('--delete')).status).toBe(0);
    expect(readFileSync(at('outside/x'), 'utf8')).toBe('theirs');
    expect(names(at('outside'))).toEqual(['more', 'x']);
    expect(lstatSync(at('dst/sub')).isDirectory()).toBe(true);
    expect(existsSync(at('dst/gone'))).toBe(false);
  });

  it('-H keeps names of one file together, and parts those that are not', async () => {
    make({ 'src/a': 'A', 'src/c': 'X', 'src/d': 'X' });
    linkSync(at('src/a'), at('src/b'));
    expect((await sync('-H')).status).toBe(0);
    expect(lstatSync(at('dst/a')).ino).toBe(lstatSync(at('dst/b')).ino);
    rmSync(at('dst/b'));
    writeFileSync(at('dst/b'), 'A');
    rmSync(at('dst/d'));
    linkSync(at('dst/c'), at('dst/d'));
    for (const name of ['c', 'd']) utimesSync(at('src', name), 5, 5);
    utimesSync(at('dst/c'), 5, 5);
    expect((await sync('-H')).status).toBe(0);
    expect(lstatSync(at('dst/a')).ino).toBe(lstatSync(at('dst/b')).ino);
    expect(lstatSync(at('dst/c')).ino).not.toBe(lstatSync(at('dst/d')).ino);
    expect(actions(await sync('-H', '--json'))).toEqual([]);
  });

  it('SRC in DEST is refused, DEST in SRC left out', async () => {
    make({ 'src/a': 'A', 'src/inner/b': 'B' });
    const refused = await sluice(['sync', '--delete', at('src/inner'), at('src')]);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('nothing was done');
    expect((await sluice(['sync', at('src'), at('src')])).status).toBe(1);
    const left = await sluice(['sync', at('src'), at('src/copy')]);
    expect(left.status).toBe(0);
    expect(left.stderr).toContain('src/copy: is the destination itself');
    expect(names(at('src/copy'))).toEqual(['a', 'inner', 'inner/b']);
  });
});

describe('sync --delete', () => {
  it('an empty source never empties the destination, nor does one that cannot be read', async () => {
    make({ 'dst/a': 'A' });
    mkdirSync(at('src'));
    const empty = await sync('--delete');
    expect(empty.status).toBe(3);
    expect(empty.stderr).toContain('--allow-empty');
    writeFileSync(at('src/all-excluded'), '');
    expect((await sync('--delete', '--exclude', 'all*')).status).toBe(3);
    rmSync(at('src'), { recursive: true });
    expect((await sync('--delete')).status).toBe(1);
    expect(names(at('dst'))).toEqual(['a']);
    mkdirSync(at('src'));
    expect((await sync('--delete', '--allow-empty')).status).toBe(0);
    expect(names(at('dst'))).toEqual([]);
  });

  it.skipIf(!isRoot)(
    'an unreadable directory in the source stops deletions (needs root to become nobody)',
    async () => {
      make({ 'src/a': 'A', 'src/closed/x': 'X', 'dst/closed/x': 'X', 'dst/extra': 'E' });
      chmodSync(at('src/closed'), 0);
      execFileSync('chown', ['-R', `${nobody.uid}:${nobody.gid}`, dir]);
      const ended = await asNobody(['sync', '--delete', at('src'), at('dst')]);
      expect(ended.status).toBe(1);
      expect(ended.stderr).toContain('nothing is deleted');
      expect(names(at('dst'))).toEqual(['a', 'closed', 'closed/x', 'extra']);
      chmodSync(at('src'), 0);
      expect((await asNobody(['sync', '--delete', at('src'), at('dst')])).status).toBe(3);
      expect(names(at('dst'))).toContain('extra');
      chmodSync(at('src'), 0o755);
      chmodSync(at('src/closed'), 0o755);
    },
  );

  it('--max-delete as a number and as a share: over it nothing is deleted', async () => {
    make({ 'src/a': 'A', 'dst/a': 'A' });
    for (let i = 0; i < 9; i++) make({ [`dst/e${i}`]: '' });
    for (const [limit, status] of [
      ['8', 3],
      ['50%', 3],
      ['9', 0],
    ] as const) {
      const ended = await sync('--delete', '--max-delete', limit);
      expect([limit, ended.status]).toEqual([limit, status]);
      expect(names(at('dst')).length).toBe(status === 0 ? 1 : 10);
    }
  });

  it('--trash moves instead, under the same paths', async () => {
    make({ 'src/a': 'A', 'dst/x/y': 'Y', 'dst/z': 'Z' });
    expect((await sync('--delete', '--trash', at('bin'))).status).toBe(0);
    make({ 'dst/z': 'Z2' });
    expect((await sync('--delete', '--trash', at('bin'))).status).toBe(0);
    expect(names(at('bin'))).toEqual(['x', 'x/y', 'z', 'z.~1~']);
    expect(readFileSync(at('bin/x/y'), 'utf8')).toBe('Y');
    // In the destination itself it is no contents.
    make({ 'dst/w': 'W' });
    expect((await sync('--delete', '--trash', at('dst/bin'))).status).toBe(0);
    expect(names(at('dst'))).toEqual(['a', 'bin', 'bin/w']);
  });

  it('what is excluded stays, and what it is in; --delete-excluded takes it', async () => {
    make({ 'src/a': 'A', 'dst/x/keep.me': '', 'dst/x/go': '', 'dst/keep.me': '' });
    expect((await sync('--delete', '--exclude', '*.me')).status).toBe(0);
    expect(names(at('dst'))).toEqual(['a', 'keep.me', 'x', 'x/keep.me']);
    expect((await sync('--delete', '--delete-excluded', '--exclude', '*.me')).status).toBe(0);
    expect(names(at('dst'))).toEqual(['a']);
  });

  it('temp files of dead writers are no contents, and go', async () => {
    make({ 'src/a': 'A', 'dst/.a.sluice-0123456789abcdef.tmp': 'half' });
    expect((await sync()).status).toBe(0);
    expect((await sync('--check')).status).toBe(0);
    expect((await sync('--delete')).status).toBe(0);
    expect(readdirSync(at('dst'))).toEqual(['a']);
  });
});

describe('sync --plan and --apply', () => {
  it('a plan replaces files only: a FIFO stays, and a symlink leads to the plan', async () => {
    make({ 'src/a': 'A', 'dst/b': 'B' });
    execFileSync('mkfifo', [at('fifo')]);
    expect(await sync('--plan', at('fifo'))).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('no regular file'),
    });
    expect(lstatSync(at('fifo')).isFIFO()).toBe(true);
    symlinkSync('target', at('link'));
    expect((await sync('--plan', at('link'))).status).toBe(0);
    expect(lstatSync(at('link')).isSymbolicLink()).toBe(true);
    expect(readFileSync(at('target'), 'utf8')).toContain('"type":"plan"');
  });
  it('does what was planned, unless a side has changed since', async () => {
    make({ 'src/a': 'A', 'src/b/c': 'C', 'dst/extra': 'E' });
    const saved = await sync('--delete', '--plan', at('plan'));
    expect(saved.status).toBe(0);
    expect(names(at('dst'))).toEqual(['extra']);
    for (const line of readFileSync(at('plan'), 'utf8').trimEnd().split('\n')) JSON.parse(line);
    for (const change of ['src/new', 'dst/new', 'src/a']) {
      const old = existsSync(at(change)) ? lstatSync(at(change)) : undefined;
      writeFileSync(at(change), 'changed');
      const refused = await sluice(['sync', '--apply', at('plan')]);
      expect([change, refused.status]).toEqual([change, 3]);
      expect(existsSync(at('dst/b'))).toBe(false);
      if (!old) rmSync(at(change));
    }
    expect((await sync('--delete', '--plan', at('plan'))).status).toBe(0);
    expect((await sluice(['sync', '--apply', at('plan')])).status).toBe(0);
    expect(names(at('dst'))).toEqual(['a', 'b', 'b/c']);
    expect((await sluice(['sync', '--apply', at('plan'), at('src')])).status).toBe(2);
    writeFileSync(at('plan'), readFileSync(at('plan'), 'utf8').slice(0, -30));
    expect((await sluice(['sync', '--apply', at('plan')])).status).toBe(1);
  });
});

describe('sync --link-dest', () => {
  it('a snapshot shares what has not changed with the one before', async () => {
    make({ 'src/same': 'S', 'src/changes': '1' });
    await sluice(['sync', at('src'), at('one')]);
    writeFileSync(at('src/changes'), '22');
    expect((await sluice(['sync', '--link-dest', at('one'), at('src'), at('two')])).status).toBe(0);
    expect(lstatSync(at('one/same')).ino).toBe(lstatSync(at('two/same')).ino);
    expect(readFileSync(at('one/changes'), 'utf8')).toBe('1');
    expect(readFileSync(at('two/changes'), 'utf8')).toBe('22');
  });
});

describe('sync --swap', () => {
  it.skipIf(!exact)('readers see only whole generations', async () => {
    const generation = (n: number) => {
      for (let i = 0; i < 20; i++) make({ [`src/d${i % 3}/f${i}`]: `${n}` });
    };
    generation(0);
    expect((await sync('--swap')).status).toBe(0);
    let reading = true;
    let mixed = 0;
    let reads = 0;
    const reader = (async () => {
      while (reading) {
        // Through one open directory, as a program that has it as its working directory.
        const seen = execFileSync('/bin/sh', [
          '-c',
          'cd "$1" && cat d*/f* 2>/dev/null | sort -u | wc -l',
          'sh',
          at('dst'),
        ]).toString();
        reads++;
        if (Number(seen) > 1) mixed++;
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let n = 1; n <= 5; n++) {
      generation(n);
      const ended = await sync('--swap');
      expect(ended.status).toBe(0);
    }
    reading = false;
    await reader;
    expect(reads).toBeGreaterThan(2);
    // A reader that is inside the old tree may see it vanish, but never two generations.
    expect(mixed).toBe(0);
    expect(readdirSync(dir).sort()).toEqual(['dst', 'src']);
  });

  it.skipIf(!exact || !hasStrace)('the exchange is one call, and nothing else touches the name', async () => {
    make({ 'src/a': 'newer', 'dst/a': 'old' });
    const { status, calls } = strace(process.execPath, [bin, 'sync', '--swap', 'src', 'dst'], {
      trace: '?rename,?renameat,?renameat2,?unlink,unlinkat,?rmdir,?mkdir,mkdirat',
      cwd: dir,
    });
    expect([status, readFileSync(at('dst/a'), 'utf8')]).toEqual([0, 'newer']);
    const touching = calls.filter((call) => /"([^"]*\/)?dst"/.test(call) && call.endsWith('= 0'));
    expect(touching).toEqual([expect.stringMatching(/^renameat2\(.*"[^"]*\/dst", RENAME_EXCHANGE\) = 0$/)]);
  });

  it.skipIf(!exact)('unchanged files are the same files, extras stay without --delete', async () => {
    make({ 'src/same': 'S', 'src/changes': '1', 'src/sub/x': 'X' });
    await sync();
    make({ 'dst/extra/deep': 'E', 'src/changes': '22' });
    const same = lstatSync(at('dst/same')).ino;
    const dry = await sync('-n', '--swap');
    const ended = await sync('--swap', '-v');
    expect(ended.out).toBe(dry.out);
    expect(lstatSync(at('dst/same')).ino).toBe(same);
    expect(names(at('dst'))).toEqual(['changes', 'extra', 'extra/deep', 'same', 'sub', 'sub/x']);
    expect((await sync('--swap', '--delete', '--max-delete', '1')).status).toBe(3);
    expect(names(at('dst'))).toContain('extra/deep');
    expect((await sync('--swap', '--delete')).status).toBe(0);
    expect(names(at('dst'))).toEqual(['changes', 'same', 'sub', 'sub/x']);
    expect(actions(await sync('--swap', '--delete', '--json'))).toEqual([]);
    expect(readdirSync(dir).sort()).toEqual(['dst', 'src']);
  });

  it.skipIf(exact)('without native calls it is refused, and nothing is done', async () => {
    make({ 'src/a': 'A', 'dst/b': 'B' });
    const ended = await sync('--swap');
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain('--swap');
    expect(names(at('dst'))).toEqual(['b']);
  });
});

describe('sync, interrupted', () => {
  const many = () => {
    for (let i = 0; i < 30; i++) for (let k = 0; k < 25; k++) make({ [`src/d${i}/f${k}`]: `${i} ${k} `.repeat(200) });
  };
  const temps = (): string[] => names(at('dst')).filter((name) => name.includes('.sluice-'));

  it('SIGTERM leaves no temp files, kill -9 none that the next run does not take; it finishes the work', async () => {
    many();
    for (const [signal, ...options] of [
      ['SIGTERM'],
      ['SIGTERM', '--durable'],
      ['SIGKILL'],
      ['SIGKILL', '--durable'],
      ['SIGINT', '--jobs', '8'],
      ['SIGHUP', '--jobs', '8'],
      ['SIGQUIT', '--jobs', '8', '--durable'],
    ] as [NodeJS.Signals, ...string[]][]) {
      rmSync(at('dst'), { recursive: true, force: true });
      const child = spawn(process.execPath, [bin, 'sync', ...options, at('src'), at('dst')], { stdio: 'pipe' });
      const ended = outcome(child);
      await eventually('it has begun', () => existsSync(at('dst/d0')), 30_000);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 100));
      child.kill(signal);
      const { signal: of, status } = await ended;
      if (status === null) expect(of).toBe(signal);
      if (signal !== 'SIGKILL') expect([temps(), readdirSync(dir).sort()]).toEqual([[], ['dst', 'src']]);
    }
    expect((await sync('--delete')).status).toBe(0);
    expect(treeLines(at('dst'), comparable)).toEqual(treeLines(at('src'), asSource));
  });
});
