// TextIOWrapper: characters and lines over a stream of bytes. What was read is kept decoded until it is asked for, what
// is written is kept until there is enough of it; a position can be told and returned to in the midst of it all.
import { Buffered } from './buffered.js';
import { borrow, readLinesOf } from './buffered-reading.js';
import { checkErrors, codePoints, type ErrorMode, indexAfter } from './codec-errors.js';
import { findCodec, type IncrementalEncoder } from './codecs.js';
import { type Cookie, packCookie, unpackCookie } from './cookie.js';
import type { DecoderState, IncrementalDecoder } from './decoders.js';
import { BlockingIOError, closedError, detachedError, invalidArgument, UnsupportedOperation } from './errors.js';
import { NewlineDecoder, type Newlines } from './newlines.js';
import { sizeOf } from './sizes.js';

/** How a newline is read and written: null = all kinds are `\n`; '' = all kinds, as they are; else only this one. */
export type Newline = null | '' | '\n' | '\r' | '\r\n';

export interface TextOptions {
  /** Default utf-8. */
  encoding?: string | null | undefined;
  /** What to do with bytes that are no text, and text that has no bytes. Default strict: an error. */
  errors?: ErrorMode | null | undefined;
  newline?: Newline | undefined;
  /** Flush whenever a newline is written. */
  lineBuffering?: boolean | undefined;
  /** Hand what is written to the layer below at once. */
  writeThrough?: boolean | undefined;
}

/** What a text layer stands on: a buffered layer, a BytesIO, or any object with their methods. */
export interface BufferLike {
  read?(size?: number): Uint8Array | null;
  read1?(size: number): Uint8Array | null;
  write?(data: Uint8Array): number | null;
  seek?(offset: number, whence?: number): number;
  tell?(): number;
  truncate?(size?: number | null): number;
  flush?(): void;
  close(): void;
  readonly closed: boolean;
  fileno?(): number;
  isatty?(): boolean;
  readable?(): boolean;
  writable?(): boolean;
  seekable?(): boolean;
  readonly name?: string | Buffer | number | undefined;
}

/** Characters and bytes that are handled at a time: as in CPython, so that its positions are ours. */
const CHUNK = 8192;
/** The same where no position can be asked for. */
const LARGE_CHUNK = 64 * 1024;

interface Snapshot {
  flags: number;
  /** What was decoded since: bytes that the decoder held, and the piece read after. */
  held: Buffer;
  piece: Uint8Array;
}

const empty: Buffer = Buffer.alloc(0);

/** Checks a `newline` option: throws `ERR_INVALID_ARG_VALUE`. */
export function checkNewline(newline: unknown): Newline {
  if (newline === undefined || newline === null) return null;
  if (newline === '' || newline === '\n' || newline === '\r' || newline === '\r\n') return newline;
  throw invalidArgument(`illegal newline value: ${JSON.stringify(newline)}`);
}

export class TextIOWrapper implements Iterable<string> {
  #buffer: BufferLike | null;
  #encoding: string;
  #errors: ErrorMode;
  #lineBuffering: boolean;
  #writeThrough: boolean;
  #newline: Newline = null;
  #decoder: IncrementalDecoder | null = null;
  #encoder: IncrementalEncoder | null = null;
  readonly #seekable: boolean;
  /** Can a position be told? Not while iterating: that would mean work on every line. */
  #telling: boolean;
  /** Decoded and not all given: null = nothing read since the last seek. */
  #chars: string | null = null;
  #used = 0;
  /** The next `\r` in `#chars`, or where the search for one ended; only for newline ''. */
  #nextCr = -1;
  #snapshot: Snapshot | null = null;
  /** Bytes and text of the last piece: their ratio tells `tell` where to begin. */
  #ratioBytes = 0;
  #ratioText = '';
  /** Written and not handed down: encoded parts, then text that only needs encoding. */
  #pending: Buffer[] = [];
  #pendingText = '';
  #pendingSize = 0;
  /** How it was opened, as given to `open`. */
  mode: string | undefined;

  /** Decodes what is read from `buffer` and encodes what is written to it. An unknown encoding is `ERR_UNKNOWN_ENCODING`. */
  constructor(buffer: BufferLike, options: TextOptions = {}) {
    this.#newline = checkNewline(options.newline);
    this.#encoding = options.encoding ?? 'utf-8';
    const codec = findCodec(this.#encoding);
    this.#errors = checkErrors(options.errors);
    this.#lineBuffering = options.lineBuffering ?? false;
    this.#writeThrough = options.writeThrough ?? false;
    this.#buffer = buffer;
    if (buffer.readable?.()) this.#decoder = this.#wrap(codec.decoder(this.#errors));
    if (buffer.writable?.()) this.#encoder = codec.encoder(this.#errors);
    this.#seekable = this.#telling = buffer.seekable?.() ?? false;
    this.#setEncoderStart();
  }

  #wrap(decoder: IncrementalDecoder): IncrementalDecoder {
    return this.#newline === null || this.#newline === ''
      ? new NewlineDecoder(decoder, this.#newline === null)
      : decoder;
  }

  #setEncoderStart(): void {
    if (this.#encoder !== null)
      this.#encoder.atStart = this.#seekable ? this.#attached().tell!() === 0 : this.#encoder.marksPipes;
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
    return this.#decoder instanceof NewlineDecoder ? this.#decoder.newlines : null;
  }

  get closed(): boolean {
    return this.#attached().closed;
  }

  get name(): string | Buffer | number | undefined {
    return this.#attached().name;
  }

  fileno(): number {
    return this.#attached().fileno!();
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

  /**
   * Takes all of `text`, and gives its length in code points. Text that the encoding has no bytes for throws
   * `UnicodeEncodeError`, and none of it is written.
   */
  write(text: string): number {
    this.#attached();
    if (typeof text !== 'string') throw invalidArgument(`write() takes text, not ${typeof text}`);
    this.#open();
    const encoder = this.#encoder;
    if (encoder === null) throw new UnsupportedOperation('not writable');
    const count = codePoints(text);
    const translates = this.#newline === '\r' || this.#newline === '\r\n';
    const hasLf = (translates || this.#lineBuffering) && text.includes('\n');
    if (hasLf && translates) text = text.replaceAll('\n', this.#newline!);
    const flush = this.#lineBuffering && (hasLf || text.includes('\r'));
    this.#pend(encoder, text, flush);
    if (flush) this.#attached().flush?.();
    this.#chars = null;
    this.#used = 0;
    this.#snapshot = null;
    this.#decoder?.reset();
    return count;
  }

  #pend(encoder: IncrementalEncoder, text: string, flush: boolean): void {
    const now = flush || this.#writeThrough;
    if (!now && text.length < CHUNK && encoder.plain(text)) {
      // Encoded together with its neighbours, later: nothing can go wrong with it.
      encoder.atStart = false;
      this.#pendingText += text;
      this.#pendingSize += text.length;
      if (this.#pendingSize >= CHUNK) this.#writePending(text);
      return;
    }
    const bytes = encoder.encode(text);
    if (bytes.length >= CHUNK) this.#writePending();
    this.#encodePending();
    this.#pending.push(bytes);
    this.#pendingSize += bytes.length;
    if (now || this.#pendingSize >= CHUNK) this.#writePending(bytes);
  }

  #encodePending(): void {
    if (this.#pendingText === '') return;
    this.#pending.push(this.#encoder!.encode(this.#pendingText));
    this.#pendingText = '';
  }

  /**
   * Hands what was written to the layer below. Where that fails nothing written before is lost: it still waits here. What
   * the failing call itself brought (`newest`) is not taken: it may be written again.
   */
  #writePending(newest?: string | Buffer): void {
    if (this.#pendingSize === 0 && this.#pending.length === 0) return;
    const newestSize = newest === undefined ? 0 : typeof newest === 'string' ? -1 : newest.length;
    this.#encodePending();
    const all = this.#pending.length === 1 ? this.#pending[0]! : Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingSize = 0;
    try {
      this.#attached().write!(all);
    } catch (error) {
      const size = newestSize === -1 ? this.#encoder!.encode(newest as string).length : newestSize;
      const old = all.length - size;
      const taken = error instanceof BlockingIOError ? error.charactersWritten : 0;
      if (taken < old) {
        this.#pending = [all.subarray(taken, old)];
        this.#pendingSize = old - taken;
      }
      throw error instanceof BlockingIOError && size > 0
        ? new BlockingIOError(error.message, Math.max(0, taken - old))
        : error;
    }
  }

  /** `write` for each item. */
  writeLines(lines: Iterable<string>): void {
    this.#open();
    for (const line of lines) this.write(line);
  }

  /** Hands everything written to the layers below, and flushes those. */
  flush(): void {
    const buffer = this.#open();
    this.#telling = this.#seekable;
    this.#writePending();
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

  /** Reads and decodes the next piece into `#chars`; false = end of file. */
  #readChunk(hint: number): boolean {
    const decoder = this.#decoder;
    if (decoder === null) throw new UnsupportedOperation('not readable');
    // Also while iterating, when no one may ask: a flush allows it again, and the answer must be right then.
    const state: DecoderState | null = this.#seekable ? decoder.getState() : null;
    const least = this.#telling ? CHUNK : LARGE_CHUNK;
    const piece = this.#readPiece(hint > least ? hint : least);
    const final = piece.length === 0;
    const text = decoder.decode(piece, final);
    this.#setChars(text);
    this.#ratioBytes = piece.length;
    this.#ratioText = text;
    if (state !== null) this.#snapshot = { flags: state.flags, held: state.pending, piece };
    return text.length > 0 || !final;
  }

  /** At most `size` bytes with at most one read below. Empty = end of file. Valid until the next read below. */
  #readPiece(size: number): Uint8Array {
    const buffer = this.#attached();
    const below: unknown = buffer;
    const ours = below instanceof Buffered ? below : null;
    if (ours !== null && ours.bufferSize > size) {
      ours.readable(); // throws when closed or detached
      return borrow(ours, size);
    }
    return (buffer.read1 ? buffer.read1(size) : buffer.read!(size)) ?? empty;
  }

  #setChars(text: string | null): void {
    this.#chars = text;
    this.#used = 0;
    this.#nextCr = -1;
  }

  /** At most `size` code points of what is decoded; -1 = all of it. */
  #takeChars(size: number): string {
    if (this.#chars === null) return '';
    const from = this.#used;
    this.#used = size < 0 ? this.#chars.length : indexAfter(this.#chars, from, size);
    return this.#chars.slice(from, this.#used);
  }

  /** Reads `size` code points, fewer only at the end of file; -1 = everything. Empty = end of file. */
  read(size?: number | null): string {
    this.#attached();
    const count = sizeOf(size);
    const buffer = this.#open();
    if (this.#decoder === null) throw new UnsupportedOperation('not readable');
    this.#writePending();
    if (count < 0) {
      const bytes = buffer.read!();
      const decoded = this.#decoder.decode(bytes ?? empty, bytes !== null && bytes !== undefined);
      const text = this.#takeChars(-1) + decoded;
      this.#setChars(null);
      this.#snapshot = null;
      return text;
    }
    let text = this.#takeChars(count);
    let remaining = count - codePoints(text);
    while (remaining > 0) {
      const ratio = this.#ratioText.length > 0 ? this.#ratioBytes / this.#ratioText.length : 0;
      if (!this.#readChunk(Math.floor(Math.max(ratio, 1) * remaining))) break;
      const part = this.#takeChars(remaining);
      text += part;
      remaining -= codePoints(part);
    }
    return text;
  }

  /** The next line with its newline, at most `size` code points of it. Empty = end of file. */
  readLine(size?: number | null): string {
    this.#attached();
    const limit = sizeOf(size);
    this.#open();
    if (limit === 0 && this.#decoder !== null) return ''; // nothing is asked for: nothing need be read, nor waited for
    return this.#line(limit);
  }

  #line(limit: number): string {
    this.#writePending();
    let line = '';
    /** What may be the first half of a `\r\n`. */
    let rest = '';
    let taken = 0;
    for (;;) {
      while (this.#chars === null || this.#chars.length === 0) {
        if (this.#readChunk(0)) continue;
        this.#setChars(null);
        this.#snapshot = null;
        return line + rest;
      }
      const restLength = rest.length;
      const text = restLength > 0 ? rest + this.#chars : this.#chars;
      const start = restLength > 0 ? 0 : this.#used;
      rest = '';
      const found = this.#lineEnd(text, start);
      const half = this.#newline === '\r\n' && text.length > start && text.endsWith('\r');
      let end = found >= 0 ? found : half ? text.length - 1 : text.length;
      let done = found >= 0;
      if (limit >= 0) {
        const length = codePoints(text.slice(start, end));
        if (taken + length >= limit) {
          if (taken + length > limit) end = indexAfter(text, start, limit - taken);
          done = true;
        }
        taken += length;
      }
      if (done) {
        this.#used = end - restLength;
        return line === '' ? text.slice(start, end) : line + text.slice(start, end);
      }
      line += text.slice(start, end);
      rest = text.slice(end);
      this.#setChars(null);
    }
  }

  /** Just behind the line that begins at `from`, or -1. */
  #lineEnd(text: string, from: number): number {
    const newline = this.#newline;
    if (newline === '') {
      const lf = text.indexOf('\n', from);
      if (this.#nextCr < from) {
        const cr = text.indexOf('\r', from);
        this.#nextCr = cr === -1 ? text.length : cr;
      }
      const cr = this.#nextCr;
      if (cr >= text.length || (lf !== -1 && lf < cr)) return lf === -1 ? -1 : lf + 1;
      return lf === cr + 1 ? lf + 1 : cr + 1;
    }
    const mark = newline ?? '\n';
    const at = text.indexOf(mark, from);
    return at === -1 ? -1 : at + mark.length;
  }

  /** Lines until there are more than `hint` code points of them; -1 = all. */
  readLines(hint?: number | null): string[] {
    return readLinesOf(this, hint, codePoints);
  }

  /** The lines from here on. While it runs `tell` throws: a position would cost too much. */
  [Symbol.iterator](): IterableIterator<string> {
    const next = (): IteratorResult<string, undefined> => this.#nextLine();
    const iterator: IterableIterator<string> = { next, [Symbol.iterator]: () => iterator };
    return iterator;
  }

  #nextLine(): IteratorResult<string, undefined> {
    this.#open();
    this.#telling = false;
    const chars = this.#chars;
    if (chars !== null && this.#newline === null && this.#pendingSize === 0) {
      const at = chars.indexOf('\n', this.#used);
      if (at !== -1) {
        const value = chars.slice(this.#used, at + 1);
        this.#used = at + 1;
        return { value, done: false };
      }
    }
    const value = this.#line(-1);
    if (value !== '') return { value, done: false };
    this.#snapshot = null;
    this.#telling = this.#seekable;
    return { value: undefined, done: true };
  }

  /**
   * The position, for `seek` on this stream: a number that is opaque, as it also holds the decoder's state. Throws in
   * the midst of an iteration, and where the layer below cannot seek.
   */
  tell(): number | bigint {
    const buffer = this.#open();
    if (!this.#seekable) throw new UnsupportedOperation('underlying stream is not seekable');
    if (!this.#telling) throw new UnsupportedOperation('telling position disabled while iterating');
    this.flush();
    const position = buffer.tell!();
    const snapshot = this.#snapshot;
    const decoder = this.#decoder;
    if (decoder === null || snapshot === null) return position;
    const input = snapshot.held.length > 0 ? Buffer.concat([snapshot.held, snapshot.piece]) : snapshot.piece;
    const cookie: Cookie = { start: position - input.length, flags: snapshot.flags, feed: 0, skip: 0, eof: false };
    if (this.#used === 0) return packCookie(cookie);
    const saved = decoder.getState();
    try {
      return packCookie(this.#locate(decoder, cookie, input));
    } finally {
      decoder.setState(saved);
    }
  }

  /** Where `#used` lies in `input`, whose text began at `cookie`. The search is CPython's, and so are its answers. */
  #locate(decoder: IncrementalDecoder, cookie: Cookie, input: Uint8Array): Cookie {
    let skip = this.#used;
    const points = codePoints(this.#chars!.slice(0, this.#used));
    const ratio = this.#ratioText.length > 0 ? this.#ratioBytes / codePoints(this.#ratioText) : 0;
    // A start near the position at which the decoder holds nothing.
    let bytes = Math.floor(ratio * points);
    let back = 1;
    while (bytes > 0) {
      setDecoder(decoder, cookie);
      const decoded = decoder.decode(input.subarray(0, bytes), false).length;
      if (decoded <= skip) {
        const state = decoder.getState();
        if (state.pending.length === 0) {
          cookie.flags = state.flags;
          skip -= decoded;
          break;
        }
        bytes -= state.pending.length;
        back = 1;
      } else {
        bytes -= back;
        back *= 2;
      }
    }
    if (bytes <= 0) {
      bytes = 0;
      setDecoder(decoder, cookie);
    }
    cookie.start += bytes;
    cookie.skip = skip;
    if (skip === 0) return cookie;
    // Then byte by byte, as close as it gets.
    let decoded = 0;
    let at = bytes;
    for (; at < input.length; at++) {
      decoded += decoder.decode(input.subarray(at, at + 1), false).length;
      cookie.feed += 1;
      const state = decoder.getState();
      if (state.pending.length === 0 && decoded <= skip) {
        cookie.start += cookie.feed;
        skip -= decoded;
        cookie.flags = state.flags;
        cookie.feed = 0;
        decoded = 0;
      }
      if (decoded >= skip) break;
    }
    if (at === input.length) {
      decoded += decoder.decode(empty, true).length;
      cookie.eof = true;
      if (decoded < skip) throw new UnsupportedOperation("can't reconstruct logical file position");
    }
    cookie.skip = skip;
    return cookie;
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
      this.#setChars(null);
      this.#snapshot = null;
      this.#decoder?.reset();
      const position = buffer.seek!(0, 2);
      if (this.#encoder !== null) this.#encoder.atStart = position === 0;
      return position;
    } else if (whence !== 0) throw invalidArgument(`invalid whence (${whence}, should be 0, 1 or 2)`);
    if (cookie < 0) throw invalidArgument(`negative seek position ${cookie}`);
    this.flush();
    const place = unpackCookie(cookie);
    buffer.seek!(place.start);
    this.#setChars(null);
    this.#snapshot = null;
    const decoder = this.#decoder;
    if (decoder !== null) {
      setDecoder(decoder, place);
      this.#snapshot = { flags: place.flags, held: empty, piece: empty };
      if (place.skip > 0) {
        const piece = buffer.read!(place.feed) ?? empty;
        this.#snapshot.piece = piece;
        this.#setChars(decoder.decode(piece, place.eof));
        if (this.#chars!.length < place.skip) throw new UnsupportedOperation("can't restore logical file position");
        this.#used = place.skip;
      }
    }
    if (this.#encoder !== null) this.#encoder.atStart = place.start === 0 && place.flags === 0;
    return cookie;
  }

  /** Cuts off or extends the file to `size` bytes (default: where the layer below stands). Gives the size. */
  truncate(size?: number | null): number {
    this.flush();
    return this.#attached().truncate!(size ?? null);
  }

  /** Changes what is given. After the first read only `lineBuffering` and `writeThrough` can be. */
  reconfigure(options: TextOptions): void {
    const { encoding, errors, newline } = options;
    const newlineGiven = newline !== undefined;
    const recodes = (encoding ?? null) !== null || (errors ?? null) !== null || newlineGiven;
    if (this.#chars !== null && recodes)
      throw new UnsupportedOperation('the encoding or newline of a stream cannot be set after the first read');
    const nextNewline = newlineGiven ? checkNewline(newline) : this.#newline;
    const nextErrors = (errors ?? null) !== null || (encoding ?? null) !== null ? checkErrors(errors) : this.#errors;
    const nextEncoding = encoding ?? this.#encoding;
    const codec = recodes ? findCodec(nextEncoding) : null;
    this.flush();
    this.#ratioBytes = 0;
    this.#ratioText = '';
    this.#newline = nextNewline;
    if (codec !== null) {
      this.#encoding = nextEncoding;
      this.#errors = nextErrors;
      if (this.#decoder !== null) this.#decoder = this.#wrap(codec.decoder(nextErrors));
      if (this.#encoder !== null) {
        this.#encoder = codec.encoder(nextErrors);
        this.#setEncoderStart();
      }
    }
    this.#lineBuffering = options.lineBuffering ?? this.#lineBuffering;
    this.#writeThrough = options.writeThrough ?? this.#writeThrough;
  }
}

/** The decoder as it was at `place`. At a stream's very start that is as new: some then expect a byte order mark. */
function setDecoder(decoder: IncrementalDecoder, place: Cookie): void {
  if (place.start === 0 && place.flags === 0) decoder.reset();
  else decoder.setState({ pending: empty, flags: place.flags });
}
