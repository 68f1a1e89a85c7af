// Plain files in two open directories, small ones copied from one into the other, or compared: in as few calls as that takes,
// and without an object for any of them. Whatever is unusual is left to others, with nothing made.

import { constants } from 'node:fs';
import { cString } from './c-string.js';
import type { Libc } from './libc.js';

export interface SmallWish {
  /** Permission bits and times (nanoseconds) are kept, and files with set-id bits left to others; else a new file's mode is the source's less the umask or under the default ACL. */
  keep: boolean;
  /** Where owners are kept: whose a new file in the directory is. Files of other owners are left to others. */
  owner: { uid: number; gid: number } | null;
  /** Files with extended attributes are left to others. */
  xattrs: boolean;
  /** Files of several names are left to others. */
  links: boolean;
}

export interface PlainFiles {
  /**
   * Copies the regular file `name`, with O_EXCL. Its size in bytes; -1 if it was left alone: it is too large for the buffer, has holes,
   * is no regular file, changed meanwhile, or something failed. The caller then has its own way, and its own error.
   */
  copy(from: number, to: number, name: string, room: Buffer, wish: SmallWish): number;
  /**
   * Are there two regular files of this name with the same size, permission bits, time of modification and, with `owners`, owner? False also
   * where that is not all there is to it: several names with `links`, set-id bits, an error.
   */
  areAlike(one: number, other: number, name: string, owners: boolean, links: boolean): boolean;
}

const emptyName = new Uint8Array(1);
const [NO_FOLLOW, EMPTY_PATH, BASIC] = [0x100, 0x1000, 0x7ff];

export function plainFiles(libc: Libc): PlainFiles {
  const c = libc.functions({
    statx: { args: ['int', 'void *', 'int', 'uint', 'void *'], syscall: { x64: 332, arm64: 291 } },
    openat: { args: ['int', 'void *', 'int', 'uint'] },
    read: { result: 'int64', args: ['int', 'void *', 'uint64'] },
    write: { result: 'int64', args: ['int', 'void *', 'uint64'] },
    close: { args: ['int'] },
    fchmod: { args: ['int', 'uint'] },
    futimens: { args: ['int', 'void *'] },
    flistxattr: { result: 'int64', args: ['int', 'void *', 'uint64'] },
    unlinkat: { args: ['int', 'void *', 'int'] },
  });
  const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW = 0, O_NONBLOCK, O_NOCTTY } = constants;
  const reading = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | 0o2000000;
  const making = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | 0o2000000;
  // struct statx, before and after: 32-bit words are read faster than through a DataView.
  const before = new Int32Array(64);
  const after = new Int32Array(64);
  const beforeBytes = new Uint8Array(before.buffer);
  const afterBytes = new Uint8Array(after.buffer);
  // Two struct timespec.
  const times = new Int32Array(8);
  const timesBytes = new Uint8Array(times.buffer);

  /** Words of struct statx: attributes beside, size, blocks, times. */
  function isPlain(most: number, { keep, owner, links }: SmallWish): boolean {
    const size = before[10]!;
    if ((before[7]! & 0o170000) !== 0o100000 || before[11] !== 0 || size < 0 || size >= most) return false;
    if (size > 4096 && before[13] === 0 && (before[12]! >>> 0) * 512 < size) return false;
    if ((links && before[4] !== 1) || (keep && (before[7]! & 0o6000) !== 0)) return false;
    return owner === null || (before[5]! >>> 0 === owner.uid && before[6]! >>> 0 === owner.gid);
  }

  /** Size and time of the last change of content. */
  const isSame = (): boolean =>
    before[10] === after[10] && before[28] === after[28] && before[29] === after[29] && before[30] === after[30];

  function dress(fd: number): boolean {
    if (c.fchmod(fd, before[7]! & 0o1777) < 0) return false;
    times[0] = before[16]!;
    times[1] = before[17]!;
    times[2] = before[18]!;
    times[4] = before[28]!;
    times[5] = before[29]!;
    times[6] = before[30]!;
    return c.futimens(fd, timesBytes) >= 0;
  }

  function fill(source: number, target: number, room: Buffer, { keep }: SmallWish): boolean {
    const size = before[10]!;
    if (size > 0 && c.write(target, room, size) !== size) return false;
    if (c.statx(source, emptyName, EMPTY_PATH, BASIC, afterBytes) < 0 || !isSame()) return false;
    return !keep || dress(target);
  }

  return {
    copy(from, to, name, room, wish) {
      const named = cString(name);
      const source = c.openat(from, named, reading, 0);
      if (source < 0) return -1;
      let done = false;
      if (
        c.statx(source, emptyName, EMPTY_PATH, BASIC, beforeBytes) >= 0 &&
        isPlain(room.length, wish) &&
        !(wish.xattrs && c.flistxattr(source, null, 0) !== 0) &&
        // One byte more than it should have: the answer shows the end of the file too.
        c.read(source, room, before[10]! + 1) === before[10]
      ) {
        const target = c.openat(to, named, making, wish.keep ? 0o600 : before[7]! & 0o777);
        if (target >= 0) {
          done = fill(source, target, room, wish);
          if (c.close(target) < 0) done = false;
          if (!done) c.unlinkat(to, named, 0);
        }
      }
      c.close(source);
      return done ? before[10]! : -1;
    },
    areAlike(one, other, name, owners, links) {
      const named = cString(name);
      return (
        c.statx(one, named, NO_FOLLOW, BASIC, beforeBytes) >= 0 &&
        c.statx(other, named, NO_FOLLOW, BASIC, afterBytes) >= 0 &&
        isSame() &&
        before[11] === after[11] &&
        (before[7]! & 0xffff) === (after[7]! & 0xffff) &&
        (before[7]! & 0o176000) === 0o100000 &&
        (!owners || (before[5] === after[5] && before[6] === after[6])) &&
        (!links || (before[4] === 1 && after[4] === 1))
      );
    },
  };
}
