// Where a sparse file has data: its segments in order, what lies between them is holes.

import { fstatSync } from 'node:fs';
import { isSystemError } from './failure.js';
import type { Native } from './native.js';

/** Bytes `start` up to, not including, `end`. */
export interface Segment {
  start: number;
  end: number;
}

/** Does the file occupy less than its size says? (Compression looks like holes too: then one segment covers all.) */
export function looksSparse({ size, blocks }: { size: number | bigint; blocks: number | bigint }): boolean {
  return BigInt(blocks) * 512n < BigInt(size);
}

/**
 * The data of an open regular file, from 0 to `size` (its size now, if not given). Where the filesystem knows no holes all of it is one
 * segment. Preallocated but unwritten space counts as a hole. The descriptor's offset stays. Of a file that changes meanwhile
 * the segments are some mixture, in order and within `size` all the same.
 */
export function* dataSegments(native: Native, fd: number, size: number = fstatSync(fd).size): Generator<Segment, void> {
  // Others read from where the descriptor stands, and it is the same for all of them.
  const place = native.copying.seek(fd, 0, 1);
  for (let at = 0; at < size; ) {
    let start: number | null;
    let end: number | null;
    try {
      start = native.copying.seekData(fd, at);
      end = start === null ? null : native.copying.seekHole(fd, start);
    } catch (error) {
      // Not every filesystem that has files has SEEK_DATA (EINVAL: FUSE, some of /proc).
      if (!isSystemError(error, 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error;
      [start, end] = [at, size];
    }
    native.copying.seek(fd, place, 0);
    if (start === null || start >= size) return;
    end = Math.min(end ?? size, size);
    // A hole right where data was said to be: it was punched between the two questions.
    if (end > start) yield { start, end };
    at = Math.max(end, start + 1);
  }
}
