// `sync` where something is in the way, or somebody else's: kinds in each other's place, files with other names elsewhere,
// a trash that has things already, plans that are out of date.

import { execFileSync } from 'node:child_process';
import {
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
import { treeLines } from '../helpers/nasty-tree.js';
import { bin, type Ended, isRoot, sluice, temporary } from '../helpers/sluice.js';
import { hasStrace, strace } from '../helpers/strace.js';
import { asNobody, nobody } from '../helpers/unprivileged.js';

const comparable = native() ? {} : { xattrs: false, times: 'none' as const };

let dir: string;
beforeEach(() => {
  dir = temporary();
});
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

describe('kinds in each other’s place', () => {
  const kinds: Record<string, (path: string) => void> = {
    file: (path) => writeFileSync(path, path.includes('/src/') ? 'new' : 'older'),
    empty: (path) => mkdirSync(path),
    full: (path) => {
      mkdirSync(path);
      writeFileSync(join(path, 'inside'), path.includes('/src/') ? 'new' : 'older');
    },
    link: (path) => symlinkSync('../outside/file', path),
    'directory-link': (path) => symlinkSync('../outside', path),
    fifo: (path) => execFileSync('mkfifo', [path]),
  };
  const isDirectory = (kind: string) => kind === 'empty' || kind === 'full';

  function allPairs(): [path: string, source: string, target: string][] {
    make({ 'outside/file': 'theirs', 'outside/inside': 'theirs' });
    mkdirSync(at('src'));
    mkdirSync(at('dst'));
    const pairs = Object.keys(kinds).flatMap((source) =>
      Object.keys(kinds).map((target): [string, string, string] => [`${source}-on-${target}`, source, target]),
    );
    for (const [path, source, target] of pairs) {
      kinds[source]!(at('src', path));
      kinds[target]!(at('dst', path));
    }
    return pairs;
  }

  const outsideIsWhole = () => {
    expect(names(at('outside'))).toEqual(['file', 'inside']);
    for (const name of names(at('outside'))) expect(readFileSync(at('outside', name), 'utf8')).toBe('theirs');
  };

  it('sync replaces all but directories with contents; --delete those too; nothing outside is touched', async () => {
    const pairs = allPairs();
    const first = await sync('--json');
    expect(first.status).toBe(1);
    const failed = first.records().flatMap(({ type, path }) => (type === 'error' ? [path] : []));
    const impossible = pairs.filter(([, source, target]) => target === 'full' && !isDirectory(source));
    expect(failed.sort()).toEqual(impossible.map(([path]) => at('dst', path)).sort());
    for (const [path] of impossible) expect(readdirSync(at('dst', path))).toEqual(['inside']);
    outsideIsWhole();
    const dry = await sync('--json', '--delete', '-n');
    const second = await sync('--json', '--delete');
    expect([second.status, actions(second)]).toEqual([0, actions(dry)]);
    expect(treeLines(at('dst'), comparable)).toEqual(treeLines(at('src'), comparable));
    expect(actions(await sync('--json', '--delete'))).toEqual([]);
    outsideIsWhole();
  });

  it('copy -r names each that it may not replace, and does the others', async () => {
    const pairs = allPairs();
    const ended = await sluice(['copy', '-rT', '--json', at('src'), at('dst')]);
    expect(ended.status).toBe(1);
    const failed = ended.records().flatMap(({ type, path }) => (type === 'error' ? [path] : []));
    const impossible = pairs.filter(([, source, target]) => isDirectory(source) !== isDirectory(target));
    expect(failed.sort()).toEqual(impossible.map(([path]) => at('dst', path)).sort());
    for (const [path, source, target] of pairs) {
      const left = lstatSync(at('dst', path));
      const kind = isDirectory(source) !== isDirectory(target) ? target : source;
      expect([path, left.isFile(), left.isDirectory(), left.isSymbolicLink()]).toEqual([
        path,
        kind === 'file',
        isDirectory(kind),
        kind.endsWith('link'),
      ]);
    }
    outsideIsWhole();
  });
});

describe('files with other names', () => {
  it('without -H one name’s mode does not change the other’s, and a second run does nothing', async () => {
    make({ 'src/a': 'x', 'src/b': 'x', 'dst/a': 'x' });
    linkSync(at('dst/a'), at('dst/b'));
    for (const path of ['src/a', 'src/b', 'dst/a']) utimesSync(at(path), 1000, 1000);
    execFileSync('chmod', ['600', at('src/a')]);
    const dry = await sync('-n', '--json');
    expect(actions(await sync('--json'))).toEqual(actions(dry));
    expect([lstatSync(at('dst/a')).mode & 0o777, lstatSync(at('dst/b')).mode & 0o777]).toEqual([0o600, 0o644]);
    expect(actions(await sync('--json'))).toEqual([]);
  });

  it('a snapshot stays what it is when the next one, which shares its files, is brought up to date', async () => {
    make({ 'src/a': 'x' });
    await sluice(['sync', at('src'), at('one')]);
    await sluice(['sync', '--link-dest', at('one'), at('src'), at('two')]);
    expect(lstatSync(at('one/a')).ino).toBe(lstatSync(at('two/a')).ino);
    execFileSync('chmod', ['600', at('src/a')]);
    expect((await sluice(['sync', at('src'), at('two')])).status).toBe(0);
    expect([lstatSync(at('one/a')).mode & 0o777, lstatSync(at('two/a')).mode & 0o777]).toEqual([0o644, 0o600]);
  });

  it.skipIf(!native())('--swap -H keeps names together when their mode changes', async () => {
    make({ 'src/a': 'x', 'src/c': 'other' });
    linkSync(at('src/a'), at('src/b'));
    await sync('-H');
    execFileSync('chmod', ['600', at('src/a')]);
    expect((await sync('-H', '--swap')).status).toBe(0);
    expect(lstatSync(at('dst/a'))).toMatchObject({ ino: lstatSync(at('dst/b')).ino, mode: 0o100600, nlink: 2 });
  });
});

describe('--trash', () => {
  it('what it has already stays, whatever its kind', async () => {
    make({ 'src/a': 'A', 'dst/x/b': 'B', 'dst/y/e': 'E', 'dst/z': 'Z', 'bin/x': 'a file', 'bin/z/q': '' });
    make({ [`dst/${'n'.repeat(255)}`]: 'new', [`bin/${'n'.repeat(255)}`]: 'old' });
    symlinkSync(at('outside'), at('bin/y'));
    expect((await sync('--delete', '--trash', at('bin'))).status).toBe(0);
    expect(names(at('dst'))).toEqual(['a']);
    const long = 'n'.repeat(255);
    const expected = [
      'x',
      'x.~1~',
      'x.~1~/b',
      'y',
      'y.~1~',
      'y.~1~/e',
      'z',
      'z/q',
      'z.~1~',
      long,
      `${'n'.repeat(251)}.~1~`,
    ];
    expect(names(at('bin'))).toEqual(expected.sort());
    expect(readFileSync(at('bin/x'), 'utf8')).toBe('a file');
    expect(existsSync(at('outside'))).toBe(false);
  });

  it.skipIf(!isRoot)('on another filesystem things arrive with all that they are (needs root to mount)', async () => {
    make({ 'src/a': 'A', 'dst/x/b': 'B' });
    symlinkSync('nowhere', at('dst/x/link'));
    execFileSync('mkfifo', ['-m', '640', at('dst/x/fifo')]);
    execFileSync('chmod', ['4751', at('dst/x/b')]);
    utimesSync(at('dst/x/b'), 1000, 1000);
    const wanted = treeLines(at('dst/x'), { ...comparable, links: false, times: 'none' }).slice(1);
    mkdirSync(at('bin'));
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', at('bin')]);
    try {
      expect((await sync('--delete', '--trash', at('bin'))).status).toBe(0);
      expect(names(at('dst'))).toEqual(['a']);
      expect(treeLines(at('bin/x'), { ...comparable, links: false, times: 'none' }).slice(1)).toEqual(wanted);
      expect(lstatSync(at('bin/x/b')).mtimeMs).toBe(1_000_000);
    } finally {
      execFileSync('umount', ['-l', at('bin')]);
    }
  });

  it('is neither of the two sides', async () => {
    make({ 'src/a': 'A', 'dst/b': 'B' });
    for (const side of ['src', 'dst']) {
      const ended = await sync('--delete', '--trash', at(side));
      expect([ended.status, ended.stderr]).toEqual([1, expect.stringContaining('nothing was done')]);
    }
    expect([names(at('src')), names(at('dst'))]).toEqual([['a'], ['b']]);
  });
});

describe('--trash in one of the sides', () => {
  it('in SRC is refused, and so is what SRC has; nothing is made there', async () => {
    make({ 'src/a': 'A', 'src/bin2/x': 'X', 'dst/b': 'B' });
    const mixed = await sync('--delete', '--trash', at('dst/bin2'));
    expect([mixed.status, mixed.stderr]).toEqual([1, expect.stringMatching(/where the source has.*nothing was done/)]);
    for (const bin of ['src/bin', 'src/deep/er/bin'])
      for (const look of [[], ['-n']]) {
        const ended = await sync('--delete', '--trash', at(bin), ...look);
        expect([ended.status, ended.stderr]).toEqual([
          1,
          expect.stringMatching(/lies in the source.*nothing was done/),
        ]);
      }
    expect([names(at('src')), names(at('dst'))]).toEqual([['a', 'bin2', 'bin2/x'], ['b']]);
  });

  it('in DEST, however deep, it is no contents: told before is done, and a second run does nothing', async () => {
    make({ 'src/a': 'A', 'src/sub/s': 'S', 'dst/sub/s': 'S', 'dst/x/y/z': 'Z' });
    for (const bin of ['dst/bin', 'dst/x/y/bin', 'dst/sub/deep/bin']) {
      make({ 'dst/x/gone': 'G', 'dst/sub/gone': 'G' });
      const run = (...args: string[]) => sync('--json', '--delete', '--trash', at(bin), ...args);
      const told = (ended: Ended) => ended.records().filter(({ type }) => type === 'action');
      const dry = await run('-n');
      const real = await run();
      expect([dry.status, real.status, real.stderr]).toEqual([0, 0, '']);
      expect(told(real)).toEqual(told(dry));
      expect(readFileSync(at(bin, 'x/gone'), 'utf8')).toBe('G');
      const before = names(at('dst'));
      expect(told(await run())).toEqual([]);
      expect(names(at('dst'))).toEqual(before);
    }
  });
});

describe('DEST that is a symlink', () => {
  it('to a directory is that directory; one that leads nowhere is named', async () => {
    make({ 'src/a': 'A', 'there/b': 'B' });
    symlinkSync('there', at('dst'));
    expect((await sync('--delete')).status).toBe(0);
    expect([readlinkSync(at('dst')), names(at('there'))]).toEqual(['there', ['a']]);
    execFileSync('rm', ['-r', at('there')]);
    for (const look of [[], ['-n']]) {
      const ended = await sync(...look);
      expect([ended.status, ended.stderr]).toEqual([1, expect.stringContaining('is a symlink that leads nowhere')]);
    }
    expect(readdirSync(dir).sort()).toEqual(['dst', 'src']);
  });
});

describe('--apply', () => {
  it('is refused after any change: deep in what is to go, of attributes alone, of content alone', async () => {
    const changes: [string, () => void][] = [
      ['content of what is to go', () => writeFileSync(at('dst/extra/deep/e'), 'changed')],
      ['a file more in what is to go', () => writeFileSync(at('dst/extra/deep/f'), '')],
      ['a mode in the source', () => execFileSync('chmod', ['600', at('src/a')])],
      ['a mode in the destination', () => execFileSync('chmod', ['600', at('dst/same')])],
      [
        'content in the source, size and time as before',
        () => {
          const { atime, mtime } = lstatSync(at('src/a'));
          writeFileSync(at('src/a'), 'B');
          utimesSync(at('src/a'), atime, mtime);
        },
      ],
      ['something gone from the source', () => rmSync(at('src/sub/b'))],
    ];
    for (const [what, change] of changes) {
      execFileSync('rm', ['-rf', at('src'), at('dst')]);
      make({ 'src/a': 'A', 'src/sub/b': 'B', 'src/same': 'S', 'dst/extra/deep/e': 'E' });
      execFileSync('cp', ['-p', at('src/same'), at('dst/same')]);
      expect((await sync('--delete', '--plan', at('plan'))).status).toBe(0);
      change();
      const before = names(at('dst'));
      expect([what, (await sluice(['sync', '--apply', at('plan')])).status]).toEqual([what, 3]);
      expect(names(at('dst'))).toEqual(before);
    }
  });
});

describe('--plan and --apply with -', () => {
  it('are stdout and stdin, and no file of that name', async () => {
    make({ 'src/a': 'A', 'dst/b': 'B' });
    const plan = await sluice(['sync', '--delete', '--plan', '-', at('src'), at('dst')], { cwd: dir });
    expect([plan.status, plan.stderr, readdirSync(dir).sort()]).toEqual([0, '', ['dst', 'src']]);
    const applied = await sluice(['sync', '--apply', '-'], { cwd: dir, input: plan.stdout });
    expect([applied.status, names(at('dst'))]).toEqual([0, ['a']]);
    const late = await sluice(['sync', '--apply', '-'], { cwd: dir, input: plan.stdout });
    expect(late.status).toBe(3);
    const both = await sluice(['sync', '--plan', '-', '--json', at('src'), at('dst')], { cwd: dir });
    expect(both.status).toBe(2);
  });
});

describe('--delete', () => {
  it.skipIf(!isRoot)('leaves another user’s temp files to him (needs root to become nobody)', async () => {
    make({ 'src/a': 'A', 'dst/.a.sluice-0123456789abcdef.tmp': 'root writes it' });
    make({ 'dst/.b.sluice-0123456789abcdef.tmp': 'his own, and left' });
    for (const path of [dir, at('src'), at('src/a'), at('dst'), at('dst/.b.sluice-0123456789abcdef.tmp')])
      execFileSync('chown', [`${nobody.uid}:${nobody.gid}`, path]);
    expect((await asNobody(['sync', '--delete', at('src'), at('dst')])).status).toBe(0);
    expect(names(at('dst'))).toEqual(['.a.sluice-0123456789abcdef.tmp', 'a']);
  });

  it('leaves a temp file that is open elsewhere, or whose directory is', async () => {
    make({ 'src/a': 'A', 'src/sub/s': 'S' });
    const [one, other] = ['dst/.a.sluice-0123456789abcdef.tmp', 'dst/sub/.s.sluice-0123456789abcdef.tmp'];
    make({ [one]: 'half', [other]: 'whole, and waiting for its name' });
    const both = `exec 8>"${at(one)}" 9<"${at('dst/sub')}"; "${process.execPath}" "${bin}" "$@" 8>&- 9<&-`;
    execFileSync('/bin/bash', ['-c', both, 'bash', 'sync', '--delete', at('src'), at('dst')], { stdio: 'ignore' });
    expect(names(at('dst')).filter((name) => name.endsWith('.tmp'))).toHaveLength(2);
    expect((await sync('--delete')).status).toBe(0);
    expect(names(at('dst'))).toEqual(['a', 'sub', 'sub/s']);
  });

  it('--max-delete counts contents, and not the temp files of the run itself', async () => {
    for (let i = 0; i < 300; i++) make({ [`src/f${i}`]: `${i}`, [`dst/f${i}`]: `old ${i}` });
    make({ 'dst/d/1': '', 'dst/d/2': '' });
    for (const [limit, status] of [
      ['2', 3],
      ['0.5%', 3],
      ['3', 0],
    ] as const) {
      const ended = await sync('--json', '--delete', '--durable', '--max-delete', limit);
      expect([limit, ended.status]).toEqual([limit, status]);
      if (status === 0) expect(ended.records().at(-1)).toMatchObject({ type: 'summary', deleted: 3 });
    }
  });
});

describe('--swap', () => {
  it.skipIf(!native())(
    'without --delete a directory with contents is not replaced: all is left as it was',
    async () => {
      make({ 'src/a': 'A', 'dst/a/precious': 'P' });
      for (const more of [[], ['-n']]) {
        const { status, stderr } = await sync('--swap', ...more);
        expect([status, stderr]).toEqual([1, expect.stringContaining('--delete replaces it (ENOTEMPTY)')]);
        expect([readdirSync(dir).sort(), readFileSync(at('dst/a/precious'), 'utf8')]).toEqual([['dst', 'src'], 'P']);
      }
      expect((await sync('--swap', '--delete')).status).toBe(0);
      expect(readFileSync(at('dst/a'), 'utf8')).toBe('A');
    },
  );

  it.skipIf(!hasStrace || !native())('is refused where nothing can be exchanged, and nothing is made', () => {
    make({ 'src/a': 'A', 'dst/b': 'B' });
    for (const error of ['EINVAL', 'ENOSYS']) {
      const { status, stderr } = strace(process.execPath, [bin, 'sync', '--swap', at('src'), at('dst')], {
        trace: 'renameat2',
        inject: [`renameat2:error=${error}`],
      });
      expect([status, stderr]).toEqual([1, expect.stringContaining('nothing was done')]);
      expect([readdirSync(dir).sort(), names(at('dst'))]).toEqual([['dst', 'src'], ['b']]);
    }
  });
});
