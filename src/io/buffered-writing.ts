// Writing through a buffer: what fits waits, what is larger than the buffer goes past it, and what a full sink did not
// take stays in the buffer.
import { type Buffered, flushWrites, ownBuffer, rawOffset, wouldBlock } from './buffered.js';
import { type Bytes, bytesOf } from './bytes.js';
import { BlockingIOError, closedError } from './errors.js';
import { attached, rawSeek, rawWrite } from './raw-calls.js';

/**
 * Takes all of `data`, and is done with its memory on return: gives its length. A sink that would block throws
 * `BlockingIOError` when the buffer cannot hold the rest; any other error means that nothing more of `data` was taken.
 */
export function writeBytes(s: Buffered, data: Bytes): number {
  const raw = attached(s);
  if (s._gone || raw.closed) throw closedError('write to closed file');
  const from = bytesOf(data);
  const size = from.length;
  const reading = s._reads && s._readEnd !== -1;
  if (!reading && s._writeEnd === -1) {
    s._pos = 0;
    s._rawPos = 0;
  }
  if (size <= s.bufferSize - s._pos && size < s._large) {
    ownBuffer(s, true).set(from, s._pos);
    if (s._writeEnd === -1 || s._writePos > s._pos) s._writePos = s._pos;
    advance(s, s._pos + size);
    if (s._pos > s._writeEnd) s._writeEnd = s._pos;
    return size;
  }
  try {
    flushWrites(s);
  } catch (error) {
    if (!(error instanceof BlockingIOError)) throw error;
    return bufferRest(s, from);
  }
  // What was read ahead and not changed has left the raw stream ahead of the caller.
  const offset = rawOffset(s);
  if (offset !== 0) {
    rawSeek(s, -offset, 1);
    s._rawPos -= offset;
  }
  let written = 0;
  while (size - written > s.bufferSize || size - written >= s._large) {
    const count = rawWrite(s, from.subarray(written));
    if (count === null) {
      if (size - written <= s.bufferSize) break; // what is left can wait here
      ownBuffer(s, false).set(from.subarray(written, written + s.bufferSize));
      s._rawPos = 0;
      s._writePos = 0;
      advance(s, s.bufferSize);
      s._writeEnd = s.bufferSize;
      throw wouldBlock(written + s.bufferSize);
    }
    written += count;
  }
  if (s._reads) s._readEnd = -1;
  const rest = size - written;
  if (rest > 0) ownBuffer(s, false).set(from.subarray(written));
  s._writePos = 0;
  s._writeEnd = rest;
  advance(s, rest);
  s._rawPos = 0;
  return size;
}

function advance(s: Buffered, position: number): void {
  s._pos = position;
  if (s._reads && s._readEnd !== -1 && s._readEnd < position) s._readEnd = position;
}

/** The sink is full: what waits moves to the front, and as much of `from` as fits waits behind it. */
function bufferRest(s: Buffered, from: Uint8Array): number {
  if (s._reads) s._readEnd = -1;
  const buffer = ownBuffer(s, true);
  buffer.copyWithin(0, s._writePos, s._writeEnd);
  s._writeEnd -= s._writePos;
  s._rawPos -= s._writePos;
  s._pos -= s._writePos;
  s._writePos = 0;
  const taken = Math.min(from.length, s.bufferSize - s._writeEnd);
  buffer.set(from.subarray(0, taken), s._writeEnd);
  s._writeEnd += taken;
  s._pos += taken;
  if (taken < from.length) throw wouldBlock(taken);
  return taken;
}
