// node:zlib between a source and the pump. Its streams work in the thread pool and stop when nobody reads, so this holds
// one step of input and one of output, whatever the sizes.

import type { Transform } from 'node:stream';
import { SluiceError } from './failure.js';
import type { Source } from './raw.js';

/** A stream of node:zlib, which counts the bytes of input that it has used. */
export type ZlibStream = Transform & { bytesWritten: number };

/** What may follow when the compressed data say that they are complete: nothing, or zeros (tapes), which are dropped. */
export type Trailer = 'nothing' | 'zeros';

/**
 * Bytes in, and, for the stream's maker, bytes out at a time. Each step is a job for the thread pool: with 64 KiB in and node:zlib's own
 * 16 KiB out, gunzip takes half as long again.
 */
export const step: number = 256 * 1024;

export class ZlibSource implements Source {
  #source: Source;
  #stream: ZlibStream;
  #trailer: Trailer;
  #damaged: (why: string) => SluiceError;
  /** The piece that the stream is working on; it may not be overwritten before the stream says so. */
  #input = Buffer.allocUnsafeSlow(step);
  #given = 0;
  #last = 0;
  #busy = false;
  #sourceEnded = false;
  #ended = false;
  #failed: unknown;
  #held: Uint8Array = new Uint8Array(0);
  #wake: (() => void) | undefined;

  /** `damaged` makes the error for data that the stream refuses. */
  constructor(source: Source, stream: ZlibStream, trailer: Trailer, damaged: (why: string) => SluiceError) {
    this.#source = source;
    this.#stream = stream;
    this.#trailer = trailer;
    this.#damaged = damaged;
    stream.on('readable', () => this.#woken());
    stream.on('end', () => {
      this.#ended = true;
      this.#woken();
    });
    stream.on('error', (error) => {
      this.#failed ??= error instanceof SluiceError ? error : damaged(error.message);
      this.#woken();
    });
  }

  readInto(view: Uint8Array): number | null {
    if (this.#held.length === 0) {
      const next = this.#stream.read() as Uint8Array | null;
      if (next !== null) this.#held = next;
      else if (this.#failed !== undefined) throw this.#failed;
      else if (this.#ended) return this.#rest();
      else return null;
    }
    const count = Math.min(view.length, this.#held.length);
    view.set(count === this.#held.length ? this.#held : this.#held.subarray(0, count));
    this.#held = this.#held.subarray(count);
    return count;
  }

  async ready(): Promise<void> {
    if (this.#failed !== undefined || this.#held.length > 0 || this.#stream.readableLength > 0) return;
    if (this.#ended) return sourceReady(this.#source);
    if (!this.#busy && !this.#sourceEnded && !this.#feed()) return sourceReady(this.#source);
    // Any event is worth a look: the end, for one, is only told after somebody has read in vain.
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  #woken(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  /** The next piece into the stream; false = the source has none yet. */
  #feed(): boolean {
    const count = this.#source.readInto(this.#input);
    if (count === null) return false;
    if (count === 0) {
      this.#sourceEnded = true;
      this.#stream.end();
      return true;
    }
    this.#busy = true;
    this.#given += count;
    this.#last = count;
    this.#stream.write(this.#input.subarray(0, count), () => {
      this.#busy = false;
      this.#woken();
    });
    return true;
  }

  /** The data said that they are complete. What comes behind them was not meant for us, and is not dropped in silence. */
  #rest(): number | null {
    const unused = this.#given - this.#stream.bytesWritten;
    this.#given -= unused;
    if (unused > 0) this.#expectTrailer(this.#input.subarray(this.#last - unused, this.#last));
    while (!this.#sourceEnded) {
      const count = this.#source.readInto(this.#input);
      if (count === null) return null;
      if (count === 0) this.#sourceEnded = true;
      else this.#expectTrailer(this.#input.subarray(0, count));
    }
    return 0;
  }

  #expectTrailer(bytes: Buffer): void {
    if (this.#trailer === 'nothing' || !bytes.equals(zeros.subarray(0, bytes.length)))
      throw this.#damaged('something else follows the compressed data');
  }
}

const zeros = Buffer.alloc(step);

/** Worth asking `source` again: its own word, or a moment. */
const sourceReady = (source: Source): Promise<void> =>
  source.ready?.() ?? new Promise((resolve) => setTimeout(resolve, 2));
