import { describe, expect, it } from 'vitest';
import { isUnknown } from '../../src/probe/certainty.js';
import { ChunkStatistics } from '../../src/probe/chunk-statistics.js';
import type { IoCounters, Upstream } from '../../src/probe/upstream.js';
import { verdictOf } from '../../src/probe/verdict.js';

interface Case {
  /** [size, lines, ends on a newline, milliseconds waited] */
  chunks?: [number, number, boolean, number][];
  line?: number;
  counters?: Partial<IoCounters>;
  held?: { bytes: number; milliseconds: number };
  upstream?: Upstream;
  ended?: boolean;
}

function verdict({
  chunks = [],
  line = 30,
  counters,
  held = { bytes: 0, milliseconds: 0 },
  upstream,
  ended = true,
}: Case) {
  const statistics = new ChunkStatistics();
  statistics.longestLine = line;
  let now = 0;
  for (const [size, lines, endsLine, waited] of chunks) {
    now += waited;
    statistics.add(size, now, waited, { lines, endsLine });
  }
  statistics.endBurst();
  const result = verdictOf({
    statistics,
    ended,
    upstream,
    held,
    counters: counters && {
      read: 0,
      reads: 0,
      written: 0,
      writes: 0,
      arrived: statistics.bytes,

      ...counters,
    },
  });
  return {
    value: isUnknown(result.verdict) ? undefined : result.verdict.value,
    certainty: isUnknown(result.verdict) ? 0 : result.verdict.certainty,
    size: result.size === null || isUnknown(result.size) ? undefined : result.size.value,
    fix: result.fix,
  };
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);

describe('by chunks alone', () => {
  it('full blocks that end anywhere are block-buffered, with their size', () => {
    for (const size of [4096, 8192, 32768])
      expect(verdict({ chunks: times(20, [size, size / 30, false, 2]) })).toMatchObject({ value: 'block', size });
  });

  it('blocks of two-byte lines, which all end on a newline, are blocks all the same', () => {
    expect(verdict({ line: 2, chunks: times(20, [4096, 2048, true, 2]) })).toMatchObject({
      value: 'block',
      size: 4096,
    });
  });

  it("Python's blocks of whole lines, a little below 8192, are blocks of 8192", () => {
    const chunks = Array.from(
      { length: 20 },
      (_, i) => [8160 + (i % 2) * 30, 272, true, 2] as [number, number, boolean, number],
    );
    expect(verdict({ line: 35, chunks })).toMatchObject({ value: 'block', size: 8192 });
  });

  it('single lines are line-buffered, the surer the more of them came', () => {
    const few = verdict({ chunks: times(2, [30, 1, true, 20]) });
    const many = verdict({ chunks: times(20, [30, 1, true, 20]) });
    expect([few.value, many.value]).toEqual(['line', 'line']);
    expect(many.certainty).toBeGreaterThan(few.certainty);
  });

  it('lines that ran together are still line-buffered', () => {
    const chunks = Array.from(
      { length: 20 },
      (_, i) => [30 * (1 + (i % 4)), 1 + (i % 4), true, 5] as [number, number, boolean, number],
    );
    expect(verdict({ chunks })).toMatchObject({ value: 'line' });
  });

  it('a line written in two pieces at once is a line', () => {
    const chunks = times(10, null).flatMap(
      () =>
        [
          [29, 0, false, 20],
          [1, 1, true, 0.05],
        ] as [number, number, boolean, number][],
    );
    expect(verdict({ chunks })).toMatchObject({ value: 'line' });
  });

  it('pieces of lines, far apart, are not buffered at all', () => {
    const chunks = Array.from(
      { length: 40 },
      (_, i) => [3, i % 10 === 9 ? 1 : 0, i % 10 === 9, 20] as [number, number, boolean, number],
    );
    expect(verdict({ chunks })).toMatchObject({ value: 'none' });
  });

  it('full pipes say nothing of how they were filled', () => {
    expect(verdict({ chunks: times(20, [65536, 2184, true, 2]) }).value).not.toBe('block');
  });

  it('one chunk says nothing', () => {
    expect(verdict({ chunks: [[100, 1, true, 0]] }).value).toBeUndefined();
    expect(verdict({}).value).toBeUndefined();
  });

  it('many lines that were there from the start say nothing either', () => {
    expect(verdict({ chunks: [[900, 30, true, 0.0001]] }).value).toBeUndefined();
  });
});

describe("by the kernel's count of writes", () => {
  const coalesced = times(5, [65536, 2184, false, 0] as [number, number, boolean, number]);

  it('blocks are found though they have run together', () => {
    expect(verdict({ chunks: coalesced, counters: { written: 327680, writes: 80 } })).toMatchObject({
      value: 'block',
      size: 4096,
    });
  });

  it('lines are found though they have run together', () => {
    expect(verdict({ chunks: coalesced, counters: { written: 327680, writes: 10922 } })).toMatchObject({
      value: 'line',
    });
  });

  it('counts of a program that writes elsewhere too are not used', () => {
    expect(verdict({ chunks: coalesced, counters: { written: 99_000_000, writes: 24_170 } }).value).not.toBe('block');
  });

  it('what was read and not written, until it all came at once, was in a buffer', () => {
    const result = verdict({ chunks: [[900, 30, true, 400]], held: { bytes: 900, milliseconds: 400 } });
    expect(result).toMatchObject({ value: 'block' });
    expect(result.certainty).toBeGreaterThan(0.8);
  });

  it('what was read and not written is doubtful as long as nothing came', () => {
    const result = verdict({ held: { bytes: 900, milliseconds: 400 }, ended: false });
    expect(result.value).toBe('block');
    expect(result.certainty).toBeLessThan(0.8);
  });
});

describe('by what is known of the program', () => {
  const grep: Upstream = {
    pid: 1,
    command: 'grep x',
    program: 'grep',
    remedy: { program: 'grep', fix: 'grep --line-buffered', block: 4096 },
    unbuffered: undefined,
  };

  it('alone there is no verdict', () => {
    expect(verdict({ upstream: grep }).value).toBeUndefined();
  });

  it('what it does wins over what it usually does', () => {
    expect(verdict({ upstream: grep, chunks: times(10, [30, 1, true, 20]) }).value).toBe('line');
  });

  it('the fix is for that program', () => {
    expect(verdict({ upstream: grep, chunks: times(20, [4096, 130, false, 2]) }).fix).toBe('grep --line-buffered');
  });
});
