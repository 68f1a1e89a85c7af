// Numbers as GNU's tail takes them.

import { InvalidArgumentError } from 'commander';
import { parseDuration } from './quantities.js';

/** `-n` or `-c` as given: the later one wins, but a `+` stays (GNU's tail does so). */
export interface Count {
  unit: 'lines' | 'bytes';
  fromStart: boolean;
  number: number;
}

const powers = 'KMGTPEZY';

/** A number with GNU's suffixes: b = 512, K = KiB = 1024, kB = 1000 … */
export const count =
  (unit: Count['unit']) =>
  (text: string, previous: Count | undefined): Count => {
    const plus = text.startsWith('+');
    const match = /^\s*(\+?\d+)?(?:([bkKmMGTPEZY])(iB|B|D)?)?$/.exec(text.replace(/^[-+]/, ''));
    const [, digits, suffix, base] = match ?? [];
    if (!match || (digits === undefined && suffix === undefined) || (plus && /^\+\D|^\+\+/.test(text)))
      throw new InvalidArgumentError(`invalid number of ${unit}`);
    if (suffix === 'b' && base) throw new InvalidArgumentError(`invalid number of ${unit}`);
    const power = suffix === undefined || suffix === 'b' ? 0 : powers.indexOf(suffix.toUpperCase()) + 1;
    const factor = (suffix === 'b' ? 512n : 1n) * (base === 'B' || base === 'D' ? 1000n : 1024n) ** BigInt(power);
    const number = BigInt(digits ?? 1) * factor;
    if (number >= 2n ** 64n) throw new InvalidArgumentError(`invalid number of ${unit}: value too large`);
    // More than any file has, and exact where it matters.
    const whole = Number(number < BigInt(Number.MAX_SAFE_INTEGER) ? number : BigInt(Number.MAX_SAFE_INTEGER));
    return { unit, fromStart: plus || (previous?.fromStart ?? false), number: whole };
  };

const largestPid = 2 ** 31 - 1;

export function pids(text: string, previous: number[] = []): number[] {
  const pid = /^\s*\+?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(pid <= largestPid)) throw new InvalidArgumentError('invalid PID');
  return [...previous, pid];
}

/** Milliseconds: a number of seconds as GNU's (`1e-1`, `0x1`, `inf`), or a duration with its unit. */
export function seconds(text: string): number {
  const plain = text.trimStart().replace(/^\+/, '');
  const number = /^inf(inity)?$/i.test(plain) ? Number.POSITIVE_INFINITY : Number(plain);
  if (plain !== '' && !/\s$/.test(plain) && number >= 0) return 1000 * number;
  return parseDuration(text);
}
