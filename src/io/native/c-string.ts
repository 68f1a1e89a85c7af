// Strings as C takes them: bytes that end in NUL.

import { encodePath } from '../path.js';

/** Room for PATH_MAX and every shorter string, reused by each call: what is returned holds until the next call. */
const scratch = new Uint8Array(4 * 4096);
const utf8 = new TextEncoder();

/**
 * The NUL-terminated bytes of a path or name (a string that can hold any bytes, see path.ts, or the bytes themselves). A
 * short string costs no allocation, but its bytes hold only until the next call: give `copy` for two at a time or for a thread.
 */
export function cString(text: string | Uint8Array, copy = false): Uint8Array {
  if (typeof text === 'string' && !copy && text.length < 4096 && text.isWellFormed()) {
    if (text.includes('\0')) throw holdsNul(text);
    scratch[utf8.encodeInto(text, scratch).written] = 0;
    return scratch;
  }
  const bytes = typeof text === 'string' ? encodePath(text) : text;
  const end = bytes.indexOf(0);
  if (end >= 0 && end === bytes.length - 1 && typeof text !== 'string') return bytes;
  if (end >= 0) throw holdsNul(text);
  const terminated = Buffer.alloc(bytes.length + 1);
  terminated.set(bytes);
  return terminated;
}

function holdsNul(text: string | Uint8Array): Error {
  const error: NodeJS.ErrnoException = new TypeError(
    `a path or name must not hold NUL: ${JSON.stringify(String(text))}`,
  );
  error.code = 'ERR_INVALID_ARG_VALUE';
  return error;
}
