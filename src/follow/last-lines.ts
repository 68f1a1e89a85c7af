// Where the last N lines of a file begin: found backwards from its end, in blocks, whatever the file's size.

import { type LineEnds, lastIndexOfUnit } from './line-ends.js';

/** Bytes a step. Searching one takes ~40 µs, less than reading it. */
const block = 256 * 1024;

/** Fills `view` from byte `at` of the file; gives the bytes read, fewer only at the end of the file. */
export type ReadAt = (view: Uint8Array, at: number) => number;

/**
 * The offset at which the last `count` lines of the bytes from `from` to `to` begin, `from` if there are no more lines than that.
 * A rest without a line end is a line too; `count` 0 gives `to`. Should the file be shorter than `to` meanwhile, its
 * lines are those that are left. Gives in `missing` how many lines there were too few.
 */
export function startOfLastLines(
  readAt: ReadAt,
  from: number,
  to: number,
  count: number,
  { width, lf, cr }: LineEnds,
): { offset: number; missing: number } {
  if (count === 0) return { offset: to, missing: 0 };
  const buffer = Buffer.allocUnsafeSlow(Math.min(block, Math.max(1, to - from)));
  // The end of the last line is not one that separates it from another.
  let before = count + 1;
  let first = true;
  /** Where the last LF that was found lies: a CR right before it is part of the same end. */
  let lastLf = Number.NaN;
  for (let end = to; end > from; ) {
    // Whole blocks of the file, so that a unit never lies across two of them.
    const start = Math.max(from, (Math.ceil(end / block) - 1) * block);
    const got = readAt(buffer.subarray(0, end - start), start);
    const bytes = buffer.subarray(0, got);
    let lfAt = lastIndexOfUnit(bytes, lf, got - 1, start);
    let crAt = cr === undefined ? -1 : lastIndexOfUnit(bytes, cr, got - 1, start);
    if (first && got > 0) {
      first = false;
      if (lfAt !== got - width && crAt !== got - width) before--;
    }
    for (;;) {
      const at = lfAt > crAt ? lfAt : crAt;
      if (at < 0) break;
      if (at === lfAt) {
        lfAt = lastIndexOfUnit(bytes, lf, at - 1, start);
        lastLf = start + at;
      } else {
        crAt = lastIndexOfUnit(bytes, cr!, at - 1, start);
        if (start + at + width === lastLf) continue;
      }
      if (--before === 0) return { offset: start + at + width, missing: 0 };
    }
    end = start;
  }
  return { offset: from, missing: first ? count : before - 1 };
}
