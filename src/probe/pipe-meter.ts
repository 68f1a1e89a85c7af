// The pipe meter: bytes pass from stdin to stdout unchanged and at full speed, and what can be learnt from their coming is
// kept. While they come fast they are spliced, unseen; while they come slowly each chunk is looked at as it was written.

import { fstatSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { isSystemError, SluiceError } from '../io/failure.js';
import { type Native, native } from '../io/native.js';
import { isUnknown } from './certainty.js';
import { ChunkStatistics } from './chunk-statistics.js';
import type { SlotStatistics } from './pipe-slots.js';
import { type MeterInput, type MeterOutput, meterInput, meterOutput } from './pipe-streams.js';
import { TextScan } from './text-scan.js';
import { UpstreamWatch } from './upstream-watch.js';

const slice = 20;
/** The event loop may be held up so long (milliseconds) by a wait: what comes meanwhile is seen at once. */
const hold = 5;
const room = 256 * 1024;
/** So much within one slice is fast: then bytes are spliced … */
const fast = 4 * 1024 * 1024;
/** … through pipes of this size … */
const capacity = 1024 * 1024;
/** … and looked at again after so much, then after twice as much, and so on. */
const unseen = 128 * 1024 * 1024;
/** Where nobody waits for them, small writes are left to gather so long (milliseconds): less than fills such a pipe. */
const gathering = 0.05;
const small = 64 * 1024;
const nobody = new Int32Array(new SharedArrayBuffer(4));
/** The upstream is asked for its counters this often at most (milliseconds), and this often when nothing comes … */
const askEvery = 20;
const tick = 100;
/** … but more often at first: many pipelines are over soon. */
const quickTick = 25;
const quickly = 1000;

export interface MeterOptions {
  onBytes?: (bytes: number) => void;
  debug?: (text: () => string) => void;
}

export class PipeMeter {
  readonly statistics = new ChunkStatistics();
  readonly #input: MeterInput;
  readonly #output: MeterOutput;
  readonly #scan = new TextScan(room);
  readonly #calls: Native | null;
  readonly #options: MeterOptions;
  readonly watch: UpstreamWatch;
  readonly #started = performance.now();
  #elapsed: number | undefined;
  #waited = 0;
  #waitedFor = false;
  #asked = Number.NEGATIVE_INFINITY;
  #spliced = 0;
  /** By the last splice. */
  #moved = 0;
  #canSplice: boolean;
  #widened = false;
  ended = false;

  constructor(options: MeterOptions = {}) {
    this.#options = options;
    this.#input = meterInput(0);
    this.#output = meterOutput(1);
    this.#calls = native();
    this.#canSplice = this.#calls !== null && this.#input.pipe;
    this.watch = new UpstreamWatch(fstatSync(0, { bigint: true }));
    options.debug?.(() => {
      const { upstream } = this.watch;
      return `upstream: ${isUnknown(upstream) ? upstream.unknown : `${upstream.command} (${upstream.pid})`}`;
    });
  }

  get elapsed(): number {
    return this.#elapsed ?? performance.now() - this.#started;
  }

  /** Passes everything on, until the end of file. Rejects with EPIPE when nobody reads any more. */
  async run(): Promise<void> {
    let leave: (error: Error) => void = () => {};
    const left = new Promise<never>((_, reject) => {
      leave = reject;
    });
    left.catch(() => {});
    const look = () => {
      this.#ask();
      this.#options.onBytes?.(0);
      if (this.#output.gone()) leave(new SluiceError('nobody reads any more', { code: 'EPIPE', syscall: 'write' }));
      timer = setTimeout(look, this.elapsed < quickly ? quickTick : tick);
    };
    let timer = setTimeout(look, quickTick);
    try {
      await this.#move(left);
      // It has closed its end; its counters stay until its parent asks how it ended.
      this.watch.ask(performance.now(), this.statistics.bytes, () => 0);
      this.ended = true;
      this.statistics.endBurst();
      this.#elapsed = performance.now() - this.#started;
    } finally {
      clearTimeout(timer);
      this.#input.close();
      this.#output.close();
    }
  }

  async #move(left: Promise<never>): Promise<void> {
    let windowEnd = performance.now() + slice;
    let windowBytes = 0;
    let turnBy = windowEnd;
    let splicing = false;
    let unseenBytes = 0;
    let atMost = unseen;
    for (;;) {
      // However short the waits are, none of which may have left the loop: signals and the clock are heard.
      if (performance.now() >= turnBy) {
        await turn();
        turnBy = performance.now() + slice;
      }
      const count = splicing ? this.#splice() : this.#pass();
      if (count === 0) return;
      if (count === null) {
        const calm = await this.#wait(left, splicing);
        if (calm) splicing = false;
        windowEnd = performance.now() + slice;
        windowBytes = 0;
        continue;
      }
      if (!splicing) {
        const prompt = this.#waitedFor;
        await this.#writeOut(count, left);
        // Right after a chunk that was waited for is when the kernel's count of writes says most.
        if (prompt) this.#ask();
      }
      this.#options.onBytes?.(count);
      windowBytes += count;
      if (splicing) {
        unseenBytes += count;
        if (unseenBytes >= atMost || !this.#canSplice) {
          splicing = false;
          atMost *= 2;
          windowBytes = 0;
        }
      } else if (this.#canSplice && windowBytes >= fast) {
        splicing = true;
        unseenBytes = 0;
        this.#widen();
      }
      if (performance.now() >= windowEnd) {
        this.#ask();
        windowEnd = performance.now() + slice;
        windowBytes = 0;
      }
    }
  }

  /** One read, looked at; what was read is still to be written. */
  #pass(): number | null {
    const scan = this.#scan;
    const count = this.#input.readInto(scan.room);
    if (!count) return count;
    const before = scan.lf;
    scan.bytes(count);
    this.statistics.longestLine = scan.longest + 1;
    const seen = { lines: scan.lf - before, endsLine: scan.room[count - 1] === 10 };
    this.statistics.add(count, performance.now(), this.#waited, seen);
    this.#waitedFor = this.#waited > 0;
    this.#waited = 0;
    return count;
  }

  async #writeOut(count: number, left: Promise<never>): Promise<void> {
    for (let at = 0; at < count; ) {
      const taken = this.#output.write(this.#scan.room.subarray(at, count));
      if (taken !== null) at += taken;
      else if (!this.#calls?.polling.hold(this.#output.fd, 'write', hold))
        await Promise.race([this.#output.ready(), left]);
    }
  }

  /** Bytes from pipe to pipe; 0 at the end, null where one of the two has to be waited for. */
  #splice(): number | null {
    try {
      const count = this.#calls!.pipes.splice(this.#input.fd, null, this.#output.fd, null, capacity);
      if (count) {
        this.#spliced += count;
        this.#moved = count;
        this.statistics.add(count, performance.now(), this.#waited, undefined);
        this.#waited = 0;
      }
      return count;
    } catch (error) {
      if (!isSystemError(error, 'EINVAL')) throw error;
      // A file opened to append, a device that cannot: read and write then.
      this.#canSplice = false;
      this.#options.debug?.(() => 'splice: this output cannot');
      return null;
    }
  }

  /** Until it is worth trying again. True if that took so long that the flow is slow. */
  async #wait(left: Promise<never>, splicing: boolean): Promise<boolean> {
    if (!this.#canSplice && splicing) return true;
    const polling = this.#calls?.polling;
    const { fd } = this.#input;
    const from = performance.now();
    // What is no pipe takes all at once: then it is the input that has nothing.
    if (polling && splicing && this.#output.pipe && polling.now(fd).readable) {
      if (!polling.hold(this.#output.fd, 'write', hold)) await Promise.race([this.#output.ready(), left]);
      return false;
    }
    if (from - this.#asked >= askEvery) this.#ask();
    if (!(polling && this.#input.pipe && polling.hold(fd, 'read', hold))) {
      await Promise.race([this.#input.ready(), left]);
    }
    if (splicing && !this.#output.pipe && this.#moved < small) Atomics.wait(nobody, 0, 0, gathering);
    // The clock's grain must not make a wait look like none.
    const waited = Math.max(performance.now() - from, 1e-6);
    this.#waited += waited;
    return waited >= hold;
  }

  #ask(): void {
    const now = performance.now();
    if (now - this.#asked < askEvery) return;
    this.#asked = now;
    this.watch.ask(now, this.statistics.bytes, () => this.#input.waiting?.());
  }

  /** Larger pipes: fewer changes between the three programs. What is refused does no harm. */
  #widen(): void {
    if (this.#widened || !this.#calls) return;
    this.#widened = true;
    this.#options.debug?.(() => 'bytes come fast: they are spliced, through pipes of 1 MiB');
    for (const end of [this.#input, this.#output]) {
      try {
        if (end.pipe && this.#calls.pipes.capacity(end.fd) < capacity) this.#calls.pipes.setCapacity(end.fd, capacity);
      } catch (error) {
        this.#options.debug?.(() => `a pipe stays as it is: ${(error as Error).message}`);
      }
    }
  }

  /** How the bytes lay in the pipe; undefined where that cannot be seen. */
  get slots(): SlotStatistics | undefined {
    return this.#input.slots;
  }

  get spliced(): number {
    return this.#spliced;
  }
}
