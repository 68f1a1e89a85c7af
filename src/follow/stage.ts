// Between a followed name and its lines: the encoding is settled by each new content's first bytes, whenever they come.

import { type FileEncoding, fileEncoding, headNeeded, type LineEnds } from './line-ends.js';
import { type LineFormat, Lines } from './lines.js';

export interface StageOptions {
  format: LineFormat;
  /** Undefined: bytes, whose lines end as `ends` says. */
  encoding: string | undefined;
  lineEnd: 'newline' | 'nul';
  ends: LineEnds;
}

export class Stage {
  readonly #options: StageOptions;
  readonly #write: (bytes: Uint8Array) => void;
  #lines: Lines | undefined;
  #head: Buffer = Buffer.alloc(0);

  constructor(options: StageOptions, write: (bytes: Uint8Array) => void) {
    this.#options = options;
    this.#write = write;
  }

  /** Bytes of a content's beginning by which its encoding is settled. */
  get headNeeded(): number {
    const { encoding } = this.#options;
    return encoding === undefined ? 0 : headNeeded(encoding);
  }

  /** A content that begins with `head` (its first four bytes, or all): what ends its lines? */
  begin(head: Uint8Array): LineEnds {
    const settled = this.#settle(head);
    if (head.length < this.headNeeded) return settled.ends; // Settled once more has come.
    this.#lines = new Lines(this.#options.format, settled, this.#write);
    return settled.ends;
  }

  take(bytes: Uint8Array, offset: number): void {
    if (!this.#lines) {
      if (this.#head.length > 0) bytes = Buffer.concat([this.#head, bytes]);
      offset -= this.#head.length;
      if (offset === 0 && bytes.length < this.headNeeded) {
        this.#head = Buffer.from(bytes);
        return;
      }
      this.#head = Buffer.alloc(0);
      this.#lines = new Lines(this.#options.format, this.#settle(offset === 0 ? bytes : this.#head), this.#write);
    }
    this.#lines.take(bytes, offset);
  }

  /** This content has ended; what comes next is another's beginning. */
  end(): void {
    const head = this.#head;
    this.#head = Buffer.alloc(0);
    const lines =
      this.#lines ?? (head.length > 0 ? new Lines(this.#options.format, this.#settle(head), this.#write) : undefined);
    this.#lines = undefined;
    if (head.length > 0) lines?.take(head, 0);
    lines?.end();
  }

  /** The first byte of what is held back; undefined: nothing is. */
  get heldFrom(): number | undefined {
    return this.#head.length > 0 ? 0 : this.#lines?.heldFrom;
  }

  #settle(head: Uint8Array): FileEncoding {
    const { encoding, lineEnd, ends } = this.#options;
    if (encoding === undefined) return { name: undefined, ends, mark: Buffer.alloc(0) };
    return fileEncoding(encoding, lineEnd, head);
  }
}
