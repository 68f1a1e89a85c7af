// UTF-16 and UTF-32, exact in their errors: what is valid is decoded in one step.
import { type ErrorMode, repairBytes } from './codec-errors.js';
import type { Decoded } from './utf8.js';

/** Decodes `data` from `from` on, as much as is complete; all of it if `final`. */
export function decodeUtf16(
  data: Buffer,
  from: number,
  errors: ErrorMode,
  final: boolean,
  littleEndian: boolean,
  encoding: string,
): Decoded {
  let text = '';
  while (from < data.length) {
    const rest = unitsOf(data, from, littleEndian);
    let good = rest.isWellFormed() ? rest.length : firstLone(rest);
    let end = from + 2 * good;
    const atEnd = good >= rest.length - 1 && (good === rest.length || (rest.charCodeAt(good) & 0xfc00) === 0xd800);
    if (good > 0) text += good === rest.length ? rest : rest.slice(0, good);
    if (end === data.length) return { text, consumed: end };
    if (atEnd && !final) return { text, consumed: end };
    good = end;
    if (atEnd) end = data.length;
    else end += 2;
    const reason = atEnd
      ? data.length - good === 1
        ? 'truncated data'
        : 'unexpected end of data'
      : (data[good + (littleEndian ? 1 : 0)]! & 0xfc) === 0xdc
        ? 'illegal encoding'
        : 'illegal UTF-16 surrogate';
    const repair = repairBytes(errors, encoding, data, good, end, reason);
    text += repair.text;
    from = repair.next;
  }
  return { text, consumed: data.length };
}

/** The code units from `from` on, without a last odd byte. */
function unitsOf(data: Buffer, from: number, littleEndian: boolean): string {
  const end = from + ((data.length - from) & ~1);
  return littleEndian
    ? data.toString('utf16le', from, end)
    : Buffer.from(data.subarray(from, end)).swap16().toString('utf16le');
}

/** Index of the first surrogate without its partner. */
function firstLone(text: string): number {
  return /[\ud800-\udfff]/u.exec(text)?.index ?? text.length;
}

/** Decodes `data` from `from` on, as much as is complete; all of it if `final`. */
export function decodeUtf32(
  data: Buffer,
  from: number,
  errors: ErrorMode,
  final: boolean,
  littleEndian: boolean,
  encoding: string,
): Decoded {
  let text = '';
  let run: number[] = [];
  const flush = (): void => {
    text += String.fromCodePoint(...run);
    run = [];
  };
  let i = from;
  while (i < data.length) {
    let end = i + 4;
    let reason = '';
    if (end > data.length) {
      if (!final) break;
      end = data.length;
      reason = 'truncated data';
    } else {
      const code = littleEndian ? data.readUInt32LE(i) : data.readUInt32BE(i);
      if (code > 0x10ffff) reason = 'code point not in range(0x110000)';
      else if (code >= 0xd800 && code <= 0xdfff) reason = 'code point in surrogate code point range(0xd800, 0xe000)';
      else {
        run.push(code);
        i = end;
        if (run.length === 4096) flush();
        continue;
      }
    }
    flush();
    const repair = repairBytes(errors, encoding, data, i, end, reason);
    text += repair.text;
    i = repair.next;
  }
  flush();
  return { text, consumed: i };
}

export function encodeUtf16(text: string, littleEndian: boolean): Buffer {
  const units = Buffer.from(text, 'utf16le');
  return littleEndian ? units : units.swap16();
}

export function encodeUtf32(text: string, littleEndian: boolean): Buffer {
  const codes = Array.from(text, (character) => character.codePointAt(0)!);
  const bytes = Buffer.allocUnsafe(codes.length * 4);
  for (const [i, code] of codes.entries())
    if (littleEndian) bytes.writeUInt32LE(code, i * 4);
    else bytes.writeUInt32BE(code, i * 4);
  return bytes;
}
