// ByteBuffer: memory of a fixed size that others look at through views.
import { type Bytes, bytesOf } from './bytes.js';
import { invalidArgument } from './errors.js';

export class ByteBuffer {
  readonly #memory: Uint8Array;

  /** `size` bytes, all zero. */
  constructor(size: number) {
    if (!Number.isInteger(size) || size < 0) throw invalidArgument('a size is a whole number of bytes');
    this.#memory = new Uint8Array(size);
  }

  get size(): number {
    return this.#memory.length;
  }

  /** Copies as much of `data` (text as UTF-8) to the start as there is room for; gives the bytes copied. The rest stays. */
  fill(data: Bytes | string): number {
    const from = typeof data === 'string' ? Buffer.from(data) : bytesOf(data);
    const count = Math.min(from.length, this.#memory.length);
    this.#memory.set(count === from.length ? from : from.subarray(0, count));
    return count;
  }

  /** The memory itself: every view is the same bytes. */
  view(): Uint8Array {
    return this.#memory.subarray();
  }
}
