// What flows through a pipe, as it comes: sizes of chunks, gaps between them, and where lines end. A chunk that was waited for is
// what was written just then; one that had been lying there may be several writes that ran together.

export interface HistogramBin {
  /** Sizes from `from` up to, not with, `to`. */
  from: number;
  to: number;
  chunks: number;
  bytes: number;
}

/** A wait this long (milliseconds) separates what was written from what was written before. */
const burstGap = 1;
/** A wait this long is told as a gap. */
const gapFrom = 10;
const distinct = 4096;

/** Chunks that came after a wait, up to the next wait. */
interface Burst {
  bytes: number;
  lines: number;
  chunks: number;
  endsLine: boolean;
}

export class ChunkStatistics {
  bytes = 0;
  chunks = 0;
  /** Bytes whose contents were seen. */
  seenBytes = 0;
  seenChunks = 0;
  lines = 0;
  endingLine = 0;
  /** Bytes in the longest line, with its newline. */
  longestLine = 0;
  gaps = 0;
  longestGap = 0;
  waited = 0;
  first: number | undefined;
  last: number | undefined;
  /** Of those that were waited for: chunk sizes and how often each came. */
  readonly prompt = new Map<number, number>();
  promptChunks = 0;
  promptEndingLine = 0;
  promptLines = 0;
  bursts = 0;
  burstsEndingLine = 0;
  burstLines = 0;
  burstBytes = 0;
  burstSizes: number[] = [];
  /** Of the last burst. */
  final: Burst | undefined;
  /** Milliseconds of the wait before the last burst. */
  finalWait = 0;
  readonly #bins: { chunks: number; bytes: number }[] = [];
  #burst: Burst | undefined;

  /**
   * A chunk of `size` bytes came at `now`, after a wait of `waited` milliseconds (0: it was there already). `seen`: lines in it
   * and whether it ends with one; undefined where the bytes were passed on unseen.
   */
  add(size: number, now: number, waited: number, seen: { lines: number; endsLine: boolean } | undefined): void {
    this.first ??= now;
    this.last = now;
    this.bytes += size;
    this.chunks++;
    const power = 31 - Math.clz32(size);
    this.#bins[power] ??= { chunks: 0, bytes: 0 };
    const bin = this.#bins[power];
    bin.chunks++;
    bin.bytes += size;
    if (this.chunks > 1) {
      this.waited += waited;
      if (waited >= gapFrom) this.gaps++;
      if (waited > this.longestGap) this.longestGap = waited;
    }
    if (!seen) {
      this.#burst = undefined;
      return;
    }
    this.seenBytes += size;
    this.seenChunks++;
    this.lines += seen.lines;
    if (seen.endsLine) this.endingLine++;
    if (waited > 0) {
      this.promptChunks++;
      this.promptLines += seen.lines;
      if (seen.endsLine) this.promptEndingLine++;
      if (this.prompt.size < distinct || this.prompt.has(size)) this.prompt.set(size, (this.prompt.get(size) ?? 0) + 1);
    }
    if (waited >= burstGap || this.chunks === 1) {
      this.endBurst();
      this.#burst = { bytes: 0, lines: 0, chunks: 0, endsLine: false };
      this.finalWait = waited;
    }
    if (!this.#burst) return;
    this.#burst.bytes += size;
    this.#burst.lines += seen.lines;
    this.#burst.chunks++;
    this.#burst.endsLine = seen.endsLine;
    this.final = this.#burst;
  }

  /** Nothing more comes for a while, or at all: what came is a burst. */
  endBurst(): void {
    if (!this.#burst) return;
    this.bursts++;
    this.burstBytes += this.#burst.bytes;
    this.burstLines += this.#burst.lines;
    if (this.#burst.endsLine) this.burstsEndingLine++;
    if (this.burstSizes.length < distinct) this.burstSizes.push(this.#burst.bytes);
    this.#burst = undefined;
  }

  histogram(): HistogramBin[] {
    const bins: HistogramBin[] = [];
    for (const [power, bin] of this.#bins.entries())
      if (bin) bins.push({ from: 2 ** power, to: 2 ** (power + 1), ...bin });
    return bins;
  }

  /** Sizes that came most often, among the chunks that were waited for. */
  commonSizes(most: number): { size: number; chunks: number }[] {
    return [...this.prompt]
      .sort(([, one], [, other]) => other - one)
      .slice(0, most)
      .map(([size, chunks]) => ({ size, chunks }));
  }
}
