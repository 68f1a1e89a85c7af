// How far the work is: files and bytes so far and, once somebody watches, how many there will be.

import { type Count, census } from './census.js';
import type { Rules, Side } from './job.js';

/** Bytes moved, and files seen to, of so many. */
export interface Progress {
  bytes: number;
  files: number;
  totalBytes?: number;
  totalFiles?: number;
}

/** Milliseconds between two looks at it. */
const interval = 200;

export class Tally {
  files = 0;
  /** Of what is in place. */
  bytes = 0;
  /** Of large files on their way in this thread; once in place they are in `bytes`. */
  large = 0;
  readonly #source: Side;
  readonly #rules: Rules;
  readonly #tell: (state: Progress) => boolean;
  #elsewhere: () => number = () => 0;
  #census: { end(): void } | undefined;
  #total: Count | undefined;
  #ticking: NodeJS.Timeout | undefined;

  /** `tell` answers whether somebody watches: then what is to come is counted ahead of the work. */
  constructor(source: Side, rules: Rules, tell: (state: Progress) => boolean) {
    this.#source = source;
    this.#rules = rules;
    this.#tell = tell;
  }

  /** `elsewhere`: bytes of large files that other threads have moved. */
  begin(elsewhere: () => number): void {
    this.#elsewhere = elsewhere;
    this.#ticking = setInterval(() => this.#report(), interval);
    this.#ticking.unref();
  }

  /** All is done. */
  finish(): void {
    this.#total = { files: this.files, bytes: 0 };
    this.#report();
  }

  /** Done or not, nobody is told any more. */
  end(): void {
    clearInterval(this.#ticking);
    this.#census?.end();
    this.large += this.#elsewhere();
    this.#elsewhere = () => 0;
  }

  #report(): void {
    const moved = this.bytes + this.large + this.#elsewhere();
    const total = this.#total;
    const watched = this.#tell({
      bytes: moved,
      files: this.files,
      ...(total && { totalFiles: Math.max(total.files, this.files) }),
      // What is the same is not moved: then nobody knows how much will be.
      ...(total && this.#rules.style.name === 'copy' && { totalBytes: Math.max(total.bytes, moved) }),
    });
    if (!watched || this.#census) return;
    this.#census = census(this.#source, this.#rules, (count) => {
      this.#total = count;
    });
  }
}
