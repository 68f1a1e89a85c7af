// The contract at the bottom of every stack: bytes in, bytes out, one system call a call.
// These are shapes, not classes: any object with the methods is a source, a sink or a raw stream.
import type { Bytes } from './bytes.js';

/** What the pump reads from. A file, a pipe, a decompressor: one method. */
export interface Source {
  /**
   * Fills `view` from its start and touches nothing outside it.
   * Gives the bytes read, which may be fewer than asked for without meaning anything; 0 = end of file (or an empty
   * view); null = nothing there yet, reading would block.
   */
  readInto(view: Uint8Array): number | null;
  /** Settles when it is worth asking again after null. A source that never answers null needs none. */
  ready?(): Promise<void>;
}

/** What the pump writes to. */
export interface Sink {
  /**
   * Takes bytes from the start of `view` and is done with its memory on return. Gives the bytes taken, which may be
   * fewer than given: the rest is the caller's to offer again. null = none taken, writing would block.
   */
  write(view: Bytes): number | null;
  /** Settles when it is worth asking again after null. A sink that never answers null needs none. */
  ready?(): Promise<void>;
}

/**
 * A raw stream: Python's `RawIOBase`. Everything but reading and writing throws `UnsupportedOperation` where the thing
 * below cannot do it, and an error with code `ERR_CLOSED` after `close()`.
 */
export interface RawIO extends Source, Sink {
  /** One read of at most `size` bytes; -1 = `readAll()`. Empty = end of file, null = would block. */
  read?(size?: number): Uint8Array | null;
  /** Reads to the end of file. null = would block before the first byte; what was read before a later block is given. */
  readAll?(): Uint8Array | null;
  /** Moves to `offset` bytes from the start (whence 0), the position (1) or the end (2); gives the new position. */
  seek(offset: number, whence?: number): number;
  /** The position in bytes from the start. */
  tell(): number;
  /** Makes the file `size` bytes long (default: the position), zeros where it grows; the position stays. Gives the size. */
  truncate(size?: number | null): number;
  flush(): void;
  /** Closes; a second call does nothing. */
  close(): void;
  readonly closed: boolean;
  fileno(): number;
  isatty(): boolean;
  readable(): boolean;
  writable(): boolean;
  seekable(): boolean;
  /** What was opened, and how: for messages and `describe`. */
  readonly name?: string | Buffer | number | undefined;
  readonly mode?: string | undefined;
  /** The size in which the thing below likes to be read and written, in bytes. */
  readonly blockSize?: number | undefined;
}
