// The one contract at the bottom of every stack: bytes in, bytes out, one system call a call.

/** Bytes that can be read into or written from without a copy. */
export type Bytes = ArrayBufferView;

/** A raw stream. Any object with these methods is one; nothing asks for a class. */
export interface RawIO {
  /** Fill `view` from its start: bytes read (maybe fewer than asked), 0 = end of file, null = would block. */
  readInto(view: Bytes): number | null;
  /** Bytes taken from the start of `view` (maybe fewer than given), null = would block. */
  write(view: Bytes): number | null;
}
