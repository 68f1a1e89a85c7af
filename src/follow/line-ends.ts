// What ends a line, as bytes: LF or NUL alone, or LF, CR and CRLF, in code units of one, two or four bytes.

import { findCodec } from '../io/codecs.js';

export interface LineEnds {
  /** Bytes of a code unit. Units lie at multiples of it, counted from the file's beginning. */
  readonly width: number;
  readonly lf: number | Buffer;
  /** CR ends lines too, and CRLF is one end. */
  readonly cr?: number | Buffer | undefined;
}

export const newline: LineEnds = { width: 1, lf: 10 };
export const nul: LineEnds = { width: 1, lf: 0 };

/** A text encoding as it is in one file: its byte order known. */
export interface FileEncoding {
  /** As the codecs know it; undefined: bytes, of which only line ends are known. */
  readonly name: string | undefined;
  readonly ends: LineEnds;
  /** What may stand at the file's beginning and is no text. */
  readonly mark: Buffer;
}

const marks: Record<string, Buffer> = {
  'utf-8': Buffer.from([0xef, 0xbb, 0xbf]),
  'utf-16-le': Buffer.from([0xff, 0xfe]),
  'utf-16-be': Buffer.from([0xfe, 0xff]),
  'utf-32-le': Buffer.from([0xff, 0xfe, 0, 0]),
  'utf-32-be': Buffer.from([0, 0, 0xfe, 0xff]),
};

/** Bytes of a file's beginning that `fileEncoding` needs at most. */
export const headLength = 4;

/** Bytes of a file's beginning that it needs for this encoding. */
export function headNeeded(encoding: string): number {
  const { name } = findCodec(encoding);
  return name === 'utf-16' ? 2 : name === 'utf-32' ? 4 : 0;
}

/**
 * `encoding` as it is in a file that begins with `head`: UTF-16 and UTF-32 without a byte order in their name have it from the mark,
 * and are little-endian without one. Throws `ERR_UNKNOWN_ENCODING`, and a RangeError where lines cannot be told by bytes.
 */
export function fileEncoding(encoding: string, lineEnd: 'newline' | 'nul', head: Uint8Array): FileEncoding {
  let { name, asciiBytes, encoder } = findCodec(encoding);
  if (name === 'utf-8-sig') name = 'utf-8';
  if (name === 'utf-16' || name === 'utf-32') name += startsWith(head, marks[`${name}-be`]!) ? '-be' : '-le';
  const mark = marks[name] ?? Buffer.alloc(0);
  const unit = (text: string) => findCodec(name).encoder('strict').encode(text);
  if (/^utf-(16|32)/.test(name)) {
    const lf = unit(lineEnd === 'nul' ? '\0' : '\n');
    return { name, ends: { width: lf.length, lf, cr: lineEnd === 'nul' ? undefined : unit('\r') }, mark };
  }
  if (!asciiBytes && !encoder('strict').encode('\n').equals(Buffer.from('\n')))
    throw new RangeError(`lines in ${name} cannot be told apart by bytes`);
  return { name, ends: lineEnd === 'nul' ? nul : { ...newline, cr: 13 }, mark };
}

function startsWith(bytes: Uint8Array, mark: Buffer): boolean {
  return bytes.length >= mark.length && mark.equals(bytes.subarray(0, mark.length));
}

/** The first `unit` at or after `from`, -1 if there is none. `offset`: where in the file `bytes` begins. */
export function indexOfUnit(bytes: Buffer, unit: number | Buffer, from: number, offset: number): number {
  if (from >= bytes.length) return -1;
  if (typeof unit === 'number') return bytes.indexOf(unit, from);
  for (let at = from; ; at++) {
    at = bytes.indexOf(unit, at);
    if (at < 0 || (offset + at) % unit.length === 0) return at;
  }
}

/** The last `unit` that begins at or before `from`. */
export function lastIndexOfUnit(bytes: Buffer, unit: number | Buffer, from: number, offset: number): number {
  if (typeof unit === 'number') return from < 0 ? -1 : bytes.lastIndexOf(unit, from);
  for (let at = from; at >= 0; at--) {
    at = bytes.lastIndexOf(unit, at);
    if (at < 0 || (offset + at) % unit.length === 0) return at;
  }
  return -1;
}
