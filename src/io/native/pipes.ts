// Pipes: their size, what waits in them, and bytes passed on without a copy (splice).

import { constants } from 'node:os';
import type { Libc } from './libc.js';
import { systemError } from './system-error.js';

export interface Pipes {
  /** pipe2(2), both ends closed on exec: what is given to a child as its stdin or stdout is a pipe there. */
  create(): { read: number; write: number };
  /** F_GETPIPE_SZ: capacity in bytes. Throws EBADF if this is no pipe. */
  capacity(fd: number): number;
  /** F_SETPIPE_SZ: ask for a capacity, and get the one given (rounded up to a power of two pages); EPERM beyond /proc/sys/fs/pipe-max-size. */
  setCapacity(fd: number, bytes: number): number;
  /** FIONREAD: bytes that wait to be read in a pipe, socket or terminal (of a file: from the offset to the end). */
  waiting(fd: number): number;
  /**
   * splice(2); one of the two must be a pipe. Bytes moved, 0 at end of file, null where it would block (with SPLICE_F_NONBLOCK the pipe
   * side never blocks; a file or a terminal may). An offset of null uses and moves the descriptor's own. EINVAL: these two cannot.
   */
  splice(from: number, fromOffset: number | null, to: number, toOffset: number | null, length: number): number | null;
  /** The same on a pool thread, waiting for as long as it takes; it cannot be cancelled (see `polling.wait`, which can). */
  spliceAsync(from: number, to: number, length: number): Promise<number>;
  /** O_NONBLOCK of the open file description, which other programs may share: read it, do not set it. */
  statusFlags(fd: number): number;
}

const move = 1;
const nonBlock = 2;
const more = 4;

export function pipes(libc: Libc): Pipes {
  const c = libc.functions({
    fcntl: { args: ['int', 'int', 'int64'] },
    ioctl: { args: ['int', 'uint64', 'void *'] },
    pipe2: { args: ['void *', 'int'] },
    splice: { result: 'int64', args: ['int', 'void *', 'int', 'void *', 'uint64', 'uint'] },
  });
  const count = Buffer.alloc(4);
  const offsets = Buffer.alloc(16);
  const fromPointer = offsets.subarray(0, 8);
  const toPointer = offsets.subarray(8, 16);

  function fcntl(fd: number, command: number, argument: number): number {
    const result = c.fcntl(fd, command, argument);
    if (result < 0) throw libc.error('fcntl');
    return result;
  }

  return {
    create() {
      const ends = Buffer.alloc(8);
      if (c.pipe2(ends, 0o2000000) < 0) throw libc.error('pipe2');
      return { read: ends.readInt32LE(0), write: ends.readInt32LE(4) };
    },
    capacity: (fd) => fcntl(fd, 1032, 0),
    setCapacity: (fd, bytes) => fcntl(fd, 1031, bytes),
    statusFlags: (fd) => fcntl(fd, 3, 0),
    waiting(fd) {
      if (c.ioctl(fd, 0x541b, count) < 0) throw libc.error('ioctl(FIONREAD)');
      return count.readInt32LE(0);
    },
    splice(from, fromOffset, to, toOffset, length) {
      if (fromOffset !== null) offsets.writeBigInt64LE(BigInt(fromOffset), 0);
      if (toOffset !== null) offsets.writeBigInt64LE(BigInt(toOffset), 8);
      const moved = c.splice(
        from,
        fromOffset === null ? null : fromPointer,
        to,
        toOffset === null ? null : toPointer,
        length,
        move | nonBlock | more,
      );
      if (moved >= 0) return moved;
      if (libc.errno() === constants.errno.EAGAIN) return null;
      throw libc.error('splice');
    },
    async spliceAsync(from, to, length) {
      for (;;) {
        const { result, errno } = await libc.onThread(c.splice, from, null, to, null, length, move | more);
        if (result >= 0) return result;
        if (errno !== constants.errno.EINTR) throw systemError(errno, 'splice');
      }
    },
  };
}
