// Files by name relative to an open directory: no path is walked again, and no directory on the way can be swapped for a
// symlink. Made for walks of 100,000 files: a stat costs half of fs.lstatSync's.

import { constants as fsConstants, fstatSync, lstatSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { decodePath, encodePath } from '../path.js';
import { cString } from './c-string.js';
import type { Libc } from './libc.js';
import { Statx } from './statx.js';
import { systemError } from './system-error.js';

type Name = string | Uint8Array;

/** d_type of a directory entry. Some filesystems say `unknown`: stat then. */
export type EntryType = 'unknown' | 'fifo' | 'character' | 'directory' | 'block' | 'file' | 'symlink' | 'socket';

/**
 * `directory` is a descriptor, or `here` for the working directory (and for paths from the root). A name is a string that can hold any
 * bytes (path.ts), or bytes; bytes that end in NUL are taken as they lie. No call follows a symlink in the last place unless it says so.
 */
export interface Directories {
  /** AT_FDCWD. */
  readonly here: number;
  /** A buffer for `stat`: make one, use it for every file. */
  newStatx(): Statx;
  /** statx(2) into `into`. `follow` follows a symlink in the last place. An empty name asks about the descriptor itself. */
  stat(directory: number, name: Name, into: Statx, follow?: boolean): void;
  /** The same, but false where there's no such file (ENOENT, ENOTDIR), without the cost of an exception. */
  statIfExists(directory: number, name: Name, into: Statx, follow?: boolean): boolean;
  /** openat(2) with O_CLOEXEC added; `flags` are fs.constants'. Give O_NOFOLLOW unless links may be followed. */
  open(directory: number, name: Name, flags: number, mode?: number): number;
  /** A directory's descriptor, for reading and as the `directory` here: O_RDONLY | O_DIRECTORY | O_NOFOLLOW. */
  openDirectory(directory: number, name: Name): number;
  /**
   * getdents64(2) in batches as large as `buffer` (64 KiB is good): `each` is called for every entry but . and .., in the directory's own
   * order. It reads from the descriptor's offset on, so that a descriptor can be read once.
   */
  entries(directory: number, buffer: Buffer, each: (name: string, type: EntryType) => void): void;
  makeDirectory(directory: number, name: Name, mode: number): void;
  /** dup3(2): `descriptor` is closed, and stands for what `other` has open. */
  reopen(descriptor: number, other: number): void;
  /** unlinkat(2); with `isDirectory` rmdir. */
  remove(directory: number, name: Name, isDirectory?: boolean): void;
  symlink(target: Name, directory: number, name: Name): void;
  readLink(directory: number, name: Name): string;
  /** linkat(2): `name` becomes a hard link; a symlink itself is linked, not its target. */
  link(fromDirectory: number, from: Name, directory: number, name: Name): void;
  /** renameat2(2); `noReplace` gives EEXIST instead of replacing, `exchange` swaps the two. */
  rename(fromDirectory: number, from: Name, directory: number, name: Name, how?: 'noReplace' | 'exchange'): void;
  /** fchownat(AT_SYMLINK_NOFOLLOW): of a link, the link's own. -1 leaves one as it is. */
  changeOwner(directory: number, name: Name, uid: number, gid: number): void;
  /** fchmodat(2). Linux cannot do this to a symlink and follows it: for files known to be none. */
  changeMode(directory: number, name: Name, mode: number): void;
  makeFifo(directory: number, name: Name, mode: number): void;
  /** mknodat(2) of a device: `type` is fs.constants.S_IFCHR or S_IFBLK, `device` is a Stats' rdev. Root's. */
  makeDevice(directory: number, name: Name, type: number, mode: number, device: number): void;
}

const here = -100;
const emptyPath = 0x1000;
const noFollow = 0x100;
const basicAndBirth = 0xfff;
const closeOnExec = 0o2000000;
const types: readonly EntryType[] = [
  ...(['unknown', 'fifo', 'character', 'unknown', 'directory', 'unknown', 'block', 'unknown'] as const),
  ...(['file', 'unknown', 'symlink', 'unknown', 'socket', 'unknown', 'unknown', 'unknown'] as const),
];

export function directories(libc: Libc): Directories {
  const c = libc.functions({
    statx: { args: ['int', 'void *', 'int', 'uint', 'void *'], syscall: { x64: 332, arm64: 291 } },
    openat: { args: ['int', 'void *', 'int', 'uint'] },
    getdents64: { result: 'int64', args: ['int', 'void *', 'uint64'], syscall: { x64: 217, arm64: 61 } },
    dup3: { args: ['int', 'int', 'int'] },
    mkdirat: { args: ['int', 'void *', 'uint'] },
    unlinkat: { args: ['int', 'void *', 'int'] },
    symlinkat: { args: ['void *', 'int', 'void *'] },
    readlinkat: { result: 'int64', args: ['int', 'void *', 'void *', 'uint64'] },
    linkat: { args: ['int', 'void *', 'int', 'void *', 'int'] },
    renameat2: { args: ['int', 'void *', 'int', 'void *', 'uint'], syscall: { x64: 316, arm64: 276 } },
    fchownat: { args: ['int', 'void *', 'uint', 'uint', 'int'] },
    fchmodat: { args: ['int', 'void *', 'uint', 'int'] },
    mknodat: { args: ['int', 'void *', 'uint', 'uint64'], syscall: { x64: 259, arm64: 33 } },
  });
  const { ENOENT, ENOTDIR, EINTR, ENOSYS, EPERM } = constants.errno;
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_CREAT, S_IFIFO } = fsConstants;
  const room = Buffer.alloc(4096);

  /** 0, or the errno. */
  function statx(directory: number, name: Name, into: Statx, follow: boolean): number {
    const flags = (follow ? 0 : noFollow) | (name.length === 0 ? emptyPath : 0);
    if (c.statx(directory, cString(name), flags, basicAndBirth, into.bytes) >= 0) return 0;
    const errno = libc.errno();
    return errno === ENOSYS || errno === EPERM ? statWithout(directory, name, into, follow) : errno;
  }

  /** A sandbox that refuses statx lets Node's fs through: libuv knows older calls. */
  function statWithout(directory: number, name: Name, into: Statx, follow: boolean): number {
    try {
      if (name.length === 0) {
        into.fill(fstatSync(directory, { bigint: true }));
      } else {
        const bytes = Buffer.from(typeof name === 'string' ? encodePath(name) : name.subarray(0, nulOrEnd(name)));
        const relative = directory !== here && bytes[0] !== 0x2f;
        const path = relative ? Buffer.concat([Buffer.from(`/proc/self/fd/${directory}/`), bytes]) : bytes;
        into.fill((follow ? statSync : lstatSync)(path, { bigint: true }));
      }
      return 0;
    } catch (error) {
      const { errno } = error as NodeJS.ErrnoException;
      if (errno === undefined) throw error;
      return -errno;
    }
  }

  function open(directory: number, name: Name, flags: number, mode = 0o666): number {
    for (;;) {
      const fd = c.openat(directory, cString(name), flags | closeOnExec, flags & O_CREAT ? mode : 0);
      if (fd >= 0) return fd;
      const errno = libc.errno();
      if (errno !== EINTR) throw systemError(errno, 'open', name);
    }
  }

  function makeNode(directory: number, name: Name, mode: number, device: number): void {
    if (c.mknodat(directory, cString(name), mode, device) < 0) throw libc.error('mknod', name);
  }

  return {
    here,
    newStatx: () => new Statx(),
    stat(directory, name, into, follow = false) {
      const errno = statx(directory, name, into, follow);
      if (errno !== 0) throw systemError(errno, 'statx', name);
    },
    statIfExists(directory, name, into, follow = false) {
      const errno = statx(directory, name, into, follow);
      if (errno === 0) return true;
      if (errno === ENOENT || errno === ENOTDIR) return false;
      throw systemError(errno, 'statx', name);
    },
    open,
    openDirectory: (directory, name) => open(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW),
    entries(directory, buffer, each) {
      // struct linux_dirent64: u64 ino, i64 offset, u16 length of the record, u8 type, name with NUL.
      for (;;) {
        const length = c.getdents64(directory, buffer, buffer.length);
        if (length < 0) throw libc.error('scandir');
        if (length === 0) return;
        // One string for the batch, of which names are slices: several times cheaper than to decode each for itself.
        const batch = buffer.toString('latin1', 0, length);
        for (let at = 0; at < length; ) {
          const next = at + (buffer[at + 16]! | (buffer[at + 17]! << 8));
          const start = at + 19;
          const end = batch.indexOf('\0', start);
          let name = batch.slice(start, end);
          if (!/^[\x01-\x7f]*$/.test(name)) name = decodePath(buffer.subarray(start, end));
          if (name !== '.' && name !== '..') each(name, types[buffer[at + 18]! & 15]!);
          at = next;
        }
      }
    },
    makeDirectory(directory, name, mode) {
      if (c.mkdirat(directory, cString(name), mode) < 0) throw libc.error('mkdir', name);
    },
    reopen(descriptor, other) {
      if (c.dup3(other, descriptor, closeOnExec) < 0) throw libc.error('dup3');
    },
    remove(directory, name, isDirectory = false) {
      if (c.unlinkat(directory, cString(name), isDirectory ? 0x200 : 0) < 0)
        throw libc.error(isDirectory ? 'rmdir' : 'unlink', name);
    },
    symlink(target, directory, name) {
      if (c.symlinkat(cString(target, true), directory, cString(name)) < 0) throw libc.error('symlink', target, name);
    },
    readLink(directory, name) {
      const length = c.readlinkat(directory, cString(name), room, room.length);
      if (length < 0) throw libc.error('readlink', name);
      return decodePath(room.subarray(0, length));
    },
    link(fromDirectory, from, directory, name) {
      if (c.linkat(fromDirectory, cString(from, true), directory, cString(name), 0) < 0)
        throw libc.error('link', from, name);
    },
    rename(fromDirectory, from, directory, name, how) {
      const flags = how === 'noReplace' ? 1 : how === 'exchange' ? 2 : 0;
      if (c.renameat2(fromDirectory, cString(from, true), directory, cString(name), flags) < 0)
        throw libc.error('rename', from, name);
    },
    changeOwner(directory, name, uid, gid) {
      if (c.fchownat(directory, cString(name), uid >>> 0, gid >>> 0, noFollow) < 0) throw libc.error('lchown', name);
    },
    changeMode(directory, name, mode) {
      if (c.fchmodat(directory, cString(name), mode, 0) < 0) throw libc.error('chmod', name);
    },
    makeFifo: (directory, name, mode) => makeNode(directory, name, S_IFIFO | mode, 0),
    makeDevice: (directory, name, type, mode, device) => makeNode(directory, name, type | mode, device),
  };
}

function nulOrEnd(name: Uint8Array): number {
  const nul = name.indexOf(0);
  return nul < 0 ? name.length : nul;
}
