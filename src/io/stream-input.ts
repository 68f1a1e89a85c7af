// Reading from what can block (a pipe, a terminal, a socket) without holding up signals and progress, and at full speed
// while bytes are there.

import { constants, fstatSync, openSync, read } from 'node:fs';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { blockedRead } from './blocked-reads.js';
import { FileIO } from './file-io.js';
import { native } from './native.js';
import type { Source } from './raw.js';
import { enlargePipe } from './splicing.js';

/** Does reading from this descriptor block until somebody else acts? Regular files and memory devices do not. */
export function canBlock(fd: number): boolean {
  const stat = fstatSync(fd);
  if (stat.isFIFO() || stat.isSocket()) return true;
  return stat.isCharacterDevice() && stat.rdev >> 8 !== 1; // major 1: null, zero, full, random
}

/** A source that answers null while nothing is there, and whose `ready()` waits for more. */
export interface StreamInput extends Source {
  /** Bytes that have left the descriptor already, and are given first. */
  readonly held: number;
  ready(): Promise<void>;
  /** Stop waiting and let go; the descriptor that was handed in stays open. */
  close(): void;
}

/**
 * Read `fd`, which can block, without blocking. A pipe is opened anew through /proc for a description of our own, so that
 * O_NONBLOCK is not set on the one shared with other programs; it is read synchronously while it has bytes, and waited
 * for by the event loop. Where that can't be had (sockets, terminals, no /proc), the thread pool reads.
 */
export function streamInput(fd: number): StreamInput {
  if (fstatSync(fd).isFIFO()) {
    try {
      const own = openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
      return new PipeInput(own);
    } catch {
      // Another user's pipe, or no /proc.
    }
  }
  return new ThreadInput(fd);
}

/** A pipe of our own description, non-blocking. */
class PipeInput implements StreamInput {
  #file: FileIO;
  #socket: Socket | undefined;
  #stash = Buffer.allocUnsafeSlow(65536);
  #held = Buffer.alloc(0);
  #ended = false;
  #failed: Error | undefined;
  #wake: (() => void) | undefined;
  /** Bytes until it is worth loading native calls for a larger pipe: one of 64 KiB wakes its reader for each of them. */
  #untilEnlarged = 4 * 2 ** 20;

  constructor(fd: number) {
    this.#file = new FileIO(fd, 'r');
  }

  get held(): number {
    return this.#held.length;
  }

  readInto(view: Uint8Array): number | null {
    if (this.#held.length > 0) {
      const count = Math.min(view.length, this.#held.length);
      view.set(this.#held.subarray(0, count));
      this.#held = this.#held.subarray(count);
      return count;
    }
    if (this.#failed) throw this.#failed;
    if (this.#ended) return 0;
    const count = this.#file.readInto(view);
    if (count !== null && this.#untilEnlarged > 0) {
      this.#untilEnlarged -= count;
      if (this.#untilEnlarged <= 0) this.#enlarge();
    }
    return count;
  }

  #enlarge(): void {
    const calls = native();
    if (calls) enlargePipe(calls, this.#file.fileno());
  }

  ready(): Promise<void> {
    if (this.#ended || this.#failed || this.#held.length > 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (this.#socket) this.#socket.resume();
      else this.#listen();
    });
  }

  #listen(): void {
    const woken = () => {
      const wake = this.#wake;
      this.#wake = undefined;
      wake?.();
    };
    // Loaded when something has to be waited for: what is there already is read without.
    const { Socket } = createRequire(import.meta.url)('node:net') as typeof import('node:net');
    this.#socket = new Socket({
      fd: this.#file.fileno(),
      readable: true,
      writable: false,
      onread: {
        buffer: this.#stash,
        callback: (count: number) => {
          this.#held = this.#stash.subarray(0, count);
          woken();
          return false; // Pause: the next bytes are read synchronously.
        },
      },
    } as ConstructorParameters<typeof Socket>[0]);
    this.#socket.on('end', () => {
      this.#ended = true;
      woken();
    });
    this.#socket.on('error', (error) => {
      this.#failed = error;
      woken();
    });
    this.#socket.resume();
  }

  close(): void {
    if (this.#socket) this.#socket.destroy();
    else this.#file.close();
  }
}

/** Anything else that can block: one read at a time in the thread pool. */
class ThreadInput implements StreamInput {
  #fd: number;
  #stash = Buffer.allocUnsafeSlow(131072);
  #held = Buffer.alloc(0);
  #ended = false;
  #failed: Error | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  get held(): number {
    return this.#held.length;
  }

  readInto(view: Uint8Array): number | null {
    if (this.#failed) throw this.#failed;
    if (this.#ended) return 0;
    if (this.#held.length === 0) return null;
    const count = Math.min(view.length, this.#held.length);
    view.set(this.#held.subarray(0, count));
    this.#held = this.#held.subarray(count);
    return count;
  }

  ready(): Promise<void> {
    if (this.#ended || this.#failed || this.#held.length > 0) return Promise.resolve();
    return new Promise((resolve) => {
      const ended = blockedRead();
      read(this.#fd, this.#stash, 0, this.#stash.length, null, (error, count) => {
        ended();
        if (error?.code === 'EAGAIN') {
          setTimeout(resolve, 5); // A neighbour made it non-blocking: the pump asks again.
          return;
        }
        if (error?.code === 'EOF' || (!error && count === 0)) this.#ended = true;
        else if (error) this.#failed = error;
        else this.#held = this.#stash.subarray(0, count);
        resolve();
      });
    });
  }

  close(): void {}
}
