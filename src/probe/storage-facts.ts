// How a file lies on its device and in memory: holes, extents, pages in the cache.

import { isSystemError } from '../io/failure.js';
import { dataSegments } from '../io/holes.js';
import { native, nativeReason } from '../io/native.js';
import { type Inferred, inferred, type Known, unknown } from './certainty.js';
import type { Stretch } from './text-facts.js';

export interface StorageFacts {
  /** Between and after the data, as the file system tells them. */
  holes: Known<{ count: number; bytes: number } | Inferred<{ count: number; bytes: number }>>;
  /** Runs of blocks; `unwritten` are set aside and read as zeros, `delayed` have no place yet. */
  extents: Known<{ count: number; shared: number; unwritten: number; delayed: number }>;
  /** Pages of `pageSize` bytes that the kernel holds in memory. */
  cache: Known<{ pages: number; bytes: number; dirty: Known<number>; writeback: Known<number>; pageSize: number }>;
}

export const noStorage = (reason: string): StorageFacts => ({
  holes: unknown(reason),
  extents: unknown(reason),
  cache: unknown(reason),
});

/** Why native calls cannot be had, as a reason. */
export const needsNative = (): string => `needs native calls: ${nativeReason()}`;

/** `fd` is open for reading; nothing of the file may have been read yet. */
export function storageFacts(fd: number, size: number, allocated: number): StorageFacts {
  return { cache: cacheOf(fd), holes: holesOf(fd, size, allocated), extents: extentsOf(fd) };
}

function cacheOf(fd: number): StorageFacts['cache'] {
  const calls = native();
  if (!calls) return unknown(needsNative());
  try {
    const pages = calls.pageCache.of(fd);
    if (!pages) return unknown('not permitted: the kernel tells it to the owner, and to those who may write');
    const old = "needs cachestat(2): Linux 6.5, and a file that is not an overlay's";
    return {
      pages: pages.cached,
      bytes: pages.cached * pages.pageSize,
      dirty: pages.dirty ?? unknown(old),
      writeback: pages.writeback ?? unknown(old),
      pageSize: pages.pageSize,
    };
  } catch (error) {
    return unknown((error as Error).message);
  }
}

function holesOf(fd: number, size: number, allocated: number): StorageFacts['holes'] {
  if (size === 0) return { count: 0, bytes: 0 };
  const calls = native();
  if (!calls) {
    return allocated >= size
      ? inferred({ count: 0, bytes: 0 }, 0.9, 'as many bytes are allocated as it has')
      : unknown(needsNative());
  }
  try {
    let count = 0;
    let bytes = 0;
    for (const { hole, from, to } of stretches(fd, size)) {
      if (!hole) continue;
      count++;
      bytes += to - from;
    }
    return { count, bytes };
  } catch (error) {
    return unknown((error as Error).message);
  }
}

/** Data and holes in turn, up to `size`. Only where there are native calls. */
export function* stretches(fd: number, size: number): Generator<Stretch, void> {
  let at = 0;
  for (const { start, end } of dataSegments(native()!, fd, size)) {
    if (start > at) yield { hole: true, from: at, to: start };
    yield { hole: false, from: start, to: end };
    at = end;
  }
  if (at < size) yield { hole: true, from: at, to: size };
}

function extentsOf(fd: number): StorageFacts['extents'] {
  const calls = native();
  if (!calls) return unknown(needsNative());
  try {
    const facts = { count: 0, shared: 0, unwritten: 0, delayed: 0 };
    for (const { flags } of calls.extents.of(fd)) {
      facts.count++;
      if (flags.shared) facts.shared++;
      if (flags.unwritten) facts.unwritten++;
      if (flags.delayed) facts.delayed++;
    }
    return facts;
  } catch (error) {
    return unknown(
      isSystemError(error, 'ENOTSUP', 'EOPNOTSUPP', 'ENOTTY')
        ? 'this file system does not tell (no FIEMAP)'
        : (error as Error).message,
    );
  }
}
