// Bytes moved and room made by the kernel: copy_file_range, reflinks, holes, preallocation, hints about the page cache.

import { constants } from 'node:os';
import type { Libc } from './libc.js';

export interface Copying {
  /**
   * copy_file_range(2): bytes copied, maybe fewer than asked, 0 at the source's end (or, as the first answer, from files such as
   * those of /proc whose size is not known: read those instead). Blocks for as long as it copies: ask for what takes ~20 ms.
   * An offset of null uses and moves the descriptor's own.
   */
  copyFileRange(from: number, fromOffset: number | null, to: number, toOffset: number | null, length: number): number;
  /** FICLONE: make all of `to` share `from`'s extents. Throws EOPNOTSUPP, EXDEV, EINVAL, ETXTBSY … where that can't be. */
  clone(from: number, to: number): void;
  /** FICLONERANGE: the same for block-aligned ranges; length 0 means up to `from`'s end. */
  cloneRange(from: number, fromOffset: number, length: number, to: number, toOffset: number): void;
  /** Where data begins at or after `offset`; null if only a hole follows (or `offset` is past the end). Moves the descriptor's offset. */
  seekData(fd: number, offset: number): number | null;
  /** Where a hole begins at or after `offset`; the end of the file is one; null if `offset` is past the end. Moves the descriptor's offset. */
  seekHole(fd: number, offset: number): number | null;
  /** lseek(2): the new offset. */
  seek(fd: number, offset: number, whence: 0 | 1 | 2): number;
  /** fallocate(2): room on disk, so that ENOSPC comes now. Throws EOPNOTSUPP where the filesystem cannot. */
  allocate(fd: number, offset: number, length: number, keepSize: boolean): void;
  /** fallocate(FALLOC_FL_PUNCH_HOLE): free these bytes, which then read as zeros. */
  punchHole(fd: number, offset: number, length: number): void;
  /** posix_fadvise(2); length 0 means to the end. `dontneed` drops only clean pages: fsync first. */
  advise(fd: number, offset: number, length: number, advice: keyof typeof advices): void;
  /** sync_file_range(SYNC_FILE_RANGE_WRITE): begin writing these dirty pages out, without waiting and without any promise. */
  startWriteback(fd: number, offset: number, length: number): void;
}

const advices = { normal: 0, random: 1, sequential: 2, willneed: 3, dontneed: 4, noreuse: 5 } as const;

export function copying(libc: Libc): Copying {
  const c = libc.functions({
    copy_file_range: {
      result: 'int64',
      args: ['int', 'void *', 'int', 'void *', 'uint64', 'uint'],
      syscall: { x64: 326, arm64: 285 },
    },
    ioctl: { args: ['int', 'uint64', 'void *'] },
    lseek: { result: 'int64', args: ['int', 'int64', 'int'] },
    fallocate: { args: ['int', 'int', 'int64', 'int64'] },
    posix_fadvise: { args: ['int', 'int64', 'int64', 'int'] },
    sync_file_range: { args: ['int', 'int64', 'int64', 'uint'] },
  });
  // FICLONE's argument is a number, not a pointer.
  const { ioctl: ioctlNumber } = libc.functions({ ioctl: { args: ['int', 'uint64', 'int64'] } });
  const offsets = Buffer.alloc(16);
  const fromPointer = offsets.subarray(0, 8);
  const toPointer = offsets.subarray(8, 16);
  const range = Buffer.alloc(32);

  function find(fd: number, offset: number, whence: 3 | 4): number | null {
    const found = c.lseek(fd, offset, whence);
    if (found >= 0) return Number(found);
    if (libc.errno() === constants.errno.ENXIO) return null;
    throw libc.error('lseek');
  }

  return {
    copyFileRange(from, fromOffset, to, toOffset, length) {
      if (fromOffset !== null) writeInt64(offsets, fromOffset, 0);
      if (toOffset !== null) writeInt64(offsets, toOffset, 8);
      const copied = c.copy_file_range(
        from,
        fromOffset === null ? null : fromPointer,
        to,
        toOffset === null ? null : toPointer,
        length,
        0,
      );
      if (copied < 0) throw libc.error('copy_file_range');
      return copied;
    },
    clone(from, to) {
      if (ioctlNumber(to, 0x4004_9409, from) < 0) throw libc.error('ioctl(FICLONE)');
    },
    cloneRange(from, fromOffset, length, to, toOffset) {
      for (const [i, value] of [from, fromOffset, length, toOffset].entries()) writeInt64(range, value, i * 8);
      if (c.ioctl(to, 0x4020_940d, range) < 0) throw libc.error('ioctl(FICLONERANGE)');
    },
    seekData: (fd, offset) => find(fd, offset, 3),
    seekHole: (fd, offset) => find(fd, offset, 4),
    seek(fd, offset, whence) {
      const at = c.lseek(fd, offset, whence);
      if (at < 0) throw libc.error('lseek');
      return Number(at);
    },
    allocate(fd, offset, length, keepSize) {
      if (c.fallocate(fd, keepSize ? 1 : 0, offset, length) < 0) throw libc.error('fallocate');
    },
    punchHole(fd, offset, length) {
      if (c.fallocate(fd, 1 | 2, offset, length) < 0) throw libc.error('fallocate');
    },
    advise(fd, offset, length, advice) {
      // The one call that returns its error number instead of setting errno; a pipe's ESPIPE says only that a hint is of no use.
      c.posix_fadvise(fd, offset, length, advices[advice]);
    },
    startWriteback(fd, offset, length) {
      if (c.sync_file_range(fd, offset, length, 2) < 0) throw libc.error('sync_file_range');
    },
  };
}

/** A whole number below 2^53 as a little-endian int64, without a bigint. */
function writeInt64(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt32LE(value % 0x1_0000_0000, at);
  buffer.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}
