// Small files copied, or compared, in as few calls as that takes: what is unusual is left alone, and nothing is made of it.

import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SmallWish } from '../../../src/io/native/plain-files.js';
import { native } from '../../../src/io/native.js';
import { isRoot, temporary } from '../../helpers/sluice.js';

const calls = native();
const plain: SmallWish = { keep: false, owner: null, xattrs: false, links: false };
const room = Buffer.alloc(64 * 1024);

describe.skipIf(!calls)('plain files (needs native calls)', () => {
  const { plainFiles, xattrs, directories } = calls ?? ({} as NonNullable<typeof calls>);
  let dir: string;
  let from: number;
  let to: number;
  beforeEach(() => {
    dir = temporary();
    mkdirSync(join(dir, 'from'));
    mkdirSync(join(dir, 'to'));
    from = openSync(join(dir, 'from'), constants.O_RDONLY);
    to = openSync(join(dir, 'to'), constants.O_RDONLY);
  });
  afterEach(() => {
    closeSync(from);
    closeSync(to);
  });
  const source = (name: string) => join(dir, 'from', name);
  const target = (name: string) => join(dir, 'to', name);
  const copy = (name: string, wish: Partial<SmallWish> = {}, buffer = room) =>
    plainFiles.copy(from, to, name, buffer, { ...plain, ...wish });

  it('a new file has the source’s content and its mode less the umask, without set-id bits', () => {
    writeFileSync(source('a'), 'content');
    chmodSync(source('a'), 0o6777);
    expect(copy('a')).toBe(7);
    expect(readFileSync(target('a'), 'utf8')).toBe('content');
    expect(lstatSync(target('a')).mode & 0o7777).toBe(0o777 & ~process.umask());
    writeFileSync(source('empty'), '');
    expect(copy('empty')).toBe(0);
    expect(existsSync(target('empty'))).toBe(true);
  });

  it('kept are permission bits whatever the umask, and times to the nanosecond, before 1970 too', () => {
    for (const [name, time] of [
      ['now', 1_700_000_000_123_456_789n],
      ['old', -86_400_000_000_001n],
    ] as const) {
      writeFileSync(source(name), name);
      chmodSync(source(name), 0o1666);
      calls!.times.set(source(name), time, time + 7n);
      expect(copy(name, { keep: true })).toBe(3);
      const { mode, atimeNs, mtimeNs } = lstatSync(target(name), { bigint: true });
      expect([Number(mode) & 0o7777, atimeNs, mtimeNs]).toEqual([0o1666, time, time + 7n]);
    }
  });

  it('leaves alone, with nothing made: what is large, has holes, is no file, is not there, is there already', () => {
    writeFileSync(source('large'), Buffer.alloc(room.length));
    writeFileSync(source('hole'), 'x');
    truncateSync(source('hole'), 40_000);
    mkdirSync(source('directory'));
    directories.makeFifo(from, 'fifo', 0o600);
    writeFileSync(source('real'), 'r');
    symlinkSync('real', source('link'));
    for (const name of ['large', 'hole', 'directory', 'fifo', 'link', 'absent']) {
      expect([name, copy(name)]).toEqual([name, -1]);
      expect(existsSync(target(name))).toBe(false);
    }
    writeFileSync(source('taken'), 'new');
    writeFileSync(target('taken'), 'old');
    expect(copy('taken')).toBe(-1);
    expect(readFileSync(target('taken'), 'utf8')).toBe('old');
  });

  it('leaves alone what it is not to decide: several names, set-id bits, attributes, other owners', () => {
    writeFileSync(source('a'), 'a');
    linkSync(source('a'), source('b'));
    expect(copy('a', { links: true })).toBe(-1);
    expect(copy('a')).toBe(1);
    writeFileSync(source('setuid'), 's');
    chmodSync(source('setuid'), 0o4755);
    expect(copy('setuid', { keep: true })).toBe(-1);
    writeFileSync(source('attributes'), 'x');
    expect(copy('attributes', { xattrs: true })).toBe(1);
    xattrs.set(source('attributes'), 'user.a', Buffer.from('1'));
    closeSync(to);
    to = openSync(dir, constants.O_RDONLY);
    expect(copy('attributes', { xattrs: true })).toBe(-1);
    const { uid, gid } = lstatSync(source('a'));
    expect(copy('a', { owner: { uid, gid: gid + 1 } })).toBe(-1);
    expect(copy('a', { owner: { uid, gid } })).toBe(1);
    expect(copy('b', { owner: { uid: uid + 1, gid } })).toBe(-1);
  });

  it('a write that fails leaves nothing', () => {
    writeFileSync(source('a'), 'content');
    const here = openSync('/proc/self', constants.O_RDONLY);
    expect(plainFiles.copy(from, here, 'a', room, plain)).toBe(-1);
    closeSync(here);
    expect(plainFiles.copy(from, to, 'a'.repeat(300), room, plain)).toBe(-1);
    expect(existsSync(target('a'))).toBe(false);
  });

  it('a name that is no UTF-8', () => {
    writeFileSync(Buffer.concat([Buffer.from(`${dir}/from/`), Buffer.from([0xff, 0x0a])]), 'odd');
    expect(copy('\udcff\n')).toBe(3);
    expect(readFileSync(Buffer.concat([Buffer.from(`${dir}/to/`), Buffer.from([0xff, 0x0a])]), 'utf8')).toBe('odd');
  });

  it('alike are files of the same size, mode, time and, where asked for, owner; nothing else', () => {
    const alike = (owners = false, links = false) => plainFiles.areAlike(from, to, 'f', owners, links);
    const make = () => {
      for (const path of [source('f'), target('f')]) {
        writeFileSync(path, 'same');
        chmodSync(path, 0o644);
        utimesSync(path, 1e9, 1e9);
      }
    };
    expect(alike()).toBe(false);
    make();
    expect(alike()).toBe(true);
    expect(alike(true, true)).toBe(true);
    calls!.times.set(target('f'), 0n, 1_000_000_000_000_000_001n);
    expect(alike()).toBe(false);
    make();
    chmodSync(target('f'), 0o645);
    expect(alike()).toBe(false);
    make();
    writeFileSync(target('f'), 'longer');
    utimesSync(target('f'), 1e9, 1e9);
    expect(alike()).toBe(false);
    make();
    linkSync(target('f'), target('g'));
    expect(alike()).toBe(true);
    expect(alike(false, true)).toBe(false);
    for (const path of [source('f'), target('f')]) chmodSync(path, 0o4755);
    expect(alike()).toBe(false);
    make();
    if (isRoot) {
      chownSync(target('f'), 12345, 0);
      expect(alike()).toBe(true);
      expect(alike(true)).toBe(false);
    }
  });
});
