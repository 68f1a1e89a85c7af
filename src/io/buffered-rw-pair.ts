// BufferedRWPair: a reader and a writer of two different raw streams as one, for sockets and pairs of pipes.
// It has no position and no descriptor of its own.
import { DEFAULT_BUFFER_SIZE } from './buffer-size.js';
import type { RawLike } from './buffered.js';
import { BufferedReader } from './buffered-reader.js';
import { BufferedWriter } from './buffered-writer.js';
import type { Bytes } from './bytes.js';
import { UnsupportedOperation } from './errors.js';

export class BufferedRWPair implements Iterable<Buffer> {
  readonly reader: BufferedReader;
  readonly writer: BufferedWriter;

  constructor(reader: RawLike, writer: RawLike, bufferSize = DEFAULT_BUFFER_SIZE) {
    if (!reader.readable?.()) throw new UnsupportedOperation('file or stream is not readable');
    if (!writer.writable?.()) throw new UnsupportedOperation('file or stream is not writable');
    this.reader = new BufferedReader(reader, bufferSize);
    this.writer = new BufferedWriter(writer, bufferSize);
  }

  read(size?: number | null): Buffer | null {
    return this.reader.read(size);
  }

  read1(size = -1): Buffer {
    return this.reader.read1(size);
  }

  readInto(view: Bytes): number | null {
    return this.reader.readInto(view);
  }

  readInto1(view: Bytes): number | null {
    return this.reader.readInto1(view);
  }

  peek(size = 0): Buffer {
    return this.reader.peek(size);
  }

  readLine(limit?: number | null): Buffer {
    return this.reader.readLine(limit);
  }

  readLines(hint?: number | null): Buffer[] {
    return this.reader.readLines(hint);
  }

  [Symbol.iterator](): IterableIterator<Buffer> {
    return this.reader[Symbol.iterator]();
  }

  write(data: Bytes): number {
    return this.writer.write(data);
  }

  writeLines(lines: Iterable<Bytes>): void {
    this.writer.writeLines(lines);
  }

  /** Writes what waits in the writer's buffer. */
  flush(): void {
    this.writer.flush();
  }

  /** Closes the writer, then the reader, also when the writer's flush fails. */
  close(): void {
    try {
      this.writer.close();
    } finally {
      this.reader.close();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Is the writer closed? */
  get closed(): boolean {
    return this.writer.closed;
  }

  readable(): boolean {
    return this.reader.readable();
  }

  writable(): boolean {
    return this.writer.writable();
  }

  seekable(): boolean {
    return false;
  }

  isatty(): boolean {
    return this.writer.isatty() || this.reader.isatty();
  }

  /** Not for a pair: it has no position. */
  seek(_offset: number, _whence?: number): number {
    throw new UnsupportedOperation('seek');
  }

  /** Not for a pair. */
  tell(): number {
    throw new UnsupportedOperation('tell');
  }

  /** Not for a pair. */
  truncate(_size?: number | null): number {
    throw new UnsupportedOperation('truncate');
  }

  /** Not for a pair: there are two of them. */
  fileno(): number {
    throw new UnsupportedOperation('fileno');
  }

  /** Not for a pair. */
  detach(): never {
    throw new UnsupportedOperation('detach');
  }
}
