// The error handlers of decoding and encoding: what stands for bytes that are no text, and for text that has no bytes.
import { invalidArgument, UnicodeDecodeError, UnicodeEncodeError } from './errors.js';

export type ErrorMode = 'strict' | 'replace' | 'ignore' | 'backslashreplace' | 'surrogateescape';

const modes: readonly string[] = ['strict', 'replace', 'ignore', 'backslashreplace', 'surrogateescape'];

/** The error handling asked for: none = strict. Throws `ERR_INVALID_ARG_VALUE` for what there is not. */
export function checkErrors(errors: string | null | undefined): ErrorMode {
  if (errors === undefined || errors === null) return 'strict';
  if (!modes.includes(errors)) throw invalidArgument(`unknown error handler name '${errors}'`);
  return errors as ErrorMode;
}

/** What stands for bad bytes, and the offset at which decoding goes on. */
export interface Repair {
  text: string;
  next: number;
}

/** Handles `data[start..end]`, which is no text for `reason`. */
export function repairBytes(
  errors: ErrorMode,
  encoding: string,
  data: Uint8Array,
  start: number,
  end: number,
  reason: string,
): Repair {
  switch (errors) {
    case 'replace':
      return { text: '\ufffd', next: end };
    case 'ignore':
      return { text: '', next: end };
    case 'backslashreplace': {
      let text = '';
      for (let i = start; i < end; i++) text += `\\x${data[i]!.toString(16).padStart(2, '0')}`;
      return { text, next: end };
    }
    case 'surrogateescape': {
      let text = '';
      let i = start;
      for (; i < end && data[i]! >= 0x80; i++) text += String.fromCharCode(0xdc00 + data[i]!);
      if (i > start) return { text, next: i };
    }
  }
  throw new UnicodeDecodeError(encoding, data, start, end, reason);
}

/** How an encoding goes about text that it has no bytes for. */
export interface Unencodable {
  encoding: string;
  /** Runs of code points without bytes; with the flags `gu`. */
  bad: RegExp;
  reason: string;
  /** Are escaped bytes (U+DC80–U+DCFF under surrogateescape) single bytes here? Not in UTF-16 and UTF-32. */
  bytewise: boolean;
  /** Does an error name all of a run, even if it begins with escaped bytes? CPython: in its encodings by table. */
  wholeRuns?: boolean;
}

/** `text` in bytes, the bad parts handled; `encode` gets only what has bytes. */
export function encodeWith(
  text: string,
  errors: ErrorMode,
  how: Unencodable,
  encode: (part: string) => Buffer,
): Buffer {
  const parts: Buffer[] = [];
  let from = 0;
  for (const match of text.matchAll(how.bad)) {
    const run = match[0];
    const at = match.index;
    parts.push(encode(text.slice(from, at)));
    from = at + run.length;
    const escaped = errors === 'surrogateescape' && how.bytewise ? (/^[\udc80-\udcff]+/.exec(run)?.[0].length ?? 0) : 0;
    if (errors === 'strict' || (errors === 'surrogateescape' && escaped < run.length)) {
      const before = codePoints(text.slice(0, at));
      const start = how.wholeRuns ? before : before + escaped;
      const end = how.bytewise ? before + codePoints(run) : start + 1;
      throw new UnicodeEncodeError(how.encoding, text, start, end, how.reason);
    }
    if (errors === 'replace') parts.push(encode('?'.repeat(codePoints(run))));
    else if (errors === 'backslashreplace') parts.push(encode(Array.from(run, backslashed).join('')));
    else if (errors === 'surrogateescape') parts.push(Buffer.from(Array.from(run, (c) => c.charCodeAt(0) & 0xff)));
  }
  parts.push(encode(text.slice(from)));
  return Buffer.concat(parts);
}

function backslashed(character: string): string {
  const code = character.codePointAt(0)!;
  const hex = code.toString(16);
  if (code < 0x100) return `\\x${hex.padStart(2, '0')}`;
  return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

const high = /[\ud800-\udbff]/;

/** How many code points a text has; a lone surrogate is one. */
export function codePoints(text: string): number {
  const { length } = text;
  if (!high.test(text)) return length;
  let count = length;
  for (let i = 0; i + 1 < length; i++)
    if ((text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      count -= 1;
      i += 1;
    }
  return count;
}

/** The index in `text` that lies `count` code points behind `from` (its end, if there are fewer). */
export function indexAfter(text: string, from: number, count: number): number {
  const { length } = text;
  if (count >= length - from) count = length - from;
  if (!high.test(text)) return from + count;
  let i = from;
  for (; count > 0 && i < length; count--) {
    const pair = (text.charCodeAt(i) & 0xfc00) === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
    i += pair ? 2 : 1;
  }
  return i;
}
