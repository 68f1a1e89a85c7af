import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bin, isRoot, sluice, temporary } from '../helpers/sluice.js';
import { hasStrace, strace } from '../helpers/strace.js';

const calls = (...args: string[]) =>
  strace(process.execPath, [bin, 'flush', ...args], { trace: 'fsync,fdatasync', decode: true }).calls;

/** The paths whose descriptors were given to `call`, sorted. */
const flushed = (lines: string[], call: string): string[] =>
  lines.flatMap((line) => new RegExp(`^${call}\\(\\d+<(.*?)>`).exec(line)?.[1] ?? []).sort();

it.skipIf(!hasStrace)('a file: its content, and the directory that holds its name', () => {
  const dir = temporary();
  writeFileSync(join(dir, 'file'), 'x');
  expect(flushed(calls(join(dir, 'file')), 'fsync')).toEqual([dir, join(dir, 'file')]);
  const data = calls('--data', join(dir, 'file'));
  expect([flushed(data, 'fdatasync'), flushed(data, 'fsync')]).toEqual([[join(dir, 'file')], [dir]]);
});

it.skipIf(!hasStrace)('a symlink: the file it leads to, and both names', () => {
  const dir = temporary();
  mkdirSync(join(dir, 'sub'));
  writeFileSync(join(dir, 'sub/file'), 'x');
  symlinkSync('sub/file', join(dir, 'link'));
  expect(flushed(calls(join(dir, 'link')), 'fsync')).toEqual([dir, join(dir, 'sub'), join(dir, 'sub/file')]);
});

it.skipIf(!hasStrace)(
  'a directory: itself and its name; with -r everything below, links not followed, once each',
  () => {
    const dir = temporary();
    mkdirSync(join(dir, 'top/a/b'), { recursive: true });
    writeFileSync(join(dir, 'top/a/b/f'), 'x');
    writeFileSync(join(dir, 'outside'), 'x');
    symlinkSync('../outside', join(dir, 'top/link'));
    const top = join(dir, 'top');
    expect(flushed(calls(top), 'fsync')).toEqual([dir, top]);
    const tree = [dir, top, `${top}/a`, `${top}/a/b`, `${top}/a/b/f`];
    expect(flushed(calls('-r', top, `${top}/a`), 'fsync')).toEqual(tree);
  },
);

it('says what was flushed, how, and what it is worth', async () => {
  const dir = temporary();
  writeFileSync(join(dir, 'file'), 'x');
  const { status, records } = await sluice(['flush', '--json', join(dir, 'file')]);
  expect(status).toBe(0);
  const sorted = records().sort((one, other) => (String(one['kind']) < String(other['kind']) ? -1 : 1));
  expect(sorted).toMatchObject([
    { type: 'flushed', path: dir, kind: 'directory', method: 'fsync' },
    { type: 'flushed', path: join(dir, 'file'), kind: 'file', method: 'fsync' },
    { type: 'summary', files: 1, directories: 1, errors: 0 },
  ]);
  const all = await sluice(['flush', '--filesystem', '--json', dir, join(dir, 'file')]);
  expect(all.records()).toMatchObject([
    { type: 'flushed', path: dir, method: 'syncfs' },
    { type: 'summary', filesystems: 1, errors: 0 },
  ]);
});

it.skipIf(process.platform !== 'linux')('of memory it says that nothing survives there, and exits 0', async () => {
  const { status, stderr } = await sluice(['flush', '/dev/shm']);
  expect([status, stderr]).toEqual([
    0,
    'sluice flush: warning: /dev/shm: this file system is in memory: nothing on it survives a power cut\n',
  ]);
});

it('what is missing is an error, the rest is flushed', async () => {
  const dir = temporary();
  writeFileSync(join(dir, 'file'), 'x');
  const { status, out, stderr } = await sluice(['flush', '-v', join(dir, 'no'), join(dir, 'file')]);
  expect(status).toBe(1);
  expect(stderr).toBe(`sluice flush: ${dir}/no: no such file or directory (ENOENT, lstat) — it was not flushed\n`);
  expect(out).toContain(`${dir}/file: fsync`);
  expect((await sluice(['flush'])).status).toBe(2);
});

it.skipIf(!hasStrace)('a failed fsync is told and not tried again: 1 for what was asked, 4 for a name', () => {
  const dir = temporary();
  const file = join(dir, 'file');
  writeFileSync(file, 'x');
  const run = (path: string) =>
    strace(process.execPath, [bin, 'flush', file], { trace: 'fsync', inject: ['fsync:error=EIO'], paths: [path] });
  const content = run(file);
  expect([content.status, content.calls.length]).toEqual([1, 1]);
  expect(content.stderr).toContain(`${file}: i/o error (EIO, fsync) — it may not survive a power cut`);
  const name = run(dir);
  expect([name.status, name.calls.length]).toEqual([4, 1]);
  expect(name.stderr).toContain(`warning: ${dir}: i/o error (EIO, fsync) — names in it may not survive a power cut`);
});

it.skipIf(!isRoot)('a file that may only be written to is flushed all the same', async () => {
  const dir = temporary();
  const file = join(dir, 'file');
  writeFileSync(file, 'x');
  chmodSync(file, 0o222);
  chmodSync(dir, 0o755);
  const ended = await sluice(['flush', '-v', file], { uid: 65534, gid: 65534, cwd: dir });
  expect([ended.status, ended.stderr]).toEqual([0, '']);
});
