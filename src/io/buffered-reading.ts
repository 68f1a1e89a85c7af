// Reading through a buffer: large reads bypass it, small ones are served from it, and no read asks the raw stream
// again once it has what it needs (that could block). Each function works on a `Buffered`'s state.
import { type Buffered, checkOpen, flushAndRewind, ownBuffer, readAhead } from './buffered.js';
import { type Bytes, bytesOf } from './bytes.js';
import { invalidArgument, invalidReturn } from './errors.js';
import { attached, rawRead } from './raw-calls.js';
import { sizeOf } from './sizes.js';

/** Results are made in steps of this size at first, so that asking for a gigabyte of a small file costs little. */
const STEP = 1 << 20;
/** More than this no single read gives. */
const MOST = 0x7ffff000;
/** Copying as much as this out of the buffer costs more than the system call that reading ahead saves, in bytes. */
const LARGE_READ = 64 * 1024;
const NEWLINE = 10;
const empty = Buffer.alloc(0);

/** What `Buffer.subarray` makes its results with; called directly it takes half the time, which is felt line by line. */
const PartOfBuffer = (
  Buffer as unknown as Record<symbol, new (memory: ArrayBufferLike, from: number, size: number) => Buffer>
)[Symbol.species]!;

/** Reads into the buffer behind what is there: bytes, 0 = end of file, null = would block. */
export function fillBuffer(s: Buffered): number | null {
  const start = s._readEnd !== -1 ? s._readEnd : 0;
  const count = rawRead(s, ownBuffer(s, start > 0).subarray(start));
  if (count === null || count === 0) return count;
  s._readEnd = start + count;
  s._rawPos = start + count;
  return count;
}

/** The next `size` bytes of the buffer, copied. */
function take(s: Buffered, size: number): Buffer {
  const from = s._pos;
  s._pos += size;
  return copyOf(s._buffer, from, from + size);
}

function copyOf(buffer: Buffer, from: number, to: number): Buffer {
  const copy = Buffer.allocUnsafe(to - from);
  buffer.copy(copy, 0, from, to);
  return copy;
}

export function readSize(s: Buffered, size: number | null | undefined): Buffer | null {
  attached(s);
  const count = sizeOf(size);
  if (count < -1) throw invalidArgument('read length must be non-negative or -1');
  checkOpen(s, 'read of closed file');
  if (count === -1) return readToEnd(s);
  return count <= readAhead(s) ? take(s, count) : readMany(s, count);
}

function readToEnd(s: Buffered): Buffer | null {
  const ahead = readAhead(s);
  const head = ahead > 0 ? take(s, ahead) : null;
  if (s._writes) flushAndRewind(s);
  s._readEnd = -1;
  const raw = attached(s);
  s._absolute = -1;
  if (raw.readAll) {
    const rest = raw.readAll();
    if (rest === null || rest === undefined) return head;
    const tail = asBuffer(rest);
    return head === null ? tail : Buffer.concat([head, tail]);
  }
  const chunks: Buffer[] = head === null ? [] : [head];
  let total = ahead;
  for (;;) {
    const chunk = raw.read ? raw.read() : readChunk(s);
    if (chunk === null || chunk === undefined) return total === 0 ? null : Buffer.concat(chunks, total);
    if (chunk.length === 0) return Buffer.concat(chunks, total);
    chunks.push(asBuffer(chunk));
    total += chunk.length;
  }
}

/** A read of a raw stream that has nothing but `readInto`. */
function readChunk(s: Buffered): Buffer | null {
  const buffer = Buffer.allocUnsafeSlow(s.bufferSize);
  const count = rawRead(s, buffer);
  return count === null ? null : buffer.subarray(0, count);
}

function asBuffer(bytes: Uint8Array): Buffer {
  if (!(bytes instanceof Uint8Array)) throw invalidReturn('readAll() should return bytes');
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads until there are `size` bytes, the end of file, or nothing more without blocking. */
function readMany(s: Buffered, size: number): Buffer | null {
  let out = Buffer.allocUnsafe(Math.min(size, Math.max(STEP, readAhead(s))));
  let written = s._buffer.copy(out, 0, s._pos, s._pos + readAhead(s));
  s._pos += written;
  if (s._writes) flushAndRewind(s);
  s._readEnd = -1;
  const room = (): void => {
    if (written < out.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.min(size, out.length * 2));
    out.copy(larger);
    out = larger;
  };
  // Whole blocks go past the buffer, and so does as much as would be copied out of it again.
  for (;;) {
    const left = size - written;
    const blocks = left >= LARGE_READ ? left : left - (left % s.bufferSize);
    if (blocks === 0) break;
    room();
    const count = rawRead(s, out.subarray(written, Math.min(out.length, written + blocks)));
    if (count === null || count === 0) return count === 0 || written > 0 ? shrunk(out, written) : null;
    written += count;
  }
  s._pos = 0;
  s._rawPos = 0;
  s._readEnd = 0;
  while (written < size && s._readEnd < s.bufferSize) {
    const count = fillBuffer(s);
    if (count === null || count === 0) return count === 0 || written > 0 ? shrunk(out, written) : null;
    for (let left = Math.min(count, size - written); left > 0; ) {
      room();
      const copied = s._buffer.copy(out, written, s._pos, s._pos + Math.min(left, out.length - written));
      s._pos += copied;
      written += copied;
      left -= copied;
    }
  }
  return out;
}

/** A result that came out shorter than its memory: a few bytes must not hold a large block alive. */
function shrunk(buffer: Buffer, length: number): Buffer {
  return length < buffer.length >> 1 ? Buffer.from(buffer.subarray(0, length)) : buffer.subarray(0, length);
}

/** What is in the buffer, at most `size` bytes, after one raw read if nothing is. Valid until the next call: borrowed. */
export function borrow(s: Buffered, size: number): Uint8Array {
  let ahead = readAhead(s);
  if (ahead === 0) {
    if (s._writes) flushAndRewind(s);
    s._readEnd = -1;
    s._pos = 0;
    if (!fillBuffer(s)) return empty;
    ahead = readAhead(s);
  }
  const from = s._pos;
  s._pos += Math.min(size, ahead);
  return s._buffer.subarray(from, s._pos);
}

export function readOnce(s: Buffered, size = -1): Buffer {
  attached(s);
  let count = sizeOf(size);
  if (count < 0) count = s.bufferSize;
  checkOpen(s, 'read of closed file');
  if (count === 0) return empty;
  if (readAhead(s) > 0) return take(s, Math.min(count, readAhead(s)));
  if (s._writeEnd !== -1) flushAndRewind(s);
  s._readEnd = -1;
  const out = Buffer.allocUnsafe(Math.min(count, MOST));
  return shrunk(out, rawRead(s, out) ?? 0);
}

export function readIntoView(s: Buffered, view: Bytes, once: boolean): number | null {
  checkOpen(s, 'readinto of closed file');
  const into = bytesOf(view);
  const size = into.length;
  let written = 0;
  const ahead = readAhead(s);
  if (ahead > 0) {
    written = s._buffer.copy(into, 0, s._pos, s._pos + Math.min(ahead, size));
    s._pos += written;
    if (ahead >= size) return written;
  }
  if (s._writes) flushAndRewind(s);
  s._readEnd = -1;
  s._pos = 0;
  while (written < size) {
    const remaining = size - written;
    let count: number | null = 0;
    if (remaining > s.bufferSize) {
      count = rawRead(s, into.subarray(written));
    } else if (!(once && written > 0)) {
      count = fillBuffer(s);
      if (count !== null && count > 0) {
        const copied = s._buffer.copy(into, written, s._pos, s._pos + Math.min(count, remaining));
        s._pos += copied;
        written += copied;
        if (once) break;
        continue;
      }
    }
    if (count === 0) break;
    if (count === null) return written > 0 ? written : null;
    written += count;
    if (once) break;
  }
  return written;
}

/** What is in the buffer, after one raw read if nothing is; the position stays. A copy, so that it never changes. */
export function peekBuffer(s: Buffered): Buffer {
  checkOpen(s, 'peek of closed file');
  if (s._writes) flushAndRewind(s);
  if (readAhead(s) === 0) {
    s._readEnd = -1;
    s._pos = 0;
    if (!fillBuffer(s)) return empty;
  }
  return copyOf(s._buffer, s._pos, s._readEnd);
}

export function readLineOf(s: Buffered, size: number | null | undefined): Buffer {
  let limit = sizeOf(size);
  checkOpen(s, 'readline of closed file');
  const ahead = readAhead(s);
  const most = limit >= 0 && ahead > limit ? limit : ahead;
  let end = newlineIn(s._buffer, s._pos, s._pos + most);
  if (end !== -1) return take(s, end - s._pos);
  if (most === limit) return take(s, most);
  const chunks: Buffer[] = [];
  if (most > 0) {
    chunks.push(take(s, most));
    if (limit >= 0) limit -= most;
  }
  if (s._writes) flushAndRewind(s);
  for (;;) {
    s._readEnd = -1;
    s._pos = 0;
    const count = fillBuffer(s);
    if (count === null || count === 0) break;
    const part = limit >= 0 && count > limit ? limit : count;
    end = newlineIn(s._buffer, 0, part);
    if (end !== -1 || part === limit) {
      chunks.push(take(s, end === -1 ? part : end));
      break;
    }
    chunks.push(take(s, part));
    if (limit >= 0) limit -= part;
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
}

/** Just behind the first newline in `buffer[from..to]`, or -1. */
function newlineIn(buffer: Buffer, from: number, to: number): number {
  if (from >= to) return -1;
  const at = buffer.indexOf(NEWLINE, from);
  return at === -1 || at >= to ? -1 : at + 1;
}

/** Every line from here on, newline included; the last may lack one. Ends at the end of file or where it would block. */
export class LineIterator implements IterableIterator<Buffer> {
  readonly #s: Buffered;
  constructor(s: Buffered) {
    this.#s = s;
  }
  [Symbol.iterator](): this {
    return this;
  }
  next(): IteratorResult<Buffer, undefined> {
    const s = this.#s;
    // The usual case, a line that lies whole in the buffer, is given as a part of the buffer: nothing is copied.
    const end = s._readEnd;
    if (end !== -1) {
      const from = s._pos;
      const buffer = s._buffer;
      const at = buffer.indexOf(NEWLINE, from);
      if (at !== -1 && at < end) {
        s._pos = at + 1;
        s._lent = true;
        const value = new PartOfBuffer(buffer.buffer, buffer.byteOffset + from, at + 1 - from);
        return { value, done: false };
      }
    }
    const line = readLineOf(s, -1);
    return line.length > 0 ? { value: line, done: false } : { value: undefined, done: true };
  }
}

/** Lines until there are more than `hint` bytes of them (none or 0 = all). */
export function readLinesOf<L>(
  lines: Iterable<L>,
  hint: number | null | undefined,
  lengthOf: (line: L) => number,
): L[] {
  const most = sizeOf(hint);
  if (most <= 0) return [...lines];
  const all: L[] = [];
  let total = 0;
  for (const line of lines) {
    all.push(line);
    total += lengthOf(line);
    if (total > most) break;
  }
  return all;
}
