// What a file is: the facts of its name, its inode and where it lies, then, for a regular file, of its bytes.
// FIFOs, devices and sockets are never opened.

import {
  accessSync,
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  statSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { failure, isSystemError, type SluiceError } from '../io/failure.js';
import { native } from '../io/native.js';
import { decodePath, encodePath, fsPath, realPath } from '../io/path.js';
import { type Known, unknown } from './certainty.js';
import { type FilesystemFacts, filesystemOf } from './mounts.js';
import { identityKey, type Openers } from './openers.js';
import { noStorage, type StorageFacts, storageFacts, stretches } from './storage-facts.js';
import { type TextFacts, textFacts, unreadText, wouldBlock } from './text-facts.js';

export type FileKind =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'fifo'
  | 'socket'
  | 'character device'
  | 'block device'
  | 'unknown';

export interface FileFacts extends StorageFacts, TextFacts {
  type: 'file';
  path: string;
  /** Of what the symlinks lead to; `symlink` where they lead nowhere. */
  kind: FileKind;
  /** Each symlink on the way and what it says, the first one `path` itself. */
  symlinks: { path: string; target: string; targetBytes?: string }[];
  /** Where the last one leads, if that does not exist, or why it cannot be followed. */
  dangling: string | false;
  realPath: Known<string>;
  size: number;
  allocated: number;
  links: number;
  device: string;
  inode: number | string;
  /** Of devices: major:minor. */
  deviceNumber?: string;
  /** Permissions, octal. */
  mode: string;
  permissions: string;
  owner: { uid: number; user: Known<string>; gid: number; group: Known<string> };
  readable: boolean;
  writable: boolean;
  /** ISO 8601 in UTC, to the nanosecond. */
  times: { modified: string; changed: string; accessed: string; created: Known<string> };
  filesystem: Known<FilesystemFacts>;
  /** What the file system likes to be read and written in (st_blksize). */
  blockSize: number;
  recommendedBufferSize: number;
  openedBy: Known<Openers>;
}

/** A file, as far as names and inodes tell. */
export interface Located {
  path: string;
  symlinks: FileFacts['symlinks'];
  dangling: string | false;
  stat: BigIntStats;
}

/** Default buffer: 128 KiB, or the file's block size if that is larger, up to 8 MiB. */
const recommended = (blockSize: number): number => Math.min(Math.max(128 * 1024, blockSize), 8 * 1024 * 1024);

/** Follow `path` to what it is. Throws the system's error where there is no such name, or it may not be looked at. */
export function locate(path: string): Located {
  const symlinks: FileFacts['symlinks'] = [];
  let at = path;
  let stat = lstatSync(fsPath(at), { bigint: true });
  while (stat.isSymbolicLink()) {
    const bytes = readlinkSync(fsPath(at), { encoding: 'buffer' });
    const target = decodePath(bytes);
    symlinks.push({
      path: at,
      target,
      ...(!target.isWellFormed() && { targetBytes: encodePath(target).toString('base64') }),
    });
    // What the target is relative to is the link's own folder, by its real name.
    const next = target.startsWith('/') ? target : resolve(realPathOf(dirname(at)) ?? dirname(at), target);
    try {
      // Ask the kernel first: links of /proc lead further than their text.
      const final = statSync(fsPath(at), { bigint: true });
      const found = entryAt(next);
      if (!found) return { path, symlinks, dangling: false, stat: final };
      stat = found;
      at = next;
    } catch (error) {
      if (isSystemError(error, 'ELOOP')) return { path, symlinks, dangling: 'the links lead in a circle', stat };
      const found = entryAt(next);
      if (isSystemError(error, 'ENOENT', 'ENOTDIR') && !found)
        return { path, symlinks, dangling: `there is no ${next}`, stat };
      if (!found) throw error;
      stat = found;
      at = next;
    }
  }
  return { path, symlinks, dangling: false, stat };
}

/** Undefined: there is none. */
function entryAt(path: string): BigIntStats | undefined {
  try {
    return lstatSync(fsPath(path), { bigint: true });
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** The facts, and the error if its content could not be read. */
export async function fileFacts(
  located: Located,
  options: { quick: boolean; openers: Known<Map<string, Openers>>; onBytes?: (count: number, total: number) => void },
): Promise<{ facts: FileFacts; error: SluiceError | undefined }> {
  const { path, symlinks, dangling, stat } = located;
  const { openers } = options;
  const kind = kindOf(stat);
  const base = {
    type: 'file' as const,
    path,
    kind,
    symlinks,
    dangling,
    realPath: realPathOf(path) ?? unknown(dangling === false ? 'not permitted' : dangling),
    size: Number(stat.size),
    allocated: Number(stat.blocks) * 512,
    links: Number(stat.nlink),
    device: `${major(stat.dev)}:${minor(stat.dev)}`,
    inode: stat.ino <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(stat.ino) : String(stat.ino),
    ...(kind.endsWith('device') && { deviceNumber: `${major(stat.rdev)}:${minor(stat.rdev)}` }),
    mode: (Number(stat.mode) & 0o7777).toString(8).padStart(4, '0'),
    permissions: permissionsOf(Number(stat.mode)),
    owner: ownerOf(stat),
    readable: dangling === false && may(path, constants.R_OK),
    writable: dangling === false && may(path, constants.W_OK),
    times: {
      modified: timeOf(stat.mtimeNs),
      changed: timeOf(stat.ctimeNs),
      accessed: timeOf(stat.atimeNs),
      created: stat.birthtimeNs > 0n ? timeOf(stat.birthtimeNs) : unknown('this file system keeps none'),
    },
    filesystem: filesystemOf(path, dangling === false),
    blockSize: Number(stat.blksize),
    recommendedBufferSize: recommended(Number(stat.blksize)),
    openedBy: openers instanceof Map ? (openers.get(identityKey(stat)) ?? unknown('not looked for')) : openers,
  };
  if (kind !== 'file') {
    const reason = `a ${kind} has no bytes of its own to look at`;
    return { facts: { ...base, ...noStorage(reason), ...unreadText(reason) }, error: undefined };
  }
  try {
    return { facts: { ...base, ...(await bytesOf(path, stat, options)) }, error: undefined };
  } catch (error) {
    const reason = wouldBlock(error) ? 'reading it would block' : failure(error).message;
    const facts = { ...base, ...noStorage(reason), ...unreadText(reason) };
    return {
      facts,
      error: wouldBlock(error) ? undefined : failure(error, { path, state: 'only what its inode tells is known' }),
    };
  }
}

async function bytesOf(
  path: string,
  stat: BigIntStats,
  { quick, onBytes }: { quick: boolean; onBytes?: (count: number, total: number) => void },
): Promise<StorageFacts & TextFacts> {
  const fd = openToRead(path);
  try {
    const now = fstatSync(fd, { bigint: true });
    if (now.dev !== stat.dev || now.ino !== stat.ino)
      throw new Error('it was replaced by another file while it was looked at');
    const size = Number(now.size);
    const allocated = Number(now.blocks) * 512;
    // Before any byte is read: reading fills the cache.
    const storage = storageFacts(fd, size, allocated);
    const sparse = size > 0 && allocated < size;
    const huge = sparse && size - allocated > 2 ** 30;
    if (huge && !quick && !native()) {
      const reason = 'a sparse file of this size is looked at only where its holes can be found: needs native calls';
      return { ...storage, ...unreadText(reason) };
    }
    const text = await textFacts(fd, {
      quick,
      stretches: sparse && native() ? stretches(fd, size) : undefined,
      ...(onBytes && { onBytes: (count: number) => onBytes(count, size) }),
    });
    return { ...storage, ...text };
  } finally {
    closeSync(fd);
  }
}

/** Without waiting for a FIFO that may stand there by now, and, where we may, without changing the time of last access. */
function openToRead(path: string): number {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
  try {
    return openSync(fsPath(path), flags | (constants.O_NOATIME ?? 0));
  } catch (error) {
    if (!isSystemError(error, 'EPERM')) throw error;
    return openSync(fsPath(path), flags);
  }
}

function kindOf(stat: BigIntStats): FileKind {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isFIFO()) return 'fifo';
  if (stat.isSocket()) return 'socket';
  if (stat.isCharacterDevice()) return 'character device';
  return stat.isBlockDevice() ? 'block device' : 'unknown';
}

/** As `ls -l` shows it. */
function permissionsOf(mode: number): string {
  const type = '?pc?d?b?-?l?s???'[mode >> 12]!;
  const bits = (shift: number, special: number, letter: string) => {
    const three = (mode >> shift) & 7;
    const execute = three & 1 ? (mode & special ? letter : 'x') : mode & special ? letter.toUpperCase() : '-';
    return (three & 4 ? 'r' : '-') + (three & 2 ? 'w' : '-') + execute;
  };
  return type + bits(6, 0o4000, 's') + bits(3, 0o2000, 's') + bits(0, 0o1000, 't');
}

function ownerOf(stat: BigIntStats): FileFacts['owner'] {
  const uid = Number(stat.uid);
  const gid = Number(stat.gid);
  return {
    uid,
    user: nameIn('/etc/passwd', uid) ?? unknown('no name for it in /etc/passwd'),
    gid,
    group: nameIn('/etc/group', gid) ?? unknown('no name for it in /etc/group'),
  };
}

const accounts = new Map<string, Map<number, string>>();

function nameIn(file: string, id: number): string | undefined {
  let names = accounts.get(file);
  if (!names) {
    names = new Map();
    try {
      for (const line of readFileSync(file, 'utf8').split('\n')) {
        const [name, , number] = line.split(':');
        if (number && !names.has(Number(number))) names.set(Number(number), name!);
      }
    } catch {
      // Then there are no names.
    }
    accounts.set(file, names);
  }
  return names.get(id);
}

function may(path: string, how: number): boolean {
  try {
    accessSync(fsPath(path), how);
    return true;
  } catch {
    return false;
  }
}

function realPathOf(path: string): string | undefined {
  try {
    return realPath(path);
  } catch {
    return undefined;
  }
}

/** ISO 8601 in UTC with nine decimals. */
function timeOf(ns: bigint): string {
  const fraction = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const seconds = Number((ns - fraction) / 1_000_000_000n);
  if (Math.abs(seconds) > 8.64e12) return `${seconds}.${String(fraction).padStart(9, '0')} s after 1970`;
  return `${new Date(seconds * 1000).toISOString().slice(0, -5)}.${String(fraction).padStart(9, '0')}Z`;
}

const major = (dev: bigint): number => Number(((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n));
const minor = (dev: bigint): number => Number((dev & 0xffn) | ((dev >> 12n) & 0xffffff00n));
