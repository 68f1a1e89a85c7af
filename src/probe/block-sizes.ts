// Which buffer a program has, by the sizes of what it wrote: the block that fits them.

import type { SlotStatistics } from './pipe-slots.js';

/** A pipe holds so much, unless it was changed. */
export const fullPipe = 65536;

/** Sizes of buffers that are in use: C stdio, Perl and Python, and larger ones that programs choose. */
const blocks = [4096, 8192, 16384, 32768, 65536, 131072, 262144, 1048576, 1024, 2048, 512];

/** The block of which so many writes make so many bytes, in lines of `line` bytes on average. */
export function writtenBlock(writes: number, written: number, line: number, longestLine: number): number | undefined {
  const average = written / writes;
  const exactly = blocks.find((size) => size > line && isCount(writes, written / size));
  const nearly = blocks.find(
    (size) =>
      size > 2 * longestLine &&
      writes >= Math.ceil(written / size) &&
      writes <= Math.ceil(written / (size - longestLine)),
  );
  // glibc writes what is larger than its buffer at once, as many whole blocks as it has: some writes are of two.
  const mostly =
    writes < 20 ? undefined : blocks.find((size) => size > 2 * line && average >= size && average <= 1.1 * size);
  return exactly ?? nearly ?? mostly;
}

/** Are so many writes of a full block what was expected? One or two in a thousand may be of another size. */
const isCount = (writes: number, expected: number): boolean =>
  writes < 20 ? Math.ceil(expected) === writes : Math.abs(writes - expected) <= 1 + expected / 500;

/** The block of which Python's kind fills as much as whole lines do: always a little less than it holds. */
export function wholeLineBlock(
  { wholeLines, full, fullEndingLine }: SlotStatistics,
  longestLine: number,
): number | undefined {
  let total = 0;
  for (const count of wholeLines.values()) total += count;
  // A block of another kind ends with a line now and then, and the last of all nearly always.
  if (total < (full - fullEndingLine) / 40) return undefined;
  return blocks.find((size) => {
    let fitting = 0;
    for (const [bytes, count] of wholeLines) if (bytes <= size && bytes > size - longestLine) fitting += count;
    return longestLine < size / 4 && fitting >= 2 && fitting >= 0.75 * total;
  });
}

/** The block that most sizes are: exactly, or up to a line less (Python fills a block with whole lines). */
export function commonBlock(
  sizes: ReadonlyMap<number, number>,
  longestLine: number,
): { size: number | undefined; share: number } {
  let total = 0;
  for (const count of sizes.values()) total += count;
  let best: { size: number | undefined; share: number } = { size: undefined, share: 0 };
  for (const size of blocks) {
    let matching = 0;
    let single = 0;
    const slack = Math.min(longestLine, size / 4);
    for (const [each, count] of sizes) {
      // What fills a pipe may have been written in any pieces.
      if (each >= fullPipe) continue;
      if (each % size === 0 || (each <= size && each > size - slack)) matching += count;
      if (each <= size && each > size - slack) single += count;
    }
    // Blocks run together, but not all of them: 1024 lines in one writev are a multiple of 1024 as well.
    if (single < matching / 10) continue;
    // Multiples of a block are multiples of its half too: the larger one needs to be as good.
    const share = matching / total;
    if (
      share > best.share + 0.05 ||
      (share >= best.share - 0.05 && best.size !== undefined && size > best.size && share > 0.6)
    )
      best = { size, share };
  }
  return best;
}
