// Where the last N lines of a file begin: found backwards from its end, in blocks, whatever the file's size.

/** A line's end as bytes: one byte (LF, NUL), or the code unit of a wide encoding, at a multiple of its own length only. */
export type LineEnd = number | Buffer;

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
  lineEnd: LineEnd,
): { offset: number; missing: number } {
  if (count === 0) return { offset: to, missing: 0 };
  const buffer = Buffer.allocUnsafeSlow(Math.min(block, Math.max(1, to - from)));
  const unit = typeof lineEnd === 'number' ? 1 : lineEnd.length;
  // The end of the last line is not one that separates it from another.
  let before = count + 1;
  let first = true;
  for (let end = to; end > from; ) {
    // Whole blocks of the file, so that a unit never lies across two of them.
    const start = Math.max(from, (Math.ceil(end / block) - 1) * block);
    const got = readAt(buffer.subarray(0, end - start), start);
    const bytes = buffer.subarray(0, got);
    if (first && got > 0) {
      first = false;
      if (lastIndexOf(bytes, lineEnd, got - 1, start) !== got - unit) before--;
    }
    for (let at = got; at > 0; ) {
      at = lastIndexOf(bytes, lineEnd, at - 1, start);
      if (at < 0) break;
      if (--before === 0) return { offset: start + at + unit, missing: 0 };
    }
    end = start;
  }
  return { offset: from, missing: first ? count : before - 1 };
}

function lastIndexOf(bytes: Buffer, lineEnd: LineEnd, from: number, fileOffset: number): number {
  if (typeof lineEnd === 'number') return bytes.lastIndexOf(lineEnd, from);
  for (let at = from; at >= 0; at--) {
    at = bytes.lastIndexOf(lineEnd, at);
    if (at < 0 || (fileOffset + at) % lineEnd.length === 0) return at;
  }
  return -1;
}
