import { describe, expect, it } from 'vitest';
import { parseCount, parseDuration, parsePositiveSize, parseSize } from '../../src/cli/quantities.js';

describe('sizes', () => {
  it.each([
    ['64K', 65536],
    ['64KiB', 65536],
    ['64kB', 64000],
    ['64KB', 64000],
    ['1M', 1048576],
    ['1MiB', 1048576],
    ['1MB', 1e6],
    ['2G', 2 * 1024 ** 3],
    ['1T', 1024 ** 4],
    ['1.5K', 1536],
    ['0', 0],
    ['512', 512],
    ['512B', 512],
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(['', 'K', '-1', '1X', '1KiBs', '0x10', '1e3', '9999999P', '1.0001'])('%j is none', (text) => {
    expect(() => parseSize(text)).toThrow();
  });

  it('a step of nothing is none', () => {
    expect(() => parsePositiveSize('0')).toThrow();
  });
});

describe('durations', () => {
  it.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['2', 2000],
    ['0.5', 500],
    ['.5', 500],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(['', 's', '-1s', '1y', '1 2'])('%j is none', (text) => {
    expect(() => parseDuration(text)).toThrow();
  });
});

it('counts are whole, and not too small', () => {
  expect(parseCount(1)('7')).toBe(7);
  for (const text of ['0', '-1', '1.5', 'x', '', '99999999999999999999']) expect(() => parseCount(1)(text)).toThrow();
});
