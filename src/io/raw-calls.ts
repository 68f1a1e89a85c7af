// Calls of a buffered layer to its raw stream, which may be anybody's: what it answers is checked, EINTR tried again, and its
// position kept account of.

import type { Buffered } from './buffered.js';
import { detachedError, invalidReturn, UnsupportedOperation } from './errors.js';
import type { RawIO } from './raw.js';

/** The raw stream, or `ERR_DETACHED`. */
export function attached(s: Buffered): RawIO {
  if (s._raw === null) throw detachedError('raw stream has been detached');
  return s._raw;
}

/** A raw stream with that method: one without it cannot do that. */
export function able(raw: RawIO, method: 'fileno' | 'seek' | 'tell' | 'truncate'): RawIO {
  if (typeof raw[method] !== 'function') throw new UnsupportedOperation(method);
  return raw;
}

/** Where the raw stream stands, in bytes. */
export function rawTell(s: Buffered): number {
  s._absolute = checkedPosition(able(attached(s), 'tell').tell());
  return s._absolute;
}

export function rawSeek(s: Buffered, offset: number, whence: number): number {
  s._absolute = checkedPosition(able(attached(s), 'seek').seek(offset, whence));
  return s._absolute;
}

function checkedPosition(position: number): number {
  if (!Number.isInteger(position) || position < 0)
    throw invalidReturn(`raw stream returned invalid position ${position}`);
  return position;
}

/** One read of the raw stream into `view`: bytes, 0 = end of file, null = would block. */
export function rawRead(s: Buffered, view: Uint8Array): number | null {
  const raw = attached(s);
  for (;;) {
    try {
      const count = raw.readInto(view);
      if (count === null || count === undefined) return null;
      if (!Number.isInteger(count) || count < 0 || count > view.length)
        throw invalidReturn(`raw readInto() returned invalid length ${count} (should have been 0 to ${view.length})`);
      if (s._absolute >= 0) s._absolute += count;
      return count;
    } catch (error) {
      if ((error as NodeJS.ErrnoException | null)?.code !== 'EINTR') throw error;
    }
  }
}

/** One write of `view` to the raw stream: bytes taken, null = would block; so says one that took nothing of something. */
export function rawWrite(s: Buffered, view: Uint8Array): number | null {
  const raw = attached(s);
  for (;;) {
    try {
      const count = raw.write(view);
      if (count === null || count === undefined) return null;
      if (!Number.isInteger(count) || count < 0 || count > view.length)
        throw invalidReturn(`raw write() returned invalid length ${count} (should have been 0 to ${view.length})`);
      if (count === 0 && view.length > 0) return null;
      if (s._absolute >= 0) s._absolute += count;
      return count;
    } catch (error) {
      if ((error as NodeJS.ErrnoException | null)?.code !== 'EINTR') throw error;
    }
  }
}
