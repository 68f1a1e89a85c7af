// What reaches stable storage, and what can be promised of it: fsync of files and directories, and the file systems
// that keep nothing.

import { close, constants, fdatasync, fsync, open, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { spawnable } from './child-arguments.js';
import { failure, isSystemError, SluiceError } from './failure.js';
import { native } from './native.js';
import { fsPath } from './path.js';

const openAsync = promisify(open);
const fsyncAsync = promisify(fsync);
const closeAsync = promisify(close);

/**
 * What a successful fsync means: `durable`: content and name survive a power cut; `volatile`: nothing here survives
 * (memory); `unknown`: it is somebody else's promise (FUSE, some network file systems); `none`: not asked for.
 */
export type Durability = 'durable' | 'volatile' | 'unknown' | 'none';

/** Magic numbers of statfs(2) (linux/magic.h). */
const volatileTypes = new Set([0x01021994 /* tmpfs */, 0x858458f6 /* ramfs */, 0x958458f6 /* hugetlbfs */]);
const unknownTypes = new Set([
  0x65735546 /* fuse */, 0x01021997 /* 9p */, 0xff534d42 /* cifs */, 0xfe534d42 /* smb2 */, 0x517b /* smb */,
  0x6a656a63 /* fakeowner */,
]);

/** What the file system under `path` can promise. */
export function storageOf(path: string): Exclude<Durability, 'none'> {
  try {
    const type = Number(statfsSync(fsPath(path)).type) >>> 0;
    return volatileTypes.has(type) ? 'volatile' : unknownTypes.has(type) ? 'unknown' : 'durable';
  } catch {
    return 'unknown';
  }
}

/** Content and size of an open file reach stable storage. Rejects with the system's error: never try that again. */
export async function fsyncFile(fd: number): Promise<void> {
  await fsyncAsync(fd);
}

/**
 * The names in a directory reach stable storage. Rejects with the system's error. Windows has no such call, and keeps
 * names by its journal: there it does nothing.
 */
export async function fsyncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const fd = await openAsync(fsPath(path), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await fsyncAsync(fd);
  } finally {
    await closeAsync(fd);
  }
}

/**
 * The file or directory of that name reaches stable storage: `data`: of a file the content alone. Rejects with the system's
 * error. What can be opened neither for reading nor for writing cannot be flushed.
 */
export async function fsyncPath(path: string, kind: 'file' | 'directory', data: boolean): Promise<void> {
  if (kind === 'directory') return fsyncDirectory(path);
  let fd: number;
  try {
    fd = await openAsync(fsPath(path), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (!isSystemError(error, 'EACCES')) throw error;
    fd = await openAsync(fsPath(path), constants.O_WRONLY | constants.O_NONBLOCK);
  }
  try {
    await (data ? promisify(fdatasync) : fsyncAsync)(fd);
  } finally {
    await closeAsync(fd);
  }
}

/**
 * All of the file system that `path` is on reaches stable storage: by syncfs(2), or by sync(1) where there are no native
 * calls. Rejects with the system's error; errors from before this began are told by Linux 5.8 and later only to those who
 * had a file open there then.
 */
export async function syncFilesystem(path: string): Promise<void> {
  const calls = native();
  if (!calls) return syncByCommand(path);
  const fd = await openAsync(fsPath(path), constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    await calls.files.syncFilesystemAsync(fd);
  } finally {
    await closeAsync(fd);
  }
}

async function syncByCommand(path: string): Promise<void> {
  const { spawn } = await import('node:child_process');
  const [file, ...args] = spawnable(['sync', '-f', '--', path]);
  const status = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(file!, args, { stdio: 'ignore' });
    child.on('error', reject);
    child.on('exit', resolve);
  }).catch(() => null);
  if (status !== 0)
    throw new SluiceError('there are no native calls here, and sync(1) cannot flush one file system', { path });
}

/** Throws, with `state`, where it cannot be promised that what is written at `path` survives a power cut. */
export async function insistOnDurability(path: string, state: string): Promise<void> {
  const directory = dirname(path);
  const storage = storageOf(directory);
  if (storage !== 'durable') {
    const why = storage === 'volatile' ? 'keeps nothing over a power cut' : 'promises nothing about a power cut';
    throw new SluiceError(`durability cannot be promised: this file system ${why}`, { path, state });
  }
  try {
    await fsyncDirectory(directory);
  } catch (error) {
    throw failure(error, { path: directory, state });
  }
}

export interface Confirmed {
  durability: Exclude<Durability, 'none'>;
  /** The names may not survive a power cut: the directory's fsync failed. */
  unconfirmed?: SluiceError;
}

/** The directory that holds `path`, after a change in it. What fails does not undo the change, and is told in the result. */
export async function confirmDirectory(path: string): Promise<Confirmed> {
  const directory = dirname(path);
  try {
    await fsyncDirectory(directory);
    return { durability: storageOf(directory) };
  } catch (error) {
    const state = 'the new file is in place, but its name may not survive a power cut';
    return { durability: 'unknown', unconfirmed: failure(error, { path: directory, state }) };
  }
}

/** Is the file system under `path` another machine's, whose processes nobody here can see? */
export function isRemote(path: string): boolean {
  try {
    const type = Number(statfsSync(fsPath(path)).type) >>> 0;
    return unknownTypes.has(type) || type === 0x6969 /* nfs */ || type === 0x00c36400; /* ceph */
  } catch {
    return true;
  }
}
