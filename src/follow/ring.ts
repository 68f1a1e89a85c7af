// What may still be printed of a stream that has no end yet: its last lines, or its last bytes, in chunks that are
// read into directly, dropped once they can't be printed any more, and used again.

import { startOfLastLines } from './last-lines.js';
import type { LineEnds } from './line-ends.js';

const chunkSize = 64 * 1024;
/** What is held beyond need before it is looked through: searching is cheap, but not free. */
const slack = 8 * 1024 * 1024;

/** The end of a stream, in the order of its bytes. */
export interface Ring {
  /** Memory to read the next bytes into, and then `added` with their number. */
  room(): Uint8Array;
  added(count: number): void;
  /** What is to be printed, once the stream has ended. */
  rest(): Iterable<Uint8Array>;
  /** Where in the stream `rest` begins, in bytes. */
  readonly offset: number;
  /** How many lines there were too few, once `rest` was asked for. */
  readonly missing: number;
}

class Chunks {
  held: Buffer[] = [];
  /** Bytes in `held`; the last chunk may have room. */
  size = 0;
  /** Bytes of the stream that were dropped. */
  dropped = 0;
  #filled = 0;
  #spare: Buffer[] = [];

  room(): Uint8Array {
    if (this.held.length === 0 || this.#filled === chunkSize) {
      this.held.push(this.#spare.pop() ?? Buffer.allocUnsafeSlow(chunkSize));
      this.#filled = 0;
    }
    return this.held.at(-1)!.subarray(this.#filled);
  }

  added(count: number): void {
    this.#filled += count;
    this.size += count;
  }

  /** Forget whole chunks before byte `offset` of what is held. */
  drop(offset: number): void {
    const count = Math.min(Math.floor(offset / chunkSize), this.held.length);
    for (const chunk of this.held.splice(0, count)) if (this.#spare.length < slack / chunkSize) this.#spare.push(chunk);
    this.size -= count * chunkSize;
    this.dropped += count * chunkSize;
  }

  readonly readAt = (view: Uint8Array, at: number): number => {
    let got = 0;
    while (got < view.length && at < this.size) {
      const within = at % chunkSize;
      const from = this.held[(at - within) / chunkSize]!;
      const count = Math.min(view.length - got, chunkSize - within, this.size - at);
      view.set(from.subarray(within, within + count), got);
      got += count;
      at += count;
    }
    return got;
  };

  *from(offset: number): Iterable<Uint8Array> {
    for (let at = offset; at < this.size; ) {
      const within = at % chunkSize;
      const count = Math.min(chunkSize - within, this.size - at);
      yield this.held[(at - within) / chunkSize]!.subarray(within, within + count);
      at += count;
    }
  }
}

/** Keeps the last `count` lines. Memory: what they take, and a quarter or 8 MiB more. */
export function lastLines(count: number, ends: LineEnds): Ring {
  const chunks = new Chunks();
  let limit = slack;
  let start = 0;
  // Units of a wide encoding lie at multiples of their length in the stream, and chunks are such multiples too.
  const find = () => startOfLastLines(chunks.readAt, 0, chunks.size, count, ends);
  let missing = 0;
  return {
    room: () => chunks.room(),
    added(bytes) {
      chunks.added(bytes);
      if (chunks.size < limit) return;
      chunks.drop(find().offset);
      limit = chunks.size + Math.max(slack, chunks.size >> 2);
    },
    rest() {
      ({ offset: start, missing } = find());
      return chunks.from(start);
    },
    get offset() {
      return chunks.dropped + start;
    },
    get missing() {
      return missing;
    },
  };
}

/** Keeps the last `count` bytes. */
export function lastBytes(count: number): Ring {
  const chunks = new Chunks();
  const start = () => Math.max(0, chunks.size - count);
  return {
    room: () => chunks.room(),
    added(bytes) {
      chunks.added(bytes);
      chunks.drop(start());
    },
    rest: () => chunks.from(start()),
    get offset() {
      return chunks.dropped + start();
    },
    missing: 0,
  };
}
