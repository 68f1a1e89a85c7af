// The library's face: Python's io for Node, and the core that the commands stand on.

export { AtomicFile, type AtomicOptions, type Committed, type DurabilityWish } from './io/atomic-file.js';
export { DEFAULT_BUFFER_SIZE } from './io/buffer-size.js';
export type { RawLike } from './io/buffered.js';
export { BufferedRandom } from './io/buffered-random.js';
export { BufferedReader } from './io/buffered-reader.js';
export { BufferedRWPair } from './io/buffered-rw-pair.js';
export { BufferedWriter } from './io/buffered-writer.js';
export { ByteBuffer } from './io/byte-buffer.js';
export type { Bytes } from './io/bytes.js';
export { BytesIO, type BytesView } from './io/bytes-io.js';
export type { ErrorMode } from './io/codec-errors.js';
export { describe, type LayerDescription } from './io/describe.js';
export { type Durability, fsyncDirectory } from './io/durability.js';
export {
  BlockingIOError,
  BufferError,
  UnicodeDecodeError,
  UnicodeEncodeError,
  UnsupportedOperation,
} from './io/errors.js';
export { FileIO } from './io/file-io.js';
export { type OpenOptions, open } from './io/open.js';
export type { FileName, FileOptions } from './io/opening.js';
export { type CopyIntoOptions, copyInto } from './io/pump.js';
export type { RawIO, Sink, Source } from './io/raw.js';
export { stdio } from './io/stdio.js';
export { tempName } from './io/temp-name.js';
export { TextIOWrapper } from './io/text-io.js';
export type { BufferLike, Newline, TextOptions } from './io/text-options.js';
export { type WriteAtomicOptions, writeAtomic } from './io/write-atomic.js';
