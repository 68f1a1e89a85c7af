// Text on its way up: pieces of bytes become characters that wait until they are asked for, by count or by line. Enough is
// remembered of each piece to tell a position in the midst of it, and to return there.
import { Buffered } from './buffered.js';
import { borrow } from './buffered-reading.js';
import { codePoints, indexAfter } from './codec-errors.js';
import type { Codec } from './codecs.js';
import { type Cookie, locate, packCookie, setDecoder } from './cookie.js';
import type { IncrementalDecoder } from './decoders.js';
import { invalidReturn, UnsupportedOperation } from './errors.js';
import { NewlineDecoder, type Newlines } from './newlines.js';
import { type BufferLike, CHUNK, type Newline, type TextOptions } from './text-options.js';

/** As CHUNK, where no position will be asked for. */
const LARGE_CHUNK = 64 * 1024;

interface Snapshot {
  flags: number;
  /** What was decoded since: bytes that the decoder held, and the piece read after. */
  held: Buffer;
  piece: Uint8Array;
}

const empty: Buffer = Buffer.alloc(0);

export class TextReader {
  readonly #below: BufferLike;
  readonly #decoder: IncrementalDecoder;
  readonly #newline: Newline;
  readonly #seekable: boolean;
  /** Will a position be asked for? Then pieces are small, as in CPython. */
  telling: boolean;
  /** Decoded and not all given: null = nothing read since the last seek. */
  #chars: string | null = null;
  #used = 0;
  /** The next `\r` in `#chars`, or where the search for one ended; only for newline ''. */
  #nextCr = -1;
  #snapshot: Snapshot | null = null;
  /** Bytes and text of the last piece: their ratio tells a position where to begin. */
  #ratioBytes = 0;
  #ratioText = '';

  constructor(below: BufferLike, codec: Codec, errors: TextOptions['errors'], newline: Newline, seekable: boolean) {
    this.#below = below;
    this.#newline = newline;
    this.#seekable = this.telling = seekable;
    const decoder = codec.decoder(errors ?? 'strict');
    this.#decoder = newline === null || newline === '' ? new NewlineDecoder(decoder, newline === null) : decoder;
  }

  get newlines(): Newlines {
    return this.#decoder instanceof NewlineDecoder ? this.#decoder.newlines : null;
  }

  /** Has anything been read since the last seek? */
  get begun(): boolean {
    return this.#chars !== null;
  }

  /** Lets go of what is decoded: the next piece is read from where the layer below stands. */
  forget(): void {
    this.#setChars(null);
    this.#snapshot = null;
    this.#decoder.reset();
  }

  /** Reads and decodes the next piece; false = end of file. */
  #readChunk(hint: number): boolean {
    const decoder = this.#decoder;
    // Also where no position may be asked for now (in an iteration): when it may be again, it must be right.
    const state = this.#seekable ? decoder.getState() : null;
    const least = this.telling ? CHUNK : LARGE_CHUNK;
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
    const below = this.#below;
    const any: unknown = below;
    const ours = any instanceof Buffered ? any : null;
    if (ours !== null && ours.bufferSize > size) {
      ours.readable(); // throws when closed or detached
      return borrow(ours, size);
    }
    return bytesFrom(below.read1 ? below.read1(size) : below.read!(size)) ?? empty;
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

  /** Everything that is left. */
  readAll(): string {
    const bytes = bytesFrom(this.#below.read!());
    const decoded = this.#decoder.decode(bytes ?? empty, bytes !== null);
    const text = this.#takeChars(-1) + decoded;
    this.#setChars(null);
    this.#snapshot = null;
    return text;
  }

  /** `count` code points, fewer only at the end of file. */
  read(count: number): string {
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

  /** The next line, where it ends in what is decoded and newlines are `\n`: the usual case, done at once. Else undefined. */
  lineAtHand(): string | undefined {
    const chars = this.#chars;
    if (chars === null || this.#newline !== null) return undefined;
    const from = this.#used;
    const at = chars.indexOf('\n', from);
    if (at === -1) return undefined;
    this.#used = at + 1;
    return chars.slice(from, at + 1);
  }

  /** The next line, at most `limit` code points of it; -1 = all. Empty = end of file. */
  line(limit: number): string {
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

  /** An iteration came to its end. */
  ended(): void {
    this.#snapshot = null;
    this.telling = this.#seekable;
  }

  /** Where the reader is, when the layer below stands at `position`. */
  position(position: number): number | bigint {
    const snapshot = this.#snapshot;
    if (snapshot === null) return position;
    const decoder = this.#decoder;
    const { flags, held, piece } = snapshot;
    const input = held.length > 0 ? Buffer.concat([held, piece]) : piece;
    const cookie: Cookie = { start: position - input.length, flags, feed: 0, skip: 0, eof: false };
    if (this.#used === 0) return packCookie(cookie);
    const points = codePoints(this.#chars!.slice(0, this.#used));
    const ratio = this.#ratioText.length > 0 ? this.#ratioBytes / codePoints(this.#ratioText) : 0;
    const saved = decoder.getState();
    try {
      return packCookie(locate(decoder, cookie, input, this.#used, Math.floor(ratio * points)));
    } finally {
      decoder.setState(saved);
    }
  }

  /** Goes to where `place` says, once the layer below stands at its start. */
  moveTo(place: Cookie): void {
    this.#setChars(null);
    setDecoder(this.#decoder, place);
    this.#snapshot = { flags: place.flags, held: empty, piece: empty };
    if (place.skip === 0) return;
    const piece = bytesFrom(this.#below.read!(place.feed)) ?? empty;
    this.#snapshot.piece = piece;
    this.#setChars(this.#decoder.decode(piece, place.eof));
    if (this.#chars!.length < place.skip) throw new UnsupportedOperation("can't restore logical file position");
    this.#used = place.skip;
  }
}

/** What a read below gave, if it is bytes; null = nothing there yet. */
function bytesFrom(piece: Uint8Array | null | undefined): Uint8Array | null {
  if (piece === null || piece === undefined) return null;
  if (!(piece instanceof Uint8Array)) throw invalidReturn(`a read below should give bytes, not ${typeof piece}`);
  return piece;
}
