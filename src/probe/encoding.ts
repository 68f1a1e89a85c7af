// Which encoding bytes are in: by BOM, by validity, and where neither decides by statistics. Always a conclusion, never a fact.

import { type Inferred, inferred, type Known, unknown } from './certainty.js';
import type { Wide } from './wide-guess.js';

export type Bom = 'utf-8' | 'utf-16le' | 'utf-16be' | 'utf-32le' | 'utf-32be';

/** How LF, CR and the others lie in the bytes. */
export interface Layout {
  width: 1 | 2 | 4;
  big: boolean;
}

const boms: [Bom, number[]][] = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-32le', [0xff, 0xfe, 0, 0]],
  ['utf-32be', [0, 0, 0xfe, 0xff]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
];

/** The byte order mark at the start of a file; null if there is none. FF FE 00 00 is UTF-32's, whatever UTF-16 could mean by it. */
export function bomOf(head: Uint8Array): Bom | null {
  return boms.find(([, bytes]) => bytes.every((byte, i) => head[i] === byte))?.[0] ?? null;
}

export const bomLength = (bom: Bom): number => boms.find(([name]) => name === bom)![1].length;

export function layoutOf(encoding: string | null): Layout {
  const match = /^utf-(16|32)(le|be)$/.exec(encoding ?? '');
  return match ? { width: match[1] === '16' ? 2 : 4, big: match[2] === 'be' } : { width: 1, big: false };
}

/** What one pass over the bytes found out. */
export interface Evidence {
  bytes: number;
  bom: Bom | null;
  wide: Wide | undefined;
  /** Offset of the first byte that is not valid in the BOM's encoding, or in UTF-8; null if all is. */
  firstInvalid: number | null;
  nul: number;
  control: number;
  high: number;
  /** What statistics say of a sample of so many bytes; only where neither BOM nor validity decides, or escape sequences are there. */
  guess: { name: string; confidence: number; bytes: number } | undefined;
  /** All of the file was seen. */
  whole: boolean;
}

/** What holds for every byte that was seen may not hold for those that were not. */
const throughout =
  ({ whole }: Evidence) =>
  <T>(value: T, certainty: number, because: string): Inferred<T> =>
    whole ? inferred(value, certainty, because) : inferred(value, certainty * 0.9, `${because}, as far as was read`);

export function encodingOf(evidence: Evidence): Known<Inferred<string>> {
  const { bytes, bom, wide, firstInvalid, nul, high, guess } = evidence;
  const soFar = throughout(evidence);
  if (bytes === 0) return unknown('the file is empty');
  if (bom !== null && firstInvalid === null) return soFar(bom, 0.99, 'by its BOM, and all of it is valid');
  if (bom !== null) return inferred(bom, 0.6, `by its BOM, but it is not valid from byte ${firstInvalid} on`);
  if (wide !== undefined)
    return firstInvalid === null
      ? soFar(wide, 0.85, 'no BOM, but its zero bytes lie as in this encoding')
      : inferred(wide, 0.3, `its zero bytes lie as in this encoding, but it is not valid from byte ${firstInvalid} on`);
  if (nul > 0) return unknown('it has NUL bytes, which text does not have');
  if (firstInvalid === null && high === 0)
    return guess === undefined
      ? soFar('ascii', 0.99, 'every byte is ASCII')
      : soFar(guess.name, 0.9, 'every byte is ASCII, and its escape sequences choose character sets');
  // Each sequence that is valid by chance in another encoding is about one chance in ten.
  if (firstInvalid === null) return soFar('utf-8', 1 - 0.1 ** Math.min(4, 1 + high / 2), 'all of it is valid');
  if (!guess) return unknown('it is not valid UTF-8, and statistics do not tell what else it is');
  return inferred(
    guess.name,
    (0.9 * guess.confidence) / 100,
    `not UTF-8 (byte ${firstInvalid}); by statistics of ${guess.bytes} bytes`,
  );
}

/** Text or binary: what `file` and `grep` mean by it, which is a convention, and so a conclusion. */
export function contentOf(evidence: Evidence): 'empty' | Inferred<'text' | 'binary'> {
  const { bytes, bom, wide, firstInvalid, nul, control, guess } = evidence;
  const soFar = throughout(evidence);
  if (bytes === 0) return 'empty';
  const wideText = (bom !== null && bom !== 'utf-8') || wide !== undefined;
  if (wideText && firstInvalid === null && nul === 0)
    return soFar('text', bom === null ? 0.85 : 0.98, `valid ${bom ?? wide}`);
  if (nul > 0) return inferred('binary', 0.98, `${nul} NUL ${nul === 1 ? 'byte' : 'bytes'}`);
  if (firstInvalid === null && guess) return soFar('text', 0.85, `its escape sequences are those of ${guess.name}`);
  const share = control / bytes;
  if (firstInvalid === null)
    return share < 0.01
      ? soFar(
          'text',
          control === 0 ? 0.99 : 0.85,
          control === 0 ? 'valid, without control characters' : 'valid, few control characters',
        )
      : inferred('binary', 0.6, `valid UTF-8, but ${control} control characters`);
  if (share > 0.005)
    return inferred('binary', Math.min(0.95, 0.6 + share * 5), `not UTF-8, ${control} control characters`);
  return inferred(
    'text',
    0.7,
    `not UTF-8 (byte ${firstInvalid}), but without ${control === 0 ? '' : 'many '}control characters`,
  );
}
