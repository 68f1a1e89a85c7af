// Watches the program before us in a pipe: what it is, how many writes it made, and how much it read without writing.

import { type BigIntStats, readlinkSync } from 'node:fs';
import { isSystemError } from '../io/failure.js';
import { isUnknown, type Known, unknown } from './certainty.js';
import type { Peer } from './pipe-holders.js';
import { statOf } from './proc.js';
import { countersOf, type IoCounters, type Upstream, upstreamOf } from './upstream.js';
import { waitingOf } from './waiting.js';

/** It is looked for again this often (milliseconds), until it has been seen to write. */
const lookEvery = 500;
/** So much is not worth a thought: threads wake each other by writes of 8 bytes. */
const little = 64;

/** What it wrote into the pipe: counted since `arrived` was 0, or since the first look if it writes elsewhere too. */
export interface Written extends IoCounters {
  arrived: number;
}

/** What it has read and may hold. */
export interface Held {
  bytes: number;
  reads: number;
  milliseconds: number;
}

const noneHeld: Held = { bytes: 0, reads: 0, milliseconds: 0 };
const nothing: Written = { read: 0, reads: 0, written: 0, writes: 0, arrived: 0 };

export class UpstreamWatch {
  readonly #pipe: BigIntStats;
  upstream: Known<Upstream>;
  writers: Known<Peer[]>;
  counters: Written | undefined;
  /** The most that it has read, in how many reads and how long, without writing anything. */
  held: Held = noneHeld;
  #before: Written | undefined;
  #base: (IoCounters & { at: number }) | undefined;
  #settled = false;
  #looked: number;
  #wrote = false;
  #image: string | undefined;

  constructor(stdin: BigIntStats) {
    this.#pipe = stdin;
    this.#looked = performance.now();
    if (stdin.isFIFO()) {
      ({ upstream: this.upstream, writers: this.writers } = upstreamOf(stdin));
      if (!isUnknown(this.upstream)) this.#image = imageOf(this.upstream.pid);
    } else {
      this.upstream = unknown(stdin.isFile() ? 'stdin is a file' : 'stdin is no pipe');
      this.writers = this.upstream;
    }
  }

  /** How things are at `now`, when `arrived` bytes had come; `waiting` asks how many more are in the pipe. */
  ask(now: number, arrived: number, waiting: () => number | undefined): void {
    if (!this.#pipe.isFIFO()) return;
    this.#look(now);
    if (isUnknown(this.upstream)) return;
    const counters = countersOf(this.upstream.pid);
    if (counters === undefined || isUnknown(counters)) return;
    // A process that has ended, and is not waited for yet, has its counters still.
    if (counters.writes === 0 && (this.counters?.writes ?? 0) > 0) return;
    this.#count(counters, arrived, waiting);
    this.#hold(counters, now);
  }

  /** What it wrote before the first byte came went elsewhere: a script that ended with exec, a file, a terminal. */
  #count(counters: IoCounters, arrived: number, waiting: () => number | undefined): void {
    // A write is counted when its bytes are in the pipe, which is asked after: what was written there has come, but where it
    // cannot be asked.
    const inPipe = waiting();
    const came = arrived + (inPipe ?? 0);
    const elsewhere = counters.written > (inPipe === undefined ? came * 1.02 : came) + little;
    if (came === 0) this.#before = { ...counters, arrived: 0 };
    else this.#before ??= elsewhere ? { ...counters, arrived: came } : nothing;
    const before = this.#before;
    this.counters = {
      read: counters.read - before.read,
      reads: counters.reads - before.reads,
      written: counters.written - before.written,
      writes: counters.writes - before.writes,
      arrived: Math.max(0, arrived - before.arrived),
    };
    if (this.counters.written > 0) this.#wrote = true;
  }

  /** Until it has waited for input, what it reads is itself: libraries, a script. */
  #hold(counters: IoCounters, now: number): void {
    const { pid } = this.upstream as Upstream;
    this.#settled ||= waitsForInput(pid);
    if (!this.#settled) return;
    if (counters.written !== this.#base?.written) this.#base = { ...counters, at: now };
    const { read, reads, at } = this.#base!;
    const bytes = counters.read - read;
    if (bytes > this.held.bytes) this.held = { bytes, reads: counters.reads - reads, milliseconds: now - at };
  }

  /** Again, as long as it has not been found, or has become another program (a shell's exec), or writes nothing. */
  #look(now: number): void {
    const { upstream } = this;
    let becameAnother = false;
    if (!isUnknown(upstream)) {
      const image = imageOf(upstream.pid);
      if (image === undefined) return;
      becameAnother = this.#image !== image;
      if (!becameAnother && (this.#wrote || now - this.#looked < lookEvery)) return;
    } else if (now - this.#looked < lookEvery) return;
    this.#looked = now;
    if (becameAnother) this.#forgetHeld();
    const again = upstreamOf(this.#pipe);
    if (isUnknown(again.upstream)) return;
    if (isUnknown(upstream) || upstream.pid !== again.upstream.pid) {
      this.#before = undefined;
      this.counters = undefined;
      this.#forgetHeld();
    }
    this.upstream = again.upstream;
    this.writers = again.writers;
    this.#image = imageOf(again.upstream.pid);
  }

  #forgetHeld(): void {
    this.#base = undefined;
    this.#settled = false;
    this.held = noneHeld;
  }
}

/** What it runs now, which exec changes; undefined: it has ended. */
function imageOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`, 'latin1');
  } catch (error) {
    // A process that has ended, and is not waited for, has none.
    return isSystemError(error, 'EACCES', 'EPERM') ? statOf(pid)?.comm : undefined;
  }
}

/** It waits for input, as far as can be seen: on its stdin, or for events. */
function waitsForInput(pid: number): boolean {
  const waiting = waitingOf(pid);
  return !isUnknown(waiting) && (waiting.for === 'events' || (waiting.for === 'read' && waiting.fd === 0));
}
