// How what lies in a pipe was written. The kernel keeps a pipe's bytes in slots of one page, and puts a write behind the one
// before only if its odd part fits there: so line after line fills a page nearly and breaks off at a line's end, while full
// blocks fill page after page to the last byte. This can be seen even after the writer has gone.

import { isSystemError } from '../io/failure.js';
import type { Native } from '../io/native.js';

/** What slots had in them, as they came. */
export class SlotStatistics {
  /** Bytes of a whole slot. */
  readonly page: number;
  /** Whole slots, and those of them that ended on a newline. */
  full = 0;
  fullEndingLine = 0;
  /** Slots that were not whole though another followed them: the next write did not fit there. */
  broken = 0;
  brokenEndingLine = 0;
  /** The emptiest of those. */
  leastBroken = Number.POSITIVE_INFINITY;
  /** Whole slots in a row and the one after them that broke off at a line's end: bytes, and how often so many came. */
  readonly wholeLines = new Map<number, number>();
  /** Something was not written, but moved here as it was (splice): then slots say nothing. */
  moved = false;
  #run = 0;

  constructor(page: number) {
    this.page = page;
  }

  /** `followed`: another slot was in the pipe already. */
  add(size: number, endsLine: boolean, followed: boolean): void {
    if (size > this.page) this.moved = true;
    else if (size === this.page) {
      this.full++;
      if (endsLine) this.fullEndingLine++;
      this.#run += size;
    } else {
      if (followed) {
        this.broken++;
        if (endsLine) this.brokenEndingLine++;
        this.leastBroken = Math.min(this.leastBroken, size);
      }
      const lines = this.#run + size;
      if (this.#run > 0 && endsLine) this.wholeLines.set(lines, (this.wholeLines.get(lines) ?? 0) + 1);
      this.#run = 0;
    }
  }

  /** Nothing was there for a while: what comes next is no part of what came before. */
  waited(): void {
    this.#run = 0;
  }
}

/** Enough to be sure; from then on bytes are read without asking how they lay. */
const enough = 256;
/** At most so many in one read, which is what a pipe holds unless it was changed. */
const most = 16;

/** Reads a pipe slot by slot: each is moved into a pipe of one slot, and read from there. */
export class SlotReader {
  readonly statistics: SlotStatistics;
  readonly #calls: Native;
  readonly #fd: number;
  readonly #own: { read: number; write: number };
  #left = enough;

  constructor(calls: Native, fd: number) {
    this.#calls = calls;
    this.#fd = fd;
    this.#own = calls.pipes.create();
    this.statistics = new SlotStatistics(calls.pipes.setCapacity(this.#own.write, 1));
  }

  /** False once enough is known, or it cannot be done: the pipe is to be read as usual. */
  get wanted(): boolean {
    return this.#left > 0;
  }

  /** As read(2): bytes now at the start of `view`, 0 at the end, null where there is nothing yet. */
  readInto(view: Uint8Array): number | null {
    const { files, pipes } = this.#calls;
    let at = 0;
    let waiting = 0;
    for (let slots = 0; slots < most && this.wanted; slots++) {
      // What is in the pipe only becomes more: only near its end is it asked for again.
      if (waiting <= this.statistics.page) waiting = pipes.waiting(this.#fd);
      const count = this.#move(view.length - at);
      if (count === null) this.statistics.waited();
      if (!count) return at > 0 ? at : count;
      const end = at + count;
      while (at < end) at += files.read(this.#own.read, view.subarray(at, end), end - at)!;
      this.statistics.add(count, view[at - 1] === 10, waiting > count);
      waiting -= count;
      this.#left--;
      if (view.length - at < 2 ** 16) break;
    }
    return at > 0 ? at : files.read(this.#fd, view, view.length);
  }

  #move(length: number): number | null {
    try {
      return this.#calls.pipes.splice(this.#fd, null, this.#own.write, null, length);
    } catch (error) {
      // A sandbox may refuse it; then a plain read says what else there is to say.
      if (!isSystemError(error)) throw error;
      this.#left = 0;
      return null;
    }
  }

  close(): void {
    this.#left = 0;
    this.#calls.files.close(this.#own.read);
    this.#calls.files.close(this.#own.write);
  }
}
