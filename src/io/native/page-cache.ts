// What the kernel keeps of a file in memory: cachestat(2), or mincore(2) where that is missing.

import { accessSync, constants, fstatSync, statfsSync } from 'node:fs';
import type { Libc } from './libc.js';

/** Counted in pages of `pageSize` bytes; `dirty` and `writeback` are null where only mincore could be asked. */
export interface CachedPages {
  cached: number;
  dirty: number | null;
  writeback: number | null;
  pageSize: number;
}

export interface PageCache {
  /**
   * The whole file's pages. Null where the kernel would not tell the truth: mincore says "all cached" of a file that we neither own nor may
   * write, and cachestat says EPERM then.
   */
  of(fd: number): CachedPages | null;
}

/** Address space for mincore at a time: 1 GiB, which needs 256 KiB of answers. */
const window = 2 ** 30;
const overlay = 0x794c7630;

export function pageCache(libc: Libc): PageCache {
  const c = libc.functions({
    cachestat: { args: ['uint', 'void *', 'void *', 'uint'], syscall: { x64: 451, arm64: 451 } },
    mmap: { result: 'uint64', args: ['void *', 'uint64', 'int', 'int', 'int', 'int64'] },
    munmap: { args: ['uint64', 'uint64'] },
    mincore: { args: ['uint64', 'uint64', 'void *'] },
    getpagesize: { args: [] },
  });

  function mayAsk(fd: number): boolean {
    if (fstatSync(fd).uid === process.geteuid?.()) return true;
    try {
      accessSync(`/proc/self/fd/${fd}`, constants.W_OK);
      return true;
    } catch {
      return false;
    }
  }

  function byMincore(fd: number, pageSize: number): CachedPages | null {
    if (!mayAsk(fd)) return null;
    const { size } = fstatSync(fd);
    const answers = Buffer.alloc(window / pageSize);
    let cached = 0;
    for (let from = 0; from < size; from += window) {
      const length = Math.min(window, size - from);
      const address = c.mmap(null, length, 1, 1, fd, from);
      if (BigInt(address) === 0xffff_ffff_ffff_ffffn) throw libc.error('mmap');
      try {
        if (c.mincore(address, length, answers) < 0) throw libc.error('mincore');
      } finally {
        c.munmap(address, length);
      }
      const pages = Math.ceil(length / pageSize);
      for (let i = 0; i < pages; i++) cached += answers[i]! & 1;
    }
    return { cached, dirty: null, writeback: null, pageSize };
  }

  return {
    of(fd) {
      const pageSize = c.getpagesize();
      // An overlay's file has no pages of its own: a mapping leads to those of the file below, cachestat does not.
      if (statfsSync(`/proc/self/fd/${fd}`).type === overlay) return byMincore(fd, pageSize);
      // struct cachestat_range: u64 offset, length (0: to the end). struct cachestat: u64 cache, dirty, writeback, evicted, recently evicted.
      const range = Buffer.alloc(16);
      const counts = Buffer.alloc(40);
      if (c.cachestat(fd, range, counts, 0) < 0) {
        const { code } = libc.error('cachestat');
        if (code === 'EPERM' && !mayAsk(fd)) return null;
        return byMincore(fd, pageSize);
      }
      const [cached, dirty, writeback] = [0, 8, 16].map((at) => Number(counts.readBigUInt64LE(at)));
      return { cached: cached!, dirty: dirty!, writeback: writeback!, pageSize };
    },
  };
}
