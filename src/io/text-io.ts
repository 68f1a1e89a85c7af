// TextIOWrapper: characters and lines over a stream of bytes. What was read is kept decoded until it is asked for, what
// is written is kept until there is enough of it; a position can be told and returned to in the midst of it all.
import { readLinesOf } from './buffered-reading.js';
import { checkErrors, codePoints, type ErrorMode } from './codec-errors.js';
import { type Codec, findCodec } from './codecs.js';
import { unpackCookie } from './cookie.js';
import { closedError, detachedError, invalidArgument, UnsupportedOperation } from './errors.js';
import type { Newlines } from './newlines.js';
import { sizeOf } from './sizes.js';
import { type BufferLike, checkNewline, type Newline, type TextOptions } from './text-options.js';
import { TextReader } from './text-reading.js';
import { TextWriter } from './text-writing.js';

export class TextIOWrapper implements Iterable<string> {
  #buffer: BufferLike | null;
  #encoding: string;
  #errors: ErrorMode;
  #newline: Newline;
  #lineBuffering: boolean;
  #writeThrough: boolean;
  readonly #seekable: boolean;
  /** null = the layer below cannot be read, or written. */
  #reader: TextReader | null = null;
  #writer: TextWriter | null = null;
  /** How it was opened, as given to `open`. */
  mode: string | undefined;

  /** Decodes what is read from `buffer` and encodes what is written to it. An unknown encoding is `ERR_UNKNOWN_ENCODING`. */
  constructor(buffer: BufferLike, options: TextOptions = {}) {
    if (typeof buffer !== 'object' || buffer === null) throw invalidArgument('a text layer stands on an object');
    this.#newline = checkNewline(options.newline);
    this.#encoding = options.encoding ?? 'utf-8';
    const codec = findCodec(this.#encoding);
    this.#errors = checkErrors(options.errors);
    this.#lineBuffering = options.lineBuffering ?? false;
    this.#writeThrough = options.writeThrough ?? false;
    this.#buffer = buffer;
    this.#seekable = buffer.seekable?.() ?? false;
    this.#code(buffer, codec, buffer.readable?.() ?? false, buffer.writable?.() ?? false);
  }

  /** Reads and writes in this encoding from here on. */
  #code(buffer: BufferLike, codec: Codec, readable: boolean, writable: boolean): void {
    if (readable) this.#reader = new TextReader(buffer, codec, this.#errors, this.#newline, this.#seekable);
    if (!writable) return;
    const encoder = codec.encoder(this.#errors);
    encoder.atStart = this.#seekable ? buffer.tell!() === 0 : encoder.marksPipes;
    this.#writer = new TextWriter(buffer, encoder);
  }

  #attached(): BufferLike {
    if (this.#buffer === null) throw detachedError('underlying buffer has been detached');
    return this.#buffer;
  }

  #open(): BufferLike {
    const buffer = this.#attached();
    if (buffer.closed) throw closedError();
    return buffer;
  }

  #reading(): TextReader {
    if (this.#reader === null) throw new UnsupportedOperation('not readable');
    return this.#reader;
  }

  /** The layer below; null after `detach()`. */
  get buffer(): BufferLike | null {
    return this.#buffer;
  }

  /** The encoding as it was named. */
  get encoding(): string {
    return this.#encoding;
  }

  get errors(): ErrorMode {
    return this.#errors;
  }

  get lineBuffering(): boolean {
    return this.#lineBuffering;
  }

  get writeThrough(): boolean {
    return this.#writeThrough;
  }

  /** The `newline` option. */
  get newline(): Newline {
    return this.#newline;
  }

  /** The kinds of newline read so far: null, one, or an array in the order `\r`, `\n`, `\r\n`. */
  get newlines(): Newlines {
    this.#attached();
    return this.#reader === null ? null : this.#reader.newlines;
  }

  get closed(): boolean {
    return this.#attached().closed;
  }

  get name(): string | Buffer | number | undefined {
    return this.#attached().name;
  }

  fileno(): number {
    return this.#able('fileno').fileno!();
  }

  isatty(): boolean {
    return this.#attached().isatty?.() ?? false;
  }

  readable(): boolean {
    return this.#attached().readable?.() ?? false;
  }

  writable(): boolean {
    return this.#attached().writable?.() ?? false;
  }

  seekable(): boolean {
    return this.#attached().seekable?.() ?? false;
  }

  /** The layer below, if it has that method. */
  #able(method: 'fileno' | 'truncate'): BufferLike {
    const buffer = this.#attached();
    if (typeof buffer[method] !== 'function') throw new UnsupportedOperation(method);
    return buffer;
  }

  /**
   * Takes all of `text`, and gives its length in code points. Text that the encoding has no bytes for throws
   * `UnicodeEncodeError`, and none of it is written.
   */
  write(text: string): number {
    this.#attached();
    if (typeof text !== 'string') throw invalidArgument(`write() takes text, not ${typeof text}`);
    const buffer = this.#open();
    const writer = this.#writer;
    if (writer === null) throw new UnsupportedOperation('not writable');
    const count = codePoints(text);
    const translates = this.#newline === '\r' || this.#newline === '\r\n';
    const hasLf = (translates || this.#lineBuffering) && text.includes('\n');
    if (hasLf && translates) text = text.replaceAll('\n', this.#newline!);
    const flush = this.#lineBuffering && (hasLf || text.includes('\r'));
    writer.write(text, flush || this.#writeThrough);
    if (flush) buffer.flush?.();
    this.#reader?.forget();
    return count;
  }

  /** `write` for each item. */
  writeLines(lines: Iterable<string>): void {
    this.#open();
    for (const line of lines) this.write(line);
  }

  /** Hands everything written to the layers below, and flushes those. */
  flush(): void {
    const buffer = this.#open();
    if (this.#reader !== null) this.#reader.telling = this.#seekable;
    this.#writer?.flush();
    buffer.flush?.();
  }

  /** Flushes, and closes the layers below even if that fails. */
  close(): void {
    const buffer = this.#attached();
    if (buffer.closed) return;
    try {
      this.flush();
    } finally {
      buffer.close();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Flushes, gives the layer below back, and is of no use afterwards (`ERR_DETACHED`). */
  detach(): BufferLike {
    const buffer = this.#attached();
    this.flush();
    this.#buffer = null;
    return buffer;
  }

  /** Reads `size` code points, fewer only at the end of file; -1 = everything. Empty = end of file. */
  read(size?: number | null): string {
    this.#attached();
    const count = sizeOf(size);
    this.#open();
    const reader = this.#reading();
    this.#writer?.flush();
    return count < 0 ? reader.readAll() : reader.read(count);
  }

  /** The next line with its newline, at most `size` code points of it. Empty = end of file. */
  readLine(size?: number | null): string {
    this.#attached();
    const limit = sizeOf(size);
    this.#open();
    this.#writer?.flush();
    const reader = this.#reading();
    return limit === 0 ? '' : reader.line(limit); // nothing is asked for: nothing need be read, nor waited for
  }

  /** Lines until there are more than `hint` code points of them; -1 = all. */
  readLines(hint?: number | null): string[] {
    return readLinesOf(this, hint, codePoints);
  }

  /** The lines from here on. While it runs `tell` throws: a position would cost too much. */
  [Symbol.iterator](): IterableIterator<string> {
    const iterator: IterableIterator<string> = { next: () => this.#nextLine(), [Symbol.iterator]: () => iterator };
    return iterator;
  }

  #nextLine(): IteratorResult<string, undefined> {
    this.#open();
    this.#writer?.flush();
    const reader = this.#reading();
    reader.telling = false;
    const value = reader.lineAtHand() ?? reader.line(-1);
    if (value !== '') return { value, done: false };
    reader.ended();
    return { value: undefined, done: true };
  }

  /**
   * The position, for `seek` on this stream: a number that is opaque, as it also holds the decoder's state. Throws in
   * the midst of an iteration, and where the layer below cannot seek.
   */
  tell(): number | bigint {
    const buffer = this.#open();
    if (!this.#seekable) throw new UnsupportedOperation('underlying stream is not seekable');
    if (this.#reader?.telling === false) throw new UnsupportedOperation('telling position disabled while iterating');
    this.flush();
    const position = buffer.tell!();
    return this.#reader === null ? position : this.#reader.position(position);
  }

  /** Goes to a position that `tell` gave, to the start (0), to the end (0, 2) or nowhere (0, 1); gives the position. */
  seek(cookie: number | bigint, whence = 0): number | bigint {
    const buffer = this.#open();
    if (typeof cookie !== 'bigint' && !Number.isInteger(cookie)) throw invalidArgument('a position is a whole number');
    if (!this.#seekable) throw new UnsupportedOperation('underlying stream is not seekable');
    if (whence === 1) {
      if (Number(cookie) !== 0) throw new UnsupportedOperation("can't do nonzero cur-relative seeks");
      cookie = this.tell();
    } else if (whence === 2) {
      if (Number(cookie) !== 0) throw new UnsupportedOperation("can't do nonzero end-relative seeks");
      this.flush();
      this.#reader?.forget();
      const position = buffer.seek!(0, 2);
      if (this.#writer !== null) this.#writer.encoder.atStart = position === 0;
      return position;
    } else if (whence !== 0) throw invalidArgument(`invalid whence (${whence}, should be 0, 1 or 2)`);
    if (cookie < 0) throw invalidArgument(`negative seek position ${cookie}`);
    this.flush();
    const place = unpackCookie(cookie);
    buffer.seek!(place.start);
    this.#reader?.moveTo(place);
    if (this.#writer !== null) this.#writer.encoder.atStart = place.start === 0 && place.flags === 0;
    return cookie;
  }

  /** Cuts off or extends the file to `size` bytes (default: where the layer below stands). Gives the size. */
  truncate(size?: number | null): number {
    this.flush();
    return this.#able('truncate').truncate!(size ?? null);
  }

  /** Changes what is given. After the first read only `lineBuffering` and `writeThrough` can be. */
  reconfigure(options: TextOptions): void {
    const { encoding, errors, newline } = options;
    const newlineGiven = newline !== undefined;
    const errorsGiven = (errors ?? encoding ?? null) !== null;
    const recodes = errorsGiven || newlineGiven;
    if (this.#reader?.begun && recodes)
      throw new UnsupportedOperation('the encoding or newline of a stream cannot be set after the first read');
    const nextNewline = newlineGiven ? checkNewline(newline) : this.#newline;
    const nextErrors = errorsGiven ? checkErrors(errors) : this.#errors;
    const nextEncoding = encoding ?? this.#encoding;
    const codec = recodes ? findCodec(nextEncoding) : null;
    this.flush();
    this.#newline = nextNewline;
    this.#encoding = nextEncoding;
    this.#errors = nextErrors;
    if (codec !== null) this.#code(this.#attached(), codec, this.#reader !== null, this.#writer !== null);
    this.#lineBuffering = options.lineBuffering ?? this.#lineBuffering;
    this.#writeThrough = options.writeThrough ?? this.#writeThrough;
  }
}
