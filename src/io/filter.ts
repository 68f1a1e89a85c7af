// A step between a source and a sink: decoding, translating, decompressing. It takes a source and is a source itself, so
// that the pump pulls, and nothing is made faster than it is taken.

import type { Source } from './raw.js';

/** Puts a step behind a source. */
export type Stage = (source: Source) => Source;

/** Bytes to other bytes, one piece after the other. */
export interface Filter {
  /**
   * What this piece of input gives. The pieces that come out are pulled one by one, so that a small input that gives a
   * great deal needs no more memory than one of them; each is used up before the next is pulled, and all of them before
   * the next `push`. `chunk` may be overwritten once the last one is out.
   */
  push(chunk: Uint8Array): Iterable<Uint8Array>;
  /** What is left to give at the end of the input. Throws where the input must not end here. */
  end(): Iterable<Uint8Array>;
}

/** What a decompressor throws: the data are not what they should be, and why. */
export class DamagedData extends Error {}

/** Bytes read from the source at a time. */
const step = 64 * 1024;

/** `source` seen through `filter`. Bounded by one step of input and one piece of output. */
export class FilterSource implements Source {
  #source: Source;
  #filter: Filter;
  #input = Buffer.allocUnsafeSlow(step);
  #pieces: Iterator<Uint8Array> | undefined;
  #held: Uint8Array = new Uint8Array(0);
  #ended = false;

  constructor(source: Source, filter: Filter) {
    this.#source = source;
    this.#filter = filter;
  }

  readInto(view: Uint8Array): number | null {
    if (view.length === 0) return 0;
    for (;;) {
      if (this.#held.length > 0) {
        const count = Math.min(view.length, this.#held.length);
        view.set(count === this.#held.length ? this.#held : this.#held.subarray(0, count));
        this.#held = this.#held.subarray(count);
        return count;
      }
      if (this.#pieces) {
        const next = this.#pieces.next();
        if (!next.done) {
          this.#held = next.value;
          continue;
        }
        this.#pieces = undefined;
      }
      if (this.#ended) return 0;
      const count = this.#source.readInto(this.#input);
      if (count === null) return null;
      this.#ended = count === 0;
      this.#pieces = (this.#ended ? this.#filter.end() : this.#filter.push(this.#input.subarray(0, count)))[
        Symbol.iterator
      ]();
    }
  }

  ready(): Promise<void> {
    return this.#source.ready?.() ?? new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** `source` with bytes put back in front of it. */
export class PrefixedSource implements Source {
  #head: Uint8Array;
  #source: Source;

  constructor(head: Uint8Array, source: Source) {
    this.#head = head;
    this.#source = source;
  }

  readInto(view: Uint8Array): number | null {
    if (this.#head.length === 0) return this.#source.readInto(view);
    const count = Math.min(view.length, this.#head.length);
    view.set(this.#head.subarray(0, count));
    this.#head = this.#head.subarray(count);
    return count;
  }

  async ready(): Promise<void> {
    if (this.#head.length === 0) await this.#source.ready?.();
  }
}
