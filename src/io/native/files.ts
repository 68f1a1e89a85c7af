// The rest of what Node lacks for files: exchange of names, locks, special files, whole-filesystem sync, raw reads and writes.

import { constants } from 'node:os';
import { cString } from './c-string.js';
import type { Libc } from './libc.js';
import { systemError } from './system-error.js';

type Path = string | Uint8Array;

export interface Files {
  /** renameat2(2) with RENAME_NOREPLACE: EEXIST instead of replacing. EINVAL: this filesystem cannot. */
  renameNoReplace(from: Path, to: Path): void;
  /** renameat2(2) with RENAME_EXCHANGE: both names must exist, and stand for each other's file from one moment to the next. */
  exchange(one: Path, other: Path): void;
  /** syncfs(2): writes out the filesystem that `fd` is on; errors since the descriptor was opened are told (Linux 5.8). May take long. */
  syncFilesystem(fd: number): void;
  syncFilesystemAsync(fd: number): Promise<void>;
  /** sync_file_range(2): what was written to the file is on its way to storage from here on, without waiting. No promise: fsync gives that. */
  startWriting(fd: number): void;
  /** flock(2) without waiting: false where another open file holds it. The lock ends with the open file. */
  tryLock(fd: number, kind: 'shared' | 'exclusive'): boolean;
  /** The same, waiting on a pool thread; cannot be called off. */
  lockAsync(fd: number, kind: 'shared' | 'exclusive'): Promise<void>;
  unlock(fd: number): void;
  /**
   * Does any process have this regular file, open here for reading only, open for writing? Asked by a read lease, which the kernel
   * gives only where nobody has. Undefined: it cannot be asked (not our file, a filesystem without leases).
   */
  hasWriters(fd: number): boolean | undefined;
  /** read(2) at the descriptor's offset, or pread(2): bytes read, 0 at the end, null where it would block. Half the cost of fs.readSync. */
  read(fd: number, view: Uint8Array, length: number, offset?: number): number | null;
  /** write(2) or pwrite(2): bytes taken, maybe fewer than given; null where it would block. */
  write(fd: number, view: Uint8Array, length: number, offset?: number): number | null;
  /** close(2). An error is told (EIO, ENOSPC on NFS), but the descriptor is closed in any case. */
  close(fd: number): void;
  /** _exit(2): the process ends here: no handler, no waiting for a pool thread that is blocked. What is buffered is lost. */
  exitNow(status: number): never;
}

const here = -100;
/** Commands of fcntl(2) about leases (linux/fcntl.h). */
const [F_SETSIG, F_SETLEASE, F_RDLCK, F_UNLCK] = [10, 1024, 0, 2];

export function files(libc: Libc): Files {
  const c = libc.functions({
    renameat2: { args: ['int', 'void *', 'int', 'void *', 'uint'], syscall: { x64: 316, arm64: 276 } },
    syncfs: { args: ['int'] },
    sync_file_range: { args: ['int', 'int64', 'int64', 'uint'], syscall: { x64: 277, arm64: 84 } },
    flock: { args: ['int', 'int'] },
    fcntl: { args: ['int', 'int', 'int64'] },
    read: { result: 'int64', args: ['int', 'void *', 'uint64'] },
    pread: { result: 'int64', args: ['int', 'void *', 'uint64', 'int64'] },
    write: { result: 'int64', args: ['int', 'void *', 'uint64'] },
    pwrite: { result: 'int64', args: ['int', 'void *', 'uint64', 'int64'] },
    close: { args: ['int'] },
    _exit: { args: ['int'] },
  });
  const { EAGAIN, EINTR } = constants.errno;
  const operation = { shared: 1, exclusive: 2 } as const;

  function rename(from: Path, to: Path, flags: number): void {
    if (c.renameat2(here, cString(from, true), here, cString(to), flags) < 0) throw libc.error('renameat2', from, to);
  }

  return {
    renameNoReplace: (from, to) => rename(from, to, 1),
    exchange: (one, other) => rename(one, other, 2),
    syncFilesystem(fd) {
      if (c.syncfs(fd) < 0) throw libc.error('syncfs');
    },
    async syncFilesystemAsync(fd) {
      const { result, errno } = await libc.onThread(c.syncfs, fd);
      if (result < 0) throw systemError(errno, 'syncfs');
    },
    startWriting(fd) {
      // SYNC_FILE_RANGE_WRITE, to the file's end. Where it is refused nothing is lost.
      c.sync_file_range(fd, 0, 0, 2);
    },
    tryLock(fd, kind) {
      if (c.flock(fd, operation[kind] | 4) >= 0) return true;
      if (libc.errno() === EAGAIN) return false;
      throw libc.error('flock');
    },
    async lockAsync(fd, kind) {
      for (;;) {
        const { result, errno } = await libc.onThread(c.flock, fd, operation[kind]);
        if (result >= 0) return;
        if (errno !== EINTR) throw systemError(errno, 'flock');
      }
    },
    unlock(fd) {
      if (c.flock(fd, 8) < 0) throw libc.error('flock');
    },
    hasWriters(fd) {
      // A lease that is broken while we hold it is told by a signal: by SIGURG, which nobody dies of, instead of SIGIO.
      if (c.fcntl(fd, F_SETSIG, constants.signals.SIGURG) < 0) return undefined;
      if (c.fcntl(fd, F_SETLEASE, F_RDLCK) < 0) return libc.errno() === EAGAIN ? true : undefined;
      c.fcntl(fd, F_SETLEASE, F_UNLCK);
      return false;
    },
    read(fd, view, length, offset) {
      for (;;) {
        const got = offset === undefined ? c.read(fd, view, length) : c.pread(fd, view, length, offset);
        if (got >= 0) return got;
        const errno = libc.errno();
        if (errno === EAGAIN) return null;
        if (errno !== EINTR) throw systemError(errno, 'read');
      }
    },
    write(fd, view, length, offset) {
      for (;;) {
        const taken = offset === undefined ? c.write(fd, view, length) : c.pwrite(fd, view, length, offset);
        if (taken >= 0) return taken;
        const errno = libc.errno();
        if (errno === EAGAIN) return null;
        if (errno !== EINTR) throw systemError(errno, 'write');
      }
    },
    close(fd) {
      // Never again after EINTR: Linux has closed it, and the number may be someone else's by now.
      if (c.close(fd) < 0 && libc.errno() !== EINTR) throw libc.error('close');
    },
    exitNow(status) {
      c._exit(status);
      throw new Error('_exit returned');
    },
  };
}
