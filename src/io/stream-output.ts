// Writing to what can block (stdout as a pipe, a terminal, a FIFO) without holding up signals: one write at a time in the
// thread pool, and no more in memory than one step.

import { write } from 'node:fs';
import { type Bytes, bytesOf } from './bytes.js';
import type { Sink } from './raw.js';

export class StreamOutput implements Sink {
  #fd: number;
  #held = Buffer.alloc(0);
  #busy = false;
  #failed: Error | undefined;
  #wake: (() => void)[] = [];

  /** `fd` stays the caller's. */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Takes all of `view`, or null while the bytes before it are not out. Throws what became of them, at the next call. */
  write(view: Bytes): number | null {
    if (this.#failed) throw this.#failed;
    if (this.#busy) return null;
    const bytes = bytesOf(view);
    if (bytes.length === 0) return 0;
    if (this.#held.length < bytes.length) this.#held = Buffer.allocUnsafeSlow(bytes.length);
    this.#held.set(bytes);
    this.#busy = true;
    this.#rest(0, bytes.length);
    return bytes.length;
  }

  get isBusy(): boolean {
    return this.#busy;
  }

  /** Settles when the bytes taken are out, or have failed. */
  ready(): Promise<void> {
    return this.#busy ? new Promise((resolve) => this.#wake.push(resolve)) : Promise.resolve();
  }

  /** Settles when everything is out; rejects with what came between. */
  async finish(): Promise<void> {
    await this.ready();
    if (this.#failed) throw this.#failed;
  }

  #rest(at: number, length: number): void {
    write(this.#fd, this.#held, at, length - at, null, (error, count) => {
      // A neighbour may have made it non-blocking.
      if (error?.code === 'EAGAIN') setTimeout(() => this.#rest(at, length), 5);
      else if (error) this.#done(error);
      else if (at + count < length) this.#rest(at + count, length);
      else this.#done();
    });
  }

  #done(error?: Error): void {
    this.#failed = error;
    this.#busy = false;
    for (const wake of this.#wake.splice(0)) wake();
  }
}
