// An input that says itself that it is complete: its last line is a token, which is taken off. A producer that dies half
// way does not write it.

import { SluiceError } from './failure.js';
import { encodePath } from './path.js';
import type { Source } from './raw.js';

/** Code of the error for an input without its seal. */
export const notSealed = 'ERR_NOT_SEALED';

const step = 128 * 1024;
const lf = 10;
const cr = 13;

/**
 * `source` without its last line, which must be exactly `token` (bytes, as a path is), with or without its newline; else reading its end
 * throws. With `anyNewline` CRLF and CR end a line, too.
 */
export class SealedSource implements Source {
  #source: Source;
  #token: Buffer;
  readonly #anyNewline: boolean;
  /** Held back until the end is known: the token, its newline, and the newline before it. */
  #keep: number;
  #buffer: Buffer;
  #from = 0;
  #to = 0;
  #ended = false;
  /** Nothing was given out yet, so that the buffer's start is the input's start. */
  #atStart = true;

  constructor(source: Source, token: string, anyNewline = false) {
    this.#source = source;
    this.#token = encodePath(token);
    this.#anyNewline = anyNewline;
    this.#keep = this.#token.length + 3;
    this.#buffer = Buffer.allocUnsafeSlow(step + this.#keep);
  }

  readInto(view: Uint8Array): number | null {
    while (!this.#ended && this.#to - this.#from <= this.#keep) {
      this.#buffer.copyWithin(0, this.#from, this.#to);
      this.#to -= this.#from;
      this.#from = 0;
      const count = this.#source.readInto(this.#buffer.subarray(this.#to));
      if (count === null) return null;
      this.#to += count;
      if (count === 0) {
        this.#ended = true;
        this.#to = this.#unsealed();
      }
    }
    const ready = this.#to - this.#from - (this.#ended ? 0 : this.#keep);
    const count = Math.min(view.length, ready);
    if (count === 0) return 0;
    view.set(this.#buffer.subarray(this.#from, this.#from + count));
    this.#from += count;
    this.#atStart = false;
    return count;
  }

  ready(): Promise<void> {
    return this.#source.ready?.() ?? Promise.resolve();
  }

  /** Where the content ends and the seal begins. */
  #unsealed(): number {
    const tail = this.#buffer.subarray(this.#from, this.#to);
    let end = tail.at(-1) === lf ? tail.length - 1 : tail.length;
    if (this.#anyNewline && tail[end - 1] === cr) end--;
    const start = end - this.#token.length;
    const endsLine = (byte: number | undefined) => byte === lf || (this.#anyNewline && byte === cr);
    const alone = start > 0 ? endsLine(tail[start - 1]) : start === 0 && this.#atStart;
    if (!alone || tail.compare(this.#token, 0, this.#token.length, start, end) !== 0)
      throw new SluiceError('the input does not end with its seal', { code: notSealed });
    return this.#from + start;
  }
}
