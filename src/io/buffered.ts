// What the buffered layers share: one block of memory between the caller and a raw stream, for reading and writing at once,
// and the positions in it. The arithmetic is CPython's, so that interleaved calls give what they give there.
//
//   buffer   0 ........ pos ........ readEnd ........ size      pos = where the caller is
//            the raw stream stands at rawPos (-1: not known to be in the buffer)
//            writePos..writeEnd waits to be written (writeEnd -1: nothing does); readEnd -1: nothing has been read
import { constants } from 'node:buffer';
import type { Bytes } from './bytes.js';
import { BlockingIOError, closedError, invalidArgument, UnsupportedOperation } from './errors.js';
import type { RawIO } from './raw.js';
import { able, attached, rawSeek, rawTell, rawWrite } from './raw-calls.js';

/** What a buffered layer may lack of a raw stream: whatever it does not call. Any object with the methods will do. */
export type RawLike = Partial<RawIO> & Pick<RawIO, 'close' | 'closed'>;

const nothing = Buffer.alloc(0);

export abstract class Buffered {
  /** @internal Shared with the functions that read and write; no part of the interface. */
  _raw: RawIO | null;
  /** @internal */ _buffer: Buffer;
  /** @internal Were parts of `_buffer` handed out? Then it is replaced, never written over. */
  _lent = false;
  /** @internal */ _pos = 0;
  /** @internal */ _rawPos = 0;
  /** @internal */ _readEnd = -1;
  /** @internal */ _writePos = 0;
  /** @internal */ _writeEnd = -1;
  /** @internal Where the raw stream stands in its file, -1 = ask it. */
  _absolute = -1;
  /** @internal Writes of this size and more go past the buffer even where they would fit; for buffers that nobody sized. */
  _large = Number.POSITIVE_INFINITY;
  /** @internal */ _gone = false;
  /** @internal */ readonly _reads: boolean;
  /** @internal */ readonly _writes: boolean;
  /** The size of the buffer in bytes. */
  readonly bufferSize: number;

  /** @internal */
  constructor(raw: RawLike, bufferSize: number, reads: boolean, writes: boolean) {
    checkBufferSize(bufferSize);
    this._raw = raw as RawIO;
    this._reads = reads;
    this._writes = writes;
    this.bufferSize = bufferSize;
    this._buffer = nothing; // made on first need: a stack that is only closed or bypassed costs none
  }

  /** The raw layer; null after `detach()`. */
  get raw(): RawIO | null {
    return this._raw;
  }

  get closed(): boolean {
    return attached(this).closed;
  }

  get name(): string | Buffer | number | undefined {
    return attached(this).name;
  }

  get mode(): string | undefined {
    return attached(this).mode;
  }

  fileno(): number {
    return able(attached(this), 'fileno').fileno();
  }

  isatty(): boolean {
    return attached(this).isatty?.() ?? false;
  }

  seekable(): boolean {
    return attached(this).seekable?.() ?? false;
  }

  readable(): boolean {
    return this._reads ? attached(this).readable() : false;
  }

  writable(): boolean {
    return this._writes ? attached(this).writable() : false;
  }

  /**
   * Writes what waits in the buffer to the raw stream, and puts the raw stream's position where the caller is. What could
   * not be written stays in the buffer: call again. A sink that would block throws `BlockingIOError`.
   */
  flush(): void {
    if (this._writes) {
      checkOpen(this, 'flush of closed file');
      flushAndRewind(this);
    } else attached(this).flush?.();
  }

  /** Flushes, then closes the raw stream, also when the flush fails: then its error is thrown once that is closed. */
  close(): void {
    const raw = attached(this);
    if (raw.closed) return;
    try {
      this.flush();
    } finally {
      try {
        raw.close();
      } finally {
        this._gone = true;
        this._buffer = nothing;
        this._readEnd = 0;
        this._pos = 0;
      }
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Flushes, gives the raw stream back, and is of no use afterwards (`ERR_DETACHED`). */
  detach(): RawIO {
    const raw = attached(this);
    this.flush();
    this._raw = null;
    return raw;
  }

  /** The caller's position in bytes from the start, whatever lies in the buffer. */
  tell(): number {
    return rawTell(this) - rawOffset(this);
  }

  /** Moves to `offset` bytes from the start (whence 0), the position (1) or the end (2); gives the new position. */
  seek(offset: number, whence = 0): number {
    attached(this);
    if (whence !== 0 && whence !== 1 && whence !== 2) throw invalidArgument(`whence value ${whence} unsupported`);
    checkOpen(this, 'seek of closed file');
    if (!this.seekable()) throw new UnsupportedOperation('file or stream is not seekable');
    if (!Number.isInteger(offset)) throw invalidArgument('an offset is a whole number');
    if (whence !== 2 && this._reads) {
      // Inside what has been read, no call is needed.
      const current = this._absolute >= 0 ? this._absolute : rawTell(this);
      const ahead = readAhead(this);
      if (ahead > 0) {
        const move = whence === 0 ? offset - (current - rawOffset(this)) : offset;
        if (move >= -this._pos && move <= ahead) {
          this._pos += move;
          return current - ahead + move;
        }
      }
    }
    if (this._writes) flushWrites(this);
    if (whence === 1) offset -= rawOffset(this);
    const position = rawSeek(this, offset, whence);
    this._rawPos = -1;
    if (this._reads) this._readEnd = -1;
    return position;
  }

  abstract write(data: Bytes): number;

  /** `write` for each item. */
  writeLines(lines: Iterable<Bytes>): void {
    if (this.closed) throw closedError();
    for (const line of lines) this.write(line);
  }

  /** Makes the file `size` bytes long (default: the position); the position stays. Gives the size. */
  truncate(size?: number | null): number {
    checkOpen(this, 'truncate of closed file');
    if (!this._writes) throw new UnsupportedOperation('truncate');
    flushAndRewind(this);
    const result = able(attached(this), 'truncate').truncate(size ?? null);
    this._absolute = -1;
    return result;
  }
}

/** Throws `ERR_INVALID_ARG_VALUE` for what is no size of a buffer, or more than there can be. */
export function checkBufferSize(size: number): void {
  if (!Number.isInteger(size) || size <= 0 || size > constants.MAX_LENGTH)
    throw invalidArgument(`a buffer size is a whole number from 1 to ${constants.MAX_LENGTH}`);
}

/** Throws unless the layer is open, or closed underneath with something left to read. */
export function checkOpen(s: Buffered, message = 'I/O operation on closed file'): void {
  const raw = attached(s);
  if ((s._gone || raw.closed) && readAhead(s) === 0) throw closedError(message);
}

/** Bytes in the buffer that have been read and not yet given. */
export function readAhead(s: Buffered): number {
  return s._reads && s._readEnd !== -1 ? s._readEnd - s._pos : 0;
}

/** How far the raw stream stands ahead of the caller. */
export function rawOffset(s: Buffered): number {
  const inBuffer = (s._reads && s._readEnd !== -1) || (s._writes && s._writeEnd !== -1);
  return inBuffer && s._rawPos >= 0 ? s._rawPos - s._pos : 0;
}

/** The buffer, ready to be written over: made on first need, and replaced when parts of it are in callers' hands. */
export function ownBuffer(s: Buffered, keep: boolean): Buffer {
  if (s._buffer.length === 0 || s._lent) {
    const fresh = Buffer.allocUnsafeSlow(s.bufferSize);
    if (keep) s._buffer.copy(fresh);
    s._buffer = fresh;
    s._lent = false;
  }
  return s._buffer;
}

/** Writes what waits. On a failure what was not taken still waits. */
export function flushWrites(s: Buffered): void {
  if (s._writes && s._writeEnd !== -1 && s._writePos !== s._writeEnd) {
    const rewind = rawOffset(s) + (s._pos - s._writePos);
    if (rewind !== 0) {
      rawSeek(s, -rewind, 1);
      s._rawPos -= rewind;
    }
    while (s._writePos < s._writeEnd) {
      const count = rawWrite(s, s._buffer.subarray(s._writePos, s._writeEnd));
      if (count === null) throw wouldBlock(0);
      s._writePos += count;
      s._rawPos = s._writePos;
    }
  }
  s._writePos = 0;
  s._writeEnd = -1;
}

/** Writes what waits, and puts the raw stream where the caller is. */
export function flushAndRewind(s: Buffered): void {
  flushWrites(s);
  if (!s._reads) return;
  try {
    rawSeek(s, -rawOffset(s), 1);
  } finally {
    s._readEnd = -1;
  }
}

/** The sink is full; `taken` bytes of this call are in the buffer or below. */
export function wouldBlock(taken: number): BlockingIOError {
  return new BlockingIOError('write could not complete without blocking', taken);
}
