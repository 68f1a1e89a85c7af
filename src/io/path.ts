// Paths that can hold any bytes, as strings: a byte that is not valid UTF-8 stands as the lone surrogate U+DC80–U+DCFF
// (PEP 383, Python's surrogateescape), so that paths can be joined, compared and printed like other strings.

import { isUtf8 } from 'node:buffer';
import { realpathSync } from 'node:fs';
import { isAbsolute } from 'node:path';

/**
 * What Node's `fs` takes for this path: the string itself where it is plain Unicode (the usual case), else its bytes.
 */
export function fsPath(path: string): string | Buffer {
  return path.isWellFormed() ? path : encodePath(path);
}

/** The bytes of a path. A lone surrogate outside U+DC80–U+DCFF, which no bytes decode to, becomes U+FFFD as in UTF-8. */
export function encodePath(path: string): Buffer {
  if (path.isWellFormed()) return Buffer.from(path);
  const parts: Buffer[] = [];
  let from = 0;
  for (let i = 0; i < path.length; i++) {
    const unit = path.charCodeAt(i);
    if (unit >= 0xd800 && unit < 0xdc00 && (path.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      i++; // a proper pair
    } else if (unit >= 0xdc80 && unit <= 0xdcff) {
      parts.push(Buffer.from(path.slice(from, i)), Buffer.from([unit - 0xdc00]));
      from = i + 1;
    }
  }
  parts.push(Buffer.from(path.slice(from)));
  return Buffer.concat(parts);
}

/** The path that these bytes name: `encodePath(decodePath(bytes))` is always `bytes`. */
export function decodePath(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer)) return buffer.toString();
  let path = '';
  for (let i = 0; i < buffer.length; ) {
    const length = sequenceLength(buffer, i);
    path += length === 0 ? String.fromCharCode(0xdc00 + buffer[i]!) : buffer.toString('utf8', i, i + length);
    i += length || 1;
  }
  return path;
}

/** Length of the valid UTF-8 sequence at `i`, 0 if there is none. */
function sequenceLength(buffer: Buffer, i: number): number {
  const lead = buffer[i]!;
  const length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  return length > 0 && i + length <= buffer.length && isUtf8(buffer.subarray(i, i + length)) ? length : 0;
}

/** The path without symlinks, which must be there. Not Node's own `realpathSync`: it takes `a/..` away before it looks, and knows text alone. */
export const realPath = (path: string): string => decodePath(realpathSync.native(fsPath(path), { encoding: 'buffer' }));

/** Without slashes and dots at its end: what comes before the last slash is the directory that it is in. `a/..` stays, since a may be a symlink. */
export const trimmedPath = (path: string): string => path.replace(/(?<=.)(?:\/+\.?)+$/s, '');

/** The same from any working directory, whose own name may be any bytes. */
export function absolutePath(path: string): string {
  const trimmed = trimmedPath(path);
  if (isAbsolute(trimmed)) return trimmed;
  const here = realPath('.');
  return trimmed === '.' ? here : `${here}/${trimmed}`.replace(/^\/\//, '/');
}
