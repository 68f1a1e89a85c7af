// UTF-16 or UTF-32 without a BOM, by where the zero bytes of a head lie: digits, spaces, line ends and letters below U+0100 have
// them in one place of each unit, and only there. What that makes of the bytes must be text, too: tables of small numbers are none.

import type { Bom } from './encoding.js';

export type Wide = Exclude<Bom, 'utf-8'>;

/** Controls that text does not have, halves of a pair, and places where Unicode has no character, or one of one's own. */
const strange = /[\p{Cn}\p{Co}\p{Cs}]|(?![\t\n\f\r\x1b])\p{Cc}/gu;
/** In so many units, chance alone does not keep bytes of another kind from one of those. */
const enough = 32;

/** Undefined where that says nothing. */
export function wideWithoutBom(head: Buffer): Wide | undefined {
  const length = Math.min(head.length - (head.length % 4), 4096);
  if (length < 8) return undefined;
  const start = head.subarray(0, length);
  const zeros = [0, 0, 0, 0];
  for (let at = start.indexOf(0); at >= 0; at = start.indexOf(0, at + 1)) zeros[at % 4]!++;
  const [a, b, c, d] = zeros.map((count) => count / (length / 4)) as [number, number, number, number];
  const ifText = (encoding: Wide, most: number) =>
    (textOf(start, encoding).match(strange)?.length ?? 0) <= most * length ? encoding : undefined;
  if (c > 0.95 && d > 0.95 && a < 0.05) return ifText('utf-32le', 0.005);
  if (a > 0.95 && b > 0.95 && d < 0.05) return ifText('utf-32be', 0.005);
  const [even, odd] = [a + c, b + d].map((share) => share / 2) as [number, number];
  if (odd > 0.4 && even < 0.02) return ifText('utf-16le', 0.005);
  if (even > 0.4 && odd < 0.02) return ifText('utf-16be', 0.005);
  // Letters from U+0100 up have none: then there are few, which must all lie right, and nothing may be strange.
  if (length < enough * 2 || (odd === 0) === (even === 0)) return undefined;
  return ifText(odd > 0 ? 'utf-16le' : 'utf-16be', 0);
}

function textOf(bytes: Buffer, encoding: Wide): string {
  const big = encoding.endsWith('be');
  if (encoding.startsWith('utf-16')) return (big ? Buffer.from(bytes).swap16() : bytes).toString('utf16le');
  let text = '';
  for (let at = 0; at < bytes.length; at += 4) {
    const point = big ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
    text += point > 0x10ffff ? '\ud800' : String.fromCodePoint(point);
  }
  return text;
}
