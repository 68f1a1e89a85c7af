// Sizes and durations as people write them.

import { InvalidArgumentError } from 'commander';

const units = ['', 'K', 'M', 'G', 'T', 'P'];

/** Bytes: `64K` = `64KiB` = 65536, `64kB` = 64000, a bare number = bytes. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([kKMGTP])(iB|B)?|B)?$/.exec(text);
  if (!match) throw new InvalidArgumentError("Not a size, as in '64K', '64kB', '1MiB' or '4096'.");
  const [, number, unit = '', suffix] = match;
  const bytes = Number(number) * (suffix === 'B' ? 1000 : 1024) ** units.indexOf(unit.toUpperCase());
  if (!Number.isSafeInteger(bytes)) throw new InvalidArgumentError('Not a whole number of bytes.');
  return bytes;
}

/** A size of at least one byte. */
export function parsePositiveSize(text: string): number {
  const bytes = parseSize(text);
  if (bytes === 0) throw new InvalidArgumentError('It must be at least 1 byte.');
  return bytes;
}

const largestBuffer = 2 ** 30;

/** A size that may well be had of memory at once. */
export function parseBufferSize(text: string): number {
  const bytes = parsePositiveSize(text);
  if (bytes > largestBuffer) throw new InvalidArgumentError('It must be at most 1 GiB.');
  return bytes;
}

const milliseconds: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds: `500ms`, `30s`, `5m`, `2h`, a bare number = seconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m|h|d)?$/.exec(text);
  if (!match) throw new InvalidArgumentError("Not a duration, as in '500ms', '30s', '5m' or '2'.");
  return Number(match[1]) * milliseconds[match[2] ?? 's']!;
}

/** A whole number from `least` up. */
export const parseCount =
  (least: number) =>
  (text: string): number => {
    const number = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(number) || number < least)
      throw new InvalidArgumentError(`Not a whole number from ${least} up.`);
    return number;
  };
