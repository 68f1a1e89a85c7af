// Every way in which a layer refuses or fails, each with the `code` that programs test for.
// The system's own errors pass through as Node gives them; `systemError` makes the few that no call gave.
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

/** The layer, or what is below it, cannot do this: write to a file opened for reading, seek in a pipe. */
export class UnsupportedOperation extends Error {
  override readonly name = 'UnsupportedOperation';
  readonly code = 'ERR_UNSUPPORTED_OPERATION';
}

/** The memory cannot change its size while views of it are out. */
export class BufferError extends Error {
  override readonly name = 'BufferError';
  readonly code = 'ERR_BUFFER';
}

/**
 * A buffered write met a sink that would block. `charactersWritten` = bytes of this call that were taken, into the
 * buffer or below: offer the rest again later.
 */
export class BlockingIOError extends Error {
  override readonly name = 'BlockingIOError';
  readonly code = 'EAGAIN';
  readonly errno = -constants.errno.EAGAIN;
  readonly charactersWritten: number;
  constructor(message: string, charactersWritten: number) {
    super(message);
    this.charactersWritten = charactersWritten;
  }
}

/** Bytes that are no text in this encoding. `start` and `end` are byte offsets in `object`, the bytes that were decoded. */
export class UnicodeDecodeError extends Error {
  override readonly name = 'UnicodeDecodeError';
  readonly code = 'ERR_UNICODE_DECODE';
  readonly encoding: string;
  readonly object: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly reason: string;
  constructor(encoding: string, object: Uint8Array, start: number, end: number, reason: string) {
    const what =
      end - start === 1
        ? `byte 0x${(object[start] ?? 0).toString(16).padStart(2, '0')} in position ${start}`
        : `bytes in position ${start}-${end - 1}`;
    super(`'${encoding}' codec can't decode ${what}: ${reason}`);
    this.encoding = encoding;
    this.object = object;
    this.start = start;
    this.end = end;
    this.reason = reason;
  }
}

/** Text that this encoding has no bytes for. `start` and `end` count code points in `object`, the text. */
export class UnicodeEncodeError extends Error {
  override readonly name = 'UnicodeEncodeError';
  readonly code = 'ERR_UNICODE_ENCODE';
  readonly encoding: string;
  readonly object: string;
  readonly start: number;
  readonly end: number;
  readonly reason: string;
  constructor(encoding: string, object: string, start: number, end: number, reason: string) {
    const what = end - start === 1 ? `character in position ${start}` : `characters in position ${start}-${end - 1}`;
    super(`'${encoding}' codec can't encode ${what}: ${reason}`);
    this.encoding = encoding;
    this.object = object;
    this.start = start;
    this.end = end;
    this.reason = reason;
  }
}

type Coded<E extends Error> = E & { readonly code: string };

function coded<E extends Error>(error: E, code: string): Coded<E> {
  return Object.assign(error, { code });
}

/** `ERR_INVALID_ARG_VALUE`: a mode, a size or a type that Python refuses. */
export function invalidArgument(message: string): Coded<TypeError> {
  return coded(new TypeError(message), 'ERR_INVALID_ARG_VALUE');
}

/** `ERR_CLOSED`: a call on a closed layer. */
export function closedError(message = 'I/O operation on closed file'): Coded<Error> {
  return coded(new Error(message), 'ERR_CLOSED');
}

/** `ERR_DETACHED`: a call on a layer whose stream has been taken away by `detach()`. */
export function detachedError(message: string): Coded<Error> {
  return coded(new Error(message), 'ERR_DETACHED');
}

/** `ERR_INVALID_RETURN_VALUE`: a layer below answered what it never may, such as more bytes than were asked for. */
export function invalidReturn(message: string): Coded<Error> {
  return coded(new Error(message), 'ERR_INVALID_RETURN_VALUE');
}

/** `ERR_UNKNOWN_ENCODING`: nobody here knows this encoding. */
export function unknownEncoding(encoding: string): Coded<RangeError> {
  return coded(new RangeError(`unknown encoding: ${encoding}`), 'ERR_UNKNOWN_ENCODING');
}

/** An error of the system that no system call gave: the code, number and words are the platform's own. */
export function systemError(code: keyof typeof constants.errno, syscall: string): NodeJS.ErrnoException {
  const errno = -constants.errno[code];
  const words = getSystemErrorMap().get(errno)?.[1] ?? 'system error';
  return Object.assign(new Error(`${code}: ${words}, ${syscall}`), { errno, code, syscall });
}
