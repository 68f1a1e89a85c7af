// BufferedReader: few reads of the raw stream, whatever sizes the caller asks for.
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
import type { Bytes } from './bytes.js';
import { UnsupportedOperation } from './errors.js';

export class BufferedReader extends Buffered implements Iterable<Buffer> {
  /** Reads ahead of the caller from `raw`, `bufferSize` bytes at a time. */
  constructor(raw: RawLike, bufferSize = DEFAULT_BUFFER_SIZE) {
    if (!raw.readable?.()) throw new UnsupportedOperation('file or stream is not readable');
    super(raw, bufferSize, true, false);
  }

  /**
   * Reads `size` bytes, in as many raw reads as that takes; -1 = to the end of file. Fewer come at the end of file or
   * where the raw stream would block; empty = end of file, null = nothing there yet. The Buffer is the caller's own.
   */
  read(size?: number | null): Buffer | null {
    return readSize(this, size);
  }

  /** At most `size` bytes (-1 = a buffer's worth) with at most one raw read. Empty = end of file, or would block. */
  read1(size = -1): Buffer {
    return readOnce(this, size);
  }

  /** Fills `view`, as `read`: bytes read, 0 = end of file, null = nothing there yet. */
  readInto(view: Bytes): number | null {
    return readIntoView(this, view, false);
  }

  /** Reads into `view` with at most one raw read. */
  readInto1(view: Bytes): number | null {
    return readIntoView(this, view, true);
  }

  /** What is in the buffer, without moving; at most one raw read is made, if nothing is. `size` is only a hint, as in Python. */
  peek(_size = 0): Buffer {
    return peekBuffer(this);
  }

  /** The next line, newline included, at most `limit` bytes of it. Empty = end of file. */
  readLine(limit?: number | null): Buffer {
    return readLineOf(this, limit);
  }

  /** Lines until there are more than `hint` bytes of them; -1 = all. */
  readLines(hint?: number | null): Buffer[] {
    return readLinesOf(this, hint, (line) => line.length);
  }

  /** The lines from here on. A line shares memory with its neighbours: copy those of which you keep a few of many. */
  [Symbol.iterator](): IterableIterator<Buffer> {
    return new LineIterator(this);
  }

  /** Not for a reader. */
  write(_data: Bytes): number {
    throw new UnsupportedOperation('write');
  }
}
