// BufferedRandom: one buffer for reading and writing a file that can be seeked, the position always right.
import { DEFAULT_BUFFER_SIZE } from './buffer-size.js';
import { Buffered, type RawLike } from './buffered.js';
import {
  LineIterator,
  peekBuffer,
  readIntoView,
  readLineOf,
  readLinesOf,
  readOnce,
  readSize,
} from './buffered-reading.js';
import { writeBytes } from './buffered-writing.js';
import type { Bytes } from './bytes.js';
import { UnsupportedOperation } from './errors.js';

export class BufferedRandom extends Buffered implements Iterable<Buffer> {
  constructor(raw: RawLike, bufferSize = DEFAULT_BUFFER_SIZE) {
    if (!raw.seekable?.()) throw new UnsupportedOperation('file or stream is not seekable');
    if (!raw.readable?.()) throw new UnsupportedOperation('file or stream is not readable');
    if (!raw.writable?.()) throw new UnsupportedOperation('file or stream is not writable');
    super(raw, bufferSize, true, true);
  }

  /** As `BufferedReader.read`; what was written is read back. */
  read(size?: number | null): Buffer | null {
    return readSize(this, size);
  }

  /** As `BufferedReader.read1`. */
  read1(size = -1): Buffer {
    return readOnce(this, size);
  }

  /** As `BufferedReader.readInto`. */
  readInto(view: Bytes): number | null {
    return readIntoView(this, view, false);
  }

  /** As `BufferedReader.readInto1`. */
  readInto1(view: Bytes): number | null {
    return readIntoView(this, view, true);
  }

  /** As `BufferedReader.peek`; what waits to be written is written first. */
  peek(_size = 0): Buffer {
    return peekBuffer(this);
  }

  /** As `BufferedReader.readLine`. */
  readLine(limit?: number | null): Buffer {
    return readLineOf(this, limit);
  }

  /** As `BufferedReader.readLines`. */
  readLines(hint?: number | null): Buffer[] {
    return readLinesOf(this, hint, (line) => line.length);
  }

  /** As `BufferedReader`'s lines. */
  [Symbol.iterator](): IterableIterator<Buffer> {
    return new LineIterator(this);
  }

  /** As `BufferedWriter.write`, at the caller's position. */
  write(data: Bytes): number {
    return writeBytes(this, data);
  }
}
