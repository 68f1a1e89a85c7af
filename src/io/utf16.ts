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
  let base = from;
  let units = unitsOf(data, base, littleEndian);
  // Asked first, since it is fast: text without an error, the rule, is one step.
  if (units.isWellFormed() && base + 2 * units.length === data.length) return { text: units, consumed: data.length };
  while (from < data.length) {
    // An escaped byte is one byte: units begin anew behind it.
    if ((from - base) % 2 === 1) {
      base = from;
      units = unitsOf(data, base, littleEndian);
    }
    const at = (from - base) / 2;
    const good = nextLone(units, at);
    const start = base + 2 * good;
    const atEnd = good >= units.length - 1 && (good === units.length || (units.charCodeAt(good) & 0xfc00) === 0xd800);
    text += units.slice(at, good);
    if (start === data.length || (atEnd && !final)) return { text, consumed: start };
    const end = atEnd ? data.length : start + 2;
    const reason = atEnd
      ? data.length - start === 1
        ? 'truncated data'
        : 'unexpected end of data'
      : (data[start + (littleEndian ? 1 : 0)]! & 0xfc) === 0xdc
        ? 'illegal encoding'
        : 'illegal UTF-16 surrogate';
    const repair = repairBytes(errors, encoding, data, start, end, reason);
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

/** Index of the first surrogate from `from` on that has no partner; the length, if there is none. */
function nextLone(text: string, from: number): number {
  lone.lastIndex = from;
  return lone.exec(text)?.index ?? text.length;
}
const lone = /[\ud800-\udfff]/gu;

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
