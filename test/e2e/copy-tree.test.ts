// `sluice copy -r` and `-a`, from a shell's point of view.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { native } from '../../src/io/native.js';
import { nastyTree, treeLines } from '../helpers/nasty-tree.js';
import { isRoot, sluice, temporary } from '../helpers/sluice.js';
import { asNobody, nobody } from '../helpers/unprivileged.js';

const exact = native() !== null;

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

describe('copy -r', () => {
  it('a directory does not go into stdout or a device, and makes nothing of that name', async () => {
    make({ 'src/a': 'a' });
    for (const destination of ['-', '/dev/null']) {
      const { status, stderr } = await sluice(['copy', '-a', at('src'), destination], { cwd: dir });
      expect([status, stderr]).toEqual([1, expect.stringContaining('EISDIR')]);
    }
    expect(readdirSync(dir)).toEqual(['src']);
  });

  it('a directory becomes the destination, or goes into it where that exists', async () => {
    make({ 'src/a': 'A', 'src/b/c': 'C' });
    expect((await sluice(['copy', '-r', at('src'), at('dst')])).status).toBe(0);
    expect(names(at('dst'))).toEqual(['a', 'b', 'b/c']);
    expect((await sluice(['copy', '-r', at('src'), at('dst')])).status).toBe(0);
    expect(names(at('dst/src'))).toEqual(['a', 'b', 'b/c']);
    expect((await sluice(['copy', '-rT', at('src'), at('dst')])).status).toBe(0);
    expect(names(at('dst'))).toEqual(['a', 'b', 'b/c', 'src', 'src/a', 'src/b', 'src/b/c']);
    expect(readFileSync(at('dst/b/c'), 'utf8')).toBe('C');
  });

  it('directories of one name are merged, as by cp; a file does not go over what was just copied', async () => {
    make({ 'one/x/a': 'A', 'one/x/both': '1', 'two/x/b': 'B', 'two/x/both': '2', 'three/x': 'a file' });
    mkdirSync(at('dst'));
    const { status, stderr } = await sluice(['copy', '-r', at('one/x'), at('two/x'), at('three/x'), at('dst')]);
    expect([status, names(at('dst'))]).toEqual([1, ['x', 'x/a', 'x/b', 'x/both']]);
    expect(readFileSync(at('dst/x/both'), 'utf8')).toBe('2');
    expect(stderr).toContain(`${at('three/x')}: will not overwrite what was just copied`);
  });

  it('keeps what symlinks are; -L copies what they lead to; -H only those that are operands', async () => {
    make({ 'src/a': 'A' });
    symlinkSync('a', at('src/link'));
    symlinkSync('src', at('operand'));
    expect((await sluice(['copy', '-r', at('src'), at('p')])).status).toBe(0);
    expect(readlinkSync(at('p/link'))).toBe('a');
    expect((await sluice(['copy', '-rL', at('src'), at('l')])).status).toBe(0);
    expect(lstatSync(at('l/link')).isFile()).toBe(true);
    expect((await sluice(['copy', '-r', at('operand'), at('as-link')])).status).toBe(0);
    expect(readlinkSync(at('as-link'))).toBe('src');
    expect((await sluice(['copy', '-rH', at('operand'), at('h')])).status).toBe(0);
    expect(readlinkSync(at('h/link'))).toBe('a');
  });

  it('a new file gets the mode less the umask, an existing one keeps its own', async () => {
    make({ 'src/new': 'n', 'src/old': 'new content', 'dst/old': 'o' });
    chmodSync(at('src/new'), 0o4777);
    chmodSync(at('src/old'), 0o777);
    chmodSync(at('dst/old'), 0o600);
    expect((await sluice(['copy', '-rT', at('src'), at('dst')])).status).toBe(0);
    expect(lstatSync(at('dst/new')).mode & 0o7777).toBe(0o777 & ~process.umask());
    expect(lstatSync(at('dst/old')).mode & 0o7777).toBe(0o600);
    expect(readFileSync(at('dst/old'), 'utf8')).toBe('new content');
  });

  it('below the operands nothing in the destination is followed', async () => {
    make({ 'src/file': 'F', 'src/sub/x': 'X', 'outside/x': 'theirs', 'outside-file': 'theirs', 'dst/keep': '' });
    symlinkSync('../outside-file', at('dst/file'));
    symlinkSync('../outside', at('dst/sub'));
    const { status, stderr } = await sluice(['copy', '-rT', at('src'), at('dst')]);
    expect(status).toBe(1);
    expect(stderr).toContain('dst/sub');
    expect(readFileSync(at('outside-file'), 'utf8')).toBe('theirs');
    expect(readFileSync(at('outside/x'), 'utf8')).toBe('theirs');
    expect(lstatSync(at('dst/file')).isFile()).toBe(true);
    expect(lstatSync(at('dst/sub')).isSymbolicLink()).toBe(true);
  });

  it('a directory into itself is refused, and nothing is made', async () => {
    make({ 'src/a': 'A' });
    for (const target of ['src/copy', 'src', 'src/x/../y']) {
      const { status, stderr } = await sluice(['copy', '-rT', at('src'), `${dir}/${target}`]);
      expect(status).toBe(1);
      expect(stderr).toMatch(/itself/);
    }
    expect(names(at('src'))).toEqual(['a']);
  });

  it('-n keeps what exists, -u what is newer, and both count it', async () => {
    make({ 'src/a': 'new', 'src/b': 'B', 'dst/a': 'old' });
    const kept = await sluice(['copy', '-rTn', '--json', at('src'), at('dst')]);
    expect(kept.status).toBe(0);
    expect(readFileSync(at('dst/a'), 'utf8')).toBe('old');
    expect(kept.records().at(-1)).toMatchObject({ type: 'summary', files: 1, skipped: 1, errors: 0 });
    const updated = await sluice(['copy', '-rTu', '--json', at('src'), at('dst')]);
    expect(updated.records().at(-1)).toMatchObject({ skipped: 2 });
  });

  it('one bad entry does not stop the others', async () => {
    make({ 'src/a': 'A', 'src/b': 'B', 'src/c/d': 'D', 'dst/a/inside': '' });
    writeFileSync(at('dst/c'), 'a file');
    const { status, stderr } = await sluice(['copy', '-rT', at('src'), at('dst')]);
    expect(status).toBe(1);
    expect(stderr).toContain('dst/a: is a directory');
    expect(stderr).toContain('dst/c: is a file');
    expect(readFileSync(at('dst/b'), 'utf8')).toBe('B');
  });

  it('--exclude, --include, --exclude-from: the first rule that matches decides', async () => {
    make({
      'src/a.o': '',
      'src/keep.o': '',
      'src/b.c': '',
      'src/build/x': '',
      'src/sub/build': '',
      'src/sub/t.tmp': '',
    });
    writeFileSync(at('rules'), '# a comment\n+ keep.o\n*.o\n\n- *.tmp\n');
    const args = ['copy', '-r', '--exclude-from', at('rules'), '--exclude', 'build/', at('src'), at('dst')];
    expect((await sluice(args)).status).toBe(0);
    expect(names(at('dst'))).toEqual(['b.c', 'keep.o', 'sub', 'sub/build']);
  });

  it('--dry-run says what would be done, and does nothing', async () => {
    make({ 'src/a': 'A', 'src/b/c': 'C' });
    const dry = await sluice(['copy', '-r', '--dry-run', '--json', at('src'), at('dst')]);
    expect(dry.status).toBe(0);
    expect(existsSync(at('dst'))).toBe(false);
    expect(dry.records().filter(({ type }) => type === 'action')).toHaveLength(4);
  });

  it('what single files can have asked of them is had in trees too', async () => {
    make({ 'src/a': 'A', 'src/b/c': 'C', 'dst/a': 'old' });
    symlinkSync('../src/b/c', at('dst/b'));
    const args = ['copy', '-rT', '--checksum', '--verify', '--backup', '--durable', at('src'), at('dst')];
    const first = await sluice(args);
    expect(first.status).toBe(1);
    expect(first.stderr).toContain('dst/b');
    expect(readFileSync(at('dst/a~'), 'utf8')).toBe('old');
    expect(first.out).toContain(`  ${at('dst/a')}\n`);
    writeFileSync(at('sums'), first.out);
    execFileSync('sha256sum', ['-c', at('sums')]);
  });
});

describe('copy -a', () => {
  it.skipIf(!isRoot)('every kind of entry comes out the same (as root)', async () => {
    nastyTree(at('src'));
    const { status, stderr } = await sluice(['copy', '-a', at('src'), at('dst')]);
    expect(status).toBe(0);
    const options = exact ? {} : { xattrs: false, times: 'none' as const };
    expect(treeLines(at('dst'), options)).toEqual(treeLines(at('src'), { ...options, sockets: false }));
    if (exact) expect(stderr).toMatch(/^sluice copy: .*src\/socket: is a socket.*\n$/);
    const { blocks, size } = lstatSync(at('dst/holes'));
    expect(blocks * 512).toBeLessThan(size / 2);
  });

  it.skipIf(!isRoot)('for somebody who may do little, what he may (needs root to become nobody)', async () => {
    nastyTree(at('src'), { unprivileged: true, depth: 20 });
    execFileSync('chown', ['-R', `${nobody.uid}:${nobody.gid}`, dir]);
    const { status, stderr } = await asNobody(['copy', '-a', at('src'), at('dst')]);
    expect(stderr.replace(/.*(kept everything|is a socket).*\n/g, '')).toBe('');
    expect(status).toBe(0);
    const options = exact ? {} : { xattrs: false, times: 'none' as const };
    expect(treeLines(at('dst'), options)).toEqual(treeLines(at('src'), { ...options, sockets: false }));
  });

  it('many files by several threads are the same as by one', async () => {
    for (let i = 0; i < 40; i++) for (let k = 0; k < 30; k++) make({ [`src/d${i}/f${k}`]: `${i} ${k} `.repeat(i * k) });
    const several = await sluice(['copy', '-a', '--json', '--jobs', '3', at('src'), at('several')]);
    const one = await sluice(['copy', '-a', '--json', '--jobs', '1', at('src'), at('one')]);
    expect(several.stderr).toBe('');
    expect([several.status, one.status]).toEqual([0, 0]);
    const told = (ended: typeof one) =>
      ended.records().flatMap(({ source, type }) => (type === 'warning' ? [] : [`${type} ${source}`]));
    expect(told(several)).toEqual(told(one));
    expect(told(one)).toHaveLength(1201);
    const options = exact ? {} : { times: 'none' as const };
    expect(treeLines(at('several'), options)).toEqual(treeLines(at('src'), { ...options, sockets: false }));
    expect(treeLines(at('one'), options)).toEqual(treeLines(at('src'), { ...options, sockets: false }));
  });
});
