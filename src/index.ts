// The library's face: Python's io for Node, and the core that the commands stand on.
export type { Bytes } from './io/bytes.js';
export {
  BlockingIOError,
  BufferError,
  UnicodeDecodeError,
  UnicodeEncodeError,
  UnsupportedOperation,
} from './io/errors.js';
export { FileIO, type FileName, type FileOptions } from './io/file-io.js';
export type { RawIO, Sink, Source } from './io/raw.js';
