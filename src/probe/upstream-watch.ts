// Watches the program before us in a pipe: what it is, how many writes it made, and how much it read without writing.

import type { BigIntStats } from 'node:fs';
import { isUnknown, type Known, unknown } from './certainty.js';
import type { Peer } from './pipe-holders.js';
import { statOf } from './proc.js';
import { countersOf, type IoCounters, type Upstream, upstreamOf } from './upstream.js';

/** It is looked for again this often (milliseconds), until it has been seen to write. */
const lookEvery = 500;

export class UpstreamWatch {
  readonly #pipe: BigIntStats;
  upstream: Known<Upstream>;
  writers: Known<Peer[]>;
  counters: (IoCounters & { arrived: number }) | undefined;
  held = { bytes: 0, milliseconds: 0 };
  #base: { read: number; written: number; at: number } | undefined;
  #looked: number;
  #wrote = false;
  #comm: string | undefined;

  constructor(stdin: BigIntStats) {
    this.#pipe = stdin;
    this.#looked = performance.now();
    if (stdin.isFIFO()) ({ upstream: this.upstream, writers: this.writers } = upstreamOf(stdin));
    else {
      this.upstream = unknown(stdin.isFile() ? 'stdin is a file' : 'stdin is no pipe');
      this.writers = this.upstream;
    }
  }

  /** How things are at `now`, when `arrived` bytes had come. */
  ask(now: number, arrived: number): void {
    if (!this.#pipe.isFIFO()) return;
    this.#look(now);
    if (isUnknown(this.upstream)) return;
    const counters = countersOf(this.upstream.pid);
    if (counters === undefined || isUnknown(counters)) return;
    // A process that has ended, and is not waited for yet, has its counters still.
    if (counters.writes === 0 && (this.counters?.writes ?? 0) > 0) return;
    this.counters = { ...counters, arrived };
    const { read, written } = counters;
    if (written > 0) this.#wrote = true;
    if (!this.#base || written !== this.#base.written) this.#base = { read, written, at: now };
    const bytes = read - this.#base.read;
    if (bytes > this.held.bytes) this.held = { bytes, milliseconds: now - this.#base.at };
  }

  /** Again, as long as it has not been found, or has become another program (a shell's exec), or writes nothing. */
  #look(now: number): void {
    const { upstream } = this;
    if (!isUnknown(upstream)) {
      const comm = statOf(upstream.pid)?.comm;
      if (comm === undefined) return;
      if (this.#comm === comm && (this.#wrote || now - this.#looked < lookEvery)) return;
      this.#comm = comm;
    } else if (now - this.#looked < lookEvery) return;
    this.#looked = now;
    const again = upstreamOf(this.#pipe);
    if (isUnknown(again.upstream)) return;
    const known = isUnknown(upstream) ? undefined : upstream;
    if (known?.pid !== again.upstream.pid) {
      this.#base = undefined;
      this.counters = undefined;
      this.held = { bytes: 0, milliseconds: 0 };
    }
    this.upstream = again.upstream;
    this.writers = again.writers;
  }
}
