// Where UTF-8 stops being valid, to the byte: `isUtf8` says whether, halving says where.

import { isUtf8 } from 'node:buffer';

/** Length of the sequence at the very end that could go on in bytes that are not there yet: 0 to 3. */
export function incompleteTail(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue; // a continuation: its lead is further back
    const length = byte < 0xc2 ? 0 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : byte < 0xf5 ? 4 : 0;
    if (length <= back) return 0;
    // The second byte is what rules out overlong forms, surrogates and code points that there are not.
    const second = back > 1 ? bytes[bytes.length - back + 1]! : undefined;
    return second === undefined || secondFits(byte, second) ? back : 0;
  }
  return 0;
}

/**
 * Offset of the first byte of the first invalid sequence in `bytes`, which are not valid. A sequence that breaks off at
 * their end is invalid.
 */
export function firstInvalidIn(bytes: Buffer): number {
  let valid = 0;
  let end = bytes.length;
  while (end - valid > 64) {
    let middle = (valid + end) >> 1;
    for (let back = 0; back < 3 && (bytes[middle]! & 0xc0) === 0x80; back++) middle--;
    if (isUtf8(bytes.subarray(valid, middle))) valid = middle;
    else end = middle;
  }
  while (valid < bytes.length) {
    const lead = bytes[valid]!;
    const length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
    if (length === 0 || valid + length > bytes.length || !isUtf8(bytes.subarray(valid, valid + length))) return valid;
    valid += length;
  }
  return valid;
}

function secondFits(lead: number, second: number): boolean {
  if (second < 0x80 || second > 0xbf) return false;
  if (lead === 0xe0) return second >= 0xa0;
  if (lead === 0xed) return second < 0xa0;
  if (lead === 0xf0) return second >= 0x90;
  if (lead === 0xf4) return second < 0x90;
  return true;
}
