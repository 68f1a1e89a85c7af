// Text on its way down: it waits until there is enough of it to be worth encoding and a write below.
import type { IncrementalEncoder } from './codecs.js';
import { BlockingIOError, invalidReturn } from './errors.js';
import { type BufferLike, CHUNK } from './text-options.js';

export class TextWriter {
  readonly encoder: IncrementalEncoder;
  readonly #below: BufferLike;
  /** Encoded parts, then text that only needs encoding. */
  #parts: Buffer[] = [];
  #text = '';
  /** Of both, in bytes or at least that many characters; the parts may be empty and still be there. */
  #size = 0;

  constructor(below: BufferLike, encoder: IncrementalEncoder) {
    this.#below = below;
    this.encoder = encoder;
  }

  /** Does anything wait? */
  get waits(): boolean {
    return this.#size > 0 || this.#parts.length > 0;
  }

  /** Takes all of `text` and hands it down, now or later; when it has no bytes, or a write below fails, none of it. */
  write(text: string, now: boolean): void {
    const { encoder } = this;
    if (!now && text.length < CHUNK && encoder.plain(text)) {
      // Encoded together with its neighbours, later: nothing can go wrong with it.
      encoder.atStart = false;
      this.#text += text;
      this.#size += text.length;
      if (this.#size >= CHUNK) this.flush(text);
      return;
    }
    const bytes = encoder.encode(text);
    if (bytes.length >= CHUNK) this.flush();
    this.#encodeText();
    this.#parts.push(bytes);
    this.#size += bytes.length;
    if (now || this.#size >= CHUNK) this.flush(bytes);
  }

  #encodeText(): void {
    if (this.#text === '') return;
    this.#parts.push(this.encoder.encode(this.#text));
    this.#text = '';
  }

  /**
   * Hands what waits to the layer below. Where that fails nothing written before is lost: it still waits here. What the
   * failing call itself brought (`newest`) is not taken: it may be written again.
   */
  flush(newest?: string | Buffer): void {
    if (!this.waits) return;
    this.#encodeText();
    const all = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#size = 0;
    let taken = 0;
    try {
      do taken += this.#handDown(taken === 0 ? all : all.subarray(taken));
      while (taken < all.length);
    } catch (error) {
      const size = typeof newest === 'string' ? this.encoder.encode(newest).length : (newest?.length ?? 0);
      const old = all.length - size;
      if (error instanceof BlockingIOError) taken += error.charactersWritten;
      if (taken < old) {
        this.#parts = [all.subarray(taken, old)];
        this.#size = old - taken;
      }
      throw error instanceof BlockingIOError && size > 0
        ? new BlockingIOError(error.message, Math.max(0, taken - old))
        : error;
    }
  }

  /** One write below: how much it took. A layer that counts nothing has taken all. */
  #handDown(bytes: Buffer): number {
    const count: unknown = this.#below.write!(bytes);
    if (count === bytes.length || count === undefined) return bytes.length;
    if (count === null || count === 0) throw new BlockingIOError('write could not complete without blocking', 0);
    if (!Number.isInteger(count) || (count as number) < 0 || (count as number) > bytes.length)
      throw invalidReturn(`write() below returned invalid length ${count} (should have been 0 to ${bytes.length})`);
    return count as number;
  }
}
