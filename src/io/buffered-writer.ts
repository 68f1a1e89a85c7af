// BufferedWriter: few writes to the raw stream, whatever sizes the caller gives.
import { DEFAULT_BUFFER_SIZE } from './buffer-size.js';
import { Buffered, type RawLike } from './buffered.js';
import { writeBytes } from './buffered-writing.js';
import type { Bytes } from './bytes.js';
import { UnsupportedOperation } from './errors.js';

export class BufferedWriter extends Buffered {
  /** Gathers up to `bufferSize` bytes before writing to `raw`. Flush or close it: nothing else empties the buffer. */
  constructor(raw: RawLike, bufferSize = DEFAULT_BUFFER_SIZE) {
    if (!raw.writable?.()) throw new UnsupportedOperation('file or stream is not writable');
    super(raw, bufferSize, false, true);
  }

  /**
   * Takes all of `data` and gives its length; its memory is the caller's again on return. A sink that would block
   * throws `BlockingIOError` once the buffer is full.
   */
  write(data: Bytes): number {
    return writeBytes(this, data);
  }

  /** Not for a writer. */
  read(_size?: number | null): Buffer | null {
    throw new UnsupportedOperation('read');
  }

  /** Not for a writer. */
  read1(_size = -1): Buffer {
    throw new UnsupportedOperation('read1');
  }

  /** Not for a writer. */
  readInto(_view: Bytes): number | null {
    throw new UnsupportedOperation('readInto');
  }

  /** Not for a writer. */
  readInto1(_view: Bytes): number | null {
    throw new UnsupportedOperation('readInto1');
  }

  /** Not for a writer. */
  readLine(_limit?: number | null): Buffer {
    throw new UnsupportedOperation('readLine');
  }

  /** Not for a writer. */
  readLines(_hint?: number | null): Buffer[] {
    throw new UnsupportedOperation('readLines');
  }
}
