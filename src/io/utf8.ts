// UTF-8, exact: valid input goes through the platform's fast paths, and where there is an error it is found and named as
// CPython does (the longest valid beginning of a sequence is one error).
import { isAscii, isUtf8 } from 'node:buffer';
import { type ErrorMode, repairBytes } from './codec-errors.js';

/** What a decoder found: the text of `data[0..consumed]`. */
export interface Decoded {
  text: string;
  consumed: number;
}

/** Decodes as much as is complete; all of it if `final`. */
export function decodeUtf8(data: Buffer, errors: ErrorMode, final: boolean, encoding: string): Decoded {
  if (isAscii(data)) return { text: data.toString('latin1'), consumed: data.length };
  const end = final ? data.length : completeEnd(data);
  const whole = end === data.length ? data : data.subarray(0, end);
  // The platform replaces by the same rule.
  if (errors === 'replace' || isUtf8(whole)) return { text: whole.toString(), consumed: end };
  let text = '';
  let from = 0;
  for (let i = 0; i < end; ) {
    const length = sequenceAt(data, i, data.length);
    if (length > 0) {
      i += length;
      continue;
    }
    const cut = length === 0;
    const reason = cut
      ? 'unexpected end of data'
      : length === -1 && !isLead(data[i]!)
        ? 'invalid start byte'
        : 'invalid continuation byte';
    const repair = repairBytes(errors, encoding, data, i, cut ? end : i - length, reason);
    text += data.toString('utf8', from, i) + repair.text;
    i = from = repair.next;
  }
  return { text: text + data.toString('utf8', from, end), consumed: end };
}

function isLead(byte: number): boolean {
  return byte >= 0xc2 && byte <= 0xf4;
}

/** Length of the sequence at `i`; 0 = it is cut off by `end`; -n = its first n bytes are an error. */
function sequenceAt(data: Uint8Array, i: number, end: number): number {
  const lead = data[i]!;
  if (lead < 0x80) return 1;
  if (!isLead(lead)) return -1;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  for (let k = 1; k < length; k++) {
    if (i + k >= end) return 0;
    const byte = data[i + k]!;
    // Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
    const low = k > 1 ? 0x80 : lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const high = k > 1 ? 0xbf : lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (byte < low || byte > high) return -k;
  }
  return length;
}

/** Where a sequence that the end of `data` cuts off begins; its length, if there is none. */
function completeEnd(data: Uint8Array): number {
  const { length } = data;
  for (let i = length - 1; i >= 0 && i >= length - 3; i--) {
    const byte = data[i]!;
    if (byte < 0x80) return length;
    // CPython waits for the third byte of a surrogate too, though it can only be an error.
    if (byte === 0xed && i === length - 2 && data[i + 1]! >= 0xa0 && data[i + 1]! < 0xc0) return i;
    if (byte >= 0xc0) return sequenceAt(data, i, length) === 0 ? i : length;
  }
  return length;
}
