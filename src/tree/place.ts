// A directory held open, and what can be done to the names in it. Nothing here walks a path twice: a name is looked up in
// the open directory, so that no directory on the way can be swapped for a symlink; and no symlink in the last place is
// followed unless that is asked for. Through native calls, or through /proc/self/fd where there are none.

import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { isSystemError, SluiceError } from '../io/failure.js';
import { native } from '../io/native.js';
import { decodePath, fsPath } from '../io/path.js';
import { tempNameOf } from '../io/temp-name.js';
import { type Facts, type Kind, kindOf, mtimeNs } from './facts.js';

/** An open directory. `path` is what it was reached by: for messages, and for systems without /proc. */
export interface Place {
  readonly fd: number;
  readonly path: string;
}

/** `undefined` leaves a time as it is. */
export type Time = bigint | undefined;

/** Every call throws as Node's `fs` does. */
export interface Places {
  /** Nanoseconds below which times may differ after they were set: 0 where all digits are kept. */
  readonly blur: { after1970: number; before1970: number };
  openRoot(path: string): Place;
  openPlace(at: Place, name: string, follow: boolean): Place;
  close(place: Place): void;
  /** Calls `each` with every name but . and .., in no order, and what it is: 'unknown' where the file system does not say. */
  list(place: Place, each: (name: string, kind: Kind) => void): void;
  /** null where there is no such entry. */
  stat(at: Place, name: string, follow?: boolean): Facts | null;
  statOpen(fd: number): Facts;
  /** `flags` are fs.constants'; O_NOFOLLOW and O_CLOEXEC are added. `follow` leaves out O_NOFOLLOW. */
  open(at: Place, name: string, flags: number, mode?: number, follow?: boolean): number;
  makeDirectory(at: Place, name: string, mode: number): void;
  unlink(at: Place, name: string): void;
  removeDirectory(at: Place, name: string): void;
  symlink(target: string, at: Place, name: string): void;
  readLink(at: Place, name: string): string;
  /** A hard link; EEXIST where the name is taken. */
  link(from: Place, fromName: string, to: Place, name: string): void;
  rename(from: Place, fromName: string, to: Place, name: string): void;
  makeFifo(at: Place, name: string, mode: number): void;
  makeDevice(at: Place, name: string, facts: Facts): void;
  /** Of a link, the link's own. */
  changeOwner(at: Place, name: string, uid: number, gid: number): void;
  /** Never of what a symlink leads to: one that is found is left alone (ELOOP). */
  changeMode(at: Place, name: string, mode: number): void;
  /** Bytes read, from the descriptor's offset on: 0 at the end. Of regular files. */
  read(fd: number, buffer: Buffer, length: number): number;
  /** All of the buffer's first `length` bytes are written. */
  write(fd: number, buffer: Buffer, length: number): void;
  closeFile(fd: number): void;
  /** Storage may begin to work on what was written: an fsync later waits less. */
  startWriting(fd: number): void;
  /** Permission bits of an open file. */
  changeOpenMode(fd: number, mode: number): void;
  /** By name, of a link its own; by descriptor with a number. */
  setTimes(at: Place, name: string, accessed: Time, modified: Time): void;
  setOpenTimes(fd: number, accessed: Time, modified: Time): void;
  /** A path for calls that take nothing else; good while the place is open. */
  pathOf(at: Place, name: string): string;
}

let found: Places | undefined;

/** The calls of this system, made once. */
export function places(): Places {
  found ??= nativePlaces() ?? portablePlaces();
  return found;
}

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW = 0, S_IFCHR, S_IFBLK } = fs.constants;
const O_CLOEXEC = process.platform === 'linux' ? 0o2000000 : 0;
const O_PATH = 0o10000000;
const linux = process.platform === 'linux';

function nativePlaces(): Places | null {
  const calls = native();
  if (!calls) return null;
  const { directories: dirs, files, times } = calls;
  const statx = dirs.newStatx();
  const batch = Buffer.allocUnsafeSlow(64 * 1024);
  const facts = (): Facts => {
    const mode = statx.mode;
    return {
      kind: kindOf(mode),
      mode: mode & 0o7777,
      uid: statx.uid,
      gid: statx.gid,
      size: statx.size,
      blocks: statx.blocks,
      nlink: statx.nlink,
      dev: statx.dev,
      ino: statx.ino,
      rdev: statx.rdev,
      seconds: statx.mtimeSeconds,
      nanoseconds: statx.mtimeNanoseconds,
      changedSeconds: statx.ctimeSeconds,
      changedNanoseconds: statx.ctimeNanoseconds,
      accessedSeconds: statx.atimeSeconds,
      accessedNanoseconds: statx.atimeNanoseconds,
    };
  };
  const openDirectory = (at: number, name: string, follow: boolean) =>
    dirs.open(at, name, O_RDONLY | O_DIRECTORY | (follow ? 0 : O_NOFOLLOW));
  return {
    ...shared,
    blur: { after1970: 0, before1970: 0 },
    openRoot: (path) => ({ fd: openDirectory(dirs.here, path, true), path }),
    openPlace: (at, name, follow) => ({ fd: openDirectory(at.fd, name, follow), path: join(at.path, name) }),
    close: ({ fd }) => files.close(fd),
    list(place, each) {
      // Opened anew, so that it can be listed again: entries are read from the descriptor's own offset on.
      const fd = openDirectory(place.fd, '.', false);
      try {
        dirs.entries(fd, batch, each);
      } finally {
        files.close(fd);
      }
    },
    stat: (at, name, follow = false) => (dirs.statIfExists(at.fd, name, statx, follow) ? facts() : null),
    statOpen(fd) {
      dirs.stat(fd, '', statx);
      return facts();
    },
    open: (at, name, flags, mode, follow = false) => dirs.open(at.fd, name, flags | (follow ? 0 : O_NOFOLLOW), mode),
    makeDirectory: (at, name, mode) => dirs.makeDirectory(at.fd, name, mode),
    unlink: (at, name) => dirs.remove(at.fd, name),
    removeDirectory: (at, name) => dirs.remove(at.fd, name, true),
    symlink: (target, at, name) => dirs.symlink(target, at.fd, name),
    readLink: (at, name) => dirs.readLink(at.fd, name),
    link: (from, fromName, to, name) => dirs.link(from.fd, fromName, to.fd, name),
    rename: (from, fromName, to, name) => dirs.rename(from.fd, fromName, to.fd, name),
    makeFifo: (at, name, mode) => dirs.makeFifo(at.fd, name, mode),
    makeDevice(at, name, { kind, mode, rdev }) {
      dirs.makeDevice(at.fd, name, kind === 'block' ? S_IFBLK : S_IFCHR, mode & 0o700, rdev);
    },
    read: (fd, buffer, length) => files.read(fd, buffer, length) ?? 0,
    write(fd, buffer, length) {
      let at = files.write(fd, buffer, length) ?? 0;
      while (at < length) at += files.write(fd, buffer.subarray(at), length - at) ?? 0;
    },
    closeFile: (fd) => files.close(fd),
    startWriting: (fd) => files.startWriting(fd),
    changeOwner: (at, name, uid, gid) => dirs.changeOwner(at.fd, name, uid, gid),
    setTimes: (at, name, accessed, modified) => times.set(name, accessed, modified, at.fd),
    setOpenTimes: (fd, accessed, modified) => times.set(fd, accessed, modified),
  };
}

/** What is the same with native calls and without. */
const shared = {
  changeOpenMode: (fd: number, mode: number): void => fs.fchmodSync(fd, mode),
  changeMode(at: Place, name: string, mode: number): void {
    if (!linux) {
      fs.lchmodSync(fsPath(join(at.path, name)), mode);
      return;
    }
    // O_PATH needs no permission on the file itself, and the link in /proc leads to it and nowhere else.
    const fd = fs.openSync(fsPath(procPath(at, name)), O_PATH | O_NOFOLLOW | O_CLOEXEC);
    try {
      if (fs.fstatSync(fd).isSymbolicLink())
        throw Object.assign(new Error('ELOOP: is a symlink'), { code: 'ELOOP', errno: -40, syscall: 'chmod' });
      fs.chmodSync(`/proc/self/fd/${fd}`, mode);
    } finally {
      fs.closeSync(fd);
    }
  },
  pathOf: procPath,
};

function procPath(at: Place, name: string): string {
  return linux ? `/proc/self/fd/${at.fd}/${name}` : join(at.path, name);
}

function direntKind(entry: fs.Dirent<Buffer>): Kind {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'directory';
  return entry.isSymbolicLink() ? 'symlink' : 'unknown';
}

// As glibc puts the two into one.
const major = (device: number): number => Math.floor(device / 256) % 4096;
const minor = (device: number): number => (device % 256) + Math.floor(device / 2 ** 20) * 256;

/** Node has no call for it; the program takes a name that is plain text, and so gets one of its own first. */
function makeNode(at: Place, name: string, mode: number, ...kind: string[]): void {
  const plain = tempNameOf('node');
  const { error, stderr } = spawnSync('mknod', ['-m', mode.toString(8), '--', `./${plain}`, ...kind], {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: linux ? `/proc/self/fd/${at.fd}` : at.path,
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  if (error) throw error;
  try {
    fs.renameSync(fsPath(procPath(at, plain)), fsPath(procPath(at, name)));
  } catch {
    throw new SluiceError(`cannot be made: ${stderr.trim() || 'mknod failed'}`);
  }
}

function portablePlaces(): Places {
  const path = (at: Place, name: string) => fsPath(procPath(at, name));
  const facts = (stat: fs.BigIntStats): Facts => {
    const split = (ns: bigint) => {
      const rest = Number(((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n);
      return [Number((ns - BigInt(rest)) / 1_000_000_000n), rest] as const;
    };
    const [seconds, nanoseconds] = split(stat.mtimeNs);
    const [changedSeconds, changedNanoseconds] = split(stat.ctimeNs);
    const [accessedSeconds, accessedNanoseconds] = split(stat.atimeNs);
    return {
      kind: kindOf(Number(stat.mode)),
      mode: Number(stat.mode) & 0o7777,
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      size: Number(stat.size),
      blocks: Number(stat.blocks),
      nlink: Number(stat.nlink),
      dev: Number(stat.dev),
      ino: Number(stat.ino),
      rdev: Number(stat.rdev),
      seconds,
      nanoseconds,
      changedSeconds,
      changedNanoseconds,
      accessedSeconds,
      accessedNanoseconds,
    };
  };
  const openDirectory = (name: string | Buffer, follow: boolean) =>
    fs.openSync(name, O_RDONLY | O_DIRECTORY | (follow ? 0 : O_NOFOLLOW) | O_CLOEXEC);
  const known = (at: Place, name: string): Facts =>
    facts(fs.lstatSync(path(at, name), { bigint: true }) as fs.BigIntStats);
  /** Node's times are doubles (microseconds), and before 1970 a Date (milliseconds): a negative number means now. */
  const asNode = (ns: bigint): number | Date =>
    ns < 0n ? new Date(Number((ns - 999_999n) / 1_000_000n)) : Number(ns / 1000n) / 1e6;
  return {
    ...shared,
    blur: { after1970: 2000, before1970: 1_000_000 },
    openRoot: (root) => ({ fd: openDirectory(fsPath(root), true), path: root }),
    openPlace: (at, name, follow) => ({ fd: openDirectory(path(at, name), follow), path: join(at.path, name) }),
    close: ({ fd }) => fs.closeSync(fd),
    list(place, each) {
      for (const entry of fs.readdirSync(path(place, '.'), { encoding: 'buffer', withFileTypes: true }))
        each(decodePath(entry.name), direntKind(entry));
    },
    stat(at, name, follow = false) {
      try {
        const stat = (follow ? fs.statSync : fs.lstatSync)(path(at, name), { bigint: true, throwIfNoEntry: false });
        return stat ? facts(stat) : null;
      } catch (error) {
        if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return null;
        throw error;
      }
    },
    statOpen: (fd) => facts(fs.fstatSync(fd, { bigint: true })),
    open: (at, name, flags, mode, follow = false) =>
      fs.openSync(path(at, name), flags | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW), mode),
    makeDirectory: (at, name, mode) => fs.mkdirSync(path(at, name), mode),
    unlink: (at, name) => fs.unlinkSync(path(at, name)),
    removeDirectory: (at, name) => fs.rmdirSync(path(at, name)),
    symlink: (target, at, name) => fs.symlinkSync(fsPath(target), path(at, name)),
    readLink: (at, name) => decodePath(fs.readlinkSync(path(at, name), { encoding: 'buffer' })),
    link: (from, fromName, to, name) => fs.linkSync(path(from, fromName), path(to, name)),
    rename: (from, fromName, to, name) => fs.renameSync(path(from, fromName), path(to, name)),
    makeFifo: (at, name, mode) => makeNode(at, name, mode, 'p'),
    makeDevice: (at, name, { kind, mode, rdev }) =>
      makeNode(at, name, mode & 0o700, kind === 'block' ? 'b' : 'c', String(major(rdev)), String(minor(rdev))),
    read: (fd, buffer, length) => fs.readSync(fd, buffer, 0, length, null),
    write(fd, buffer, length) {
      for (let at = 0; at < length; ) at += fs.writeSync(fd, buffer, at, length - at, null);
    },
    closeFile: (fd) => fs.closeSync(fd),
    startWriting() {},
    changeOwner: (at, name, uid, gid) => fs.lchownSync(path(at, name), uid, gid),
    setTimes(at, name, accessed, modified) {
      const now = accessed === undefined || modified === undefined ? known(at, name) : undefined;
      fs.lutimesSync(path(at, name), asNode(accessed ?? mtimeNs(now!)), asNode(modified ?? mtimeNs(now!)));
    },
    setOpenTimes(fd, accessed, modified) {
      const now = modified === undefined ? facts(fs.fstatSync(fd, { bigint: true })) : undefined;
      fs.futimesSync(fd, accessed === undefined ? new Date() : asNode(accessed), asNode(modified ?? mtimeNs(now!)));
    },
  };
}
