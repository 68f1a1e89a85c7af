import { describe, expect, it } from 'vitest';
import { isUnknown } from '../../src/probe/certainty.js';
import { ChunkStatistics } from '../../src/probe/chunk-statistics.js';
import { SlotStatistics } from '../../src/probe/pipe-slots.js';
import type { Upstream } from '../../src/probe/upstream.js';
import type { Held, Written } from '../../src/probe/upstream-watch.js';
import { verdictOf } from '../../src/probe/verdict.js';

interface Case {
  /** [size, lines, ends on a newline, milliseconds waited] */
  chunks?: [number, number, boolean, number][];
  line?: number;
  counters?: Partial<Written>;
  held?: Partial<Held>;
  upstream?: Upstream;
  ended?: boolean;
  slots?: SlotStatistics;
}

function verdict({ chunks = [], line = 30, counters, held, upstream, ended = true, slots }: Case) {
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
    held: { bytes: 0, reads: 0, milliseconds: 0, ...held },
    slots,
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

  it('1024 lines at once, as Node writes them into a pipe that was full, are no blocks', () => {
    const chunks = Array.from(
      { length: 30 },
      (_, i) => [1024 * (27 - (i % 3)), 1024, true, 2] as [number, number, boolean, number],
    );
    expect(verdict({ line: 27, chunks }).value).not.toBe('block');
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

  it('nor does what had been lying there, which had time to run together', () => {
    expect(verdict({ chunks: times(20, [4096, 136, false, 0]) }).value).toBeUndefined();
  });

  it('pieces of lines that fill a slot by chance make no block', () => {
    const slots = new SlotStatistics(4096);
    for (const size of [4096, 100, 90, 80]) slots.add(size, false, true);
    expect(verdict({ chunks: [[4366, 140, false, 0]], slots }).value).toBeUndefined();
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

  it('writes of which some were two blocks at once are told by their average, whatever ran together', () => {
    const chunks = times(20, [8192, 300, false, 2] as [number, number, boolean, number]);
    const counters = { written: 20 * 8192, writes: 39 };
    expect(verdict({ chunks })).toMatchObject({ value: 'block', size: 8192 });
    expect(verdict({ chunks, counters })).toMatchObject({ value: 'block', size: 4096 });
  });

  it('counts of a program that writes elsewhere too are not used', () => {
    expect(verdict({ chunks: coalesced, counters: { written: 99_000_000, writes: 24_170 } }).value).not.toBe('block');
  });

  it('what was read and not written, until it all came at once, was in a buffer', () => {
    const result = verdict({ chunks: [[900, 30, true, 400]], held: { bytes: 900, milliseconds: 400 } });
    expect(result).toMatchObject({ value: 'block' });
    expect(result.certainty).toBeGreaterThan(0.8);
  });

  it('one write says nothing of lines that came after it was counted', () => {
    const lines: Case['chunks'] = [
      [30, 1, true, 0],
      [30, 1, true, 0],
    ];
    expect(verdict({ chunks: lines, counters: { written: 30, writes: 1, arrived: 30 } }).value).toBeUndefined();
    expect(verdict({ chunks: lines, counters: { written: 60, writes: 1, arrived: 60 } }).value).toBe('block');
    const more: Case['chunks'] = [
      [90, 3, true, 0],
      [90, 3, true, 0],
    ];
    expect(verdict({ chunks: more, counters: { written: 90, writes: 1, arrived: 90 } }).value).toBeUndefined();
  });

  it('several reads of a little are enough, if the meter came late, but less sure', () => {
    const held = { bytes: 72, reads: 3, milliseconds: 80 };
    const late = verdict({ chunks: [[900, 30, true, 80]], held, counters: {} });
    expect(late).toMatchObject({ value: 'block' });
    expect(late.certainty).toBeLessThan(0.9);
    expect(verdict({ chunks: [[900, 30, true, 80]], held: { ...held, reads: 2 }, counters: {} }).value).toBeUndefined();
  });

  it('what it read before it could have been its input is not what it held back', () => {
    const held = { bytes: 42, milliseconds: 400 };
    expect(verdict({ chunks: [[900, 30, true, 400]], held, counters: {} }).value).toBeUndefined();
  });

  it('a program that was told to write at once is not judged by two lines that ran together', () => {
    const grep: Upstream = {
      pid: 1,
      command: 'grep --line-buffered x',
      program: 'grep',
      remedy: { program: 'grep', fix: 'grep --line-buffered', block: 4096 },
      unbuffered: '--line-buffered',
    };
    const held = { bytes: 900, milliseconds: 400 };
    expect(verdict({ chunks: [[60, 2, true, 400]], held, upstream: grep }).value).not.toBe('block');
  });

  it('what was read and not written is doubtful as long as nothing came', () => {
    const result = verdict({ held: { bytes: 900, milliseconds: 400 }, ended: false });
    expect(result.value).toBe('block');
    expect(result.certainty).toBeLessThan(0.8);
  });
});

describe('by how the pipe was filled', () => {
  /** [bytes, ends on a newline, another slot followed] */
  const slots = (...all: [number, boolean, boolean][]) => {
    const statistics = new SlotStatistics(4096);
    for (const each of all) statistics.add(...each);
    return statistics;
  };
  const atOnce: Case['chunks'] = [[24893, 1000, true, 0]];

  it('slots full to the last byte are blocks, though the writer has gone', () => {
    const filled = slots(...times(6, [4096, false, true] as [number, boolean, boolean]), [317, true, false]);
    expect(verdict({ chunks: atOnce, slots: filled })).toMatchObject({ value: 'block', size: undefined });
  });

  it('slots that end with a line, as full as lines make them, are lines', () => {
    const filled = slots(...times(6, [4080, true, true] as [number, boolean, boolean]), [413, true, false]);
    expect(verdict({ chunks: atOnce, slots: filled })).toMatchObject({ value: 'line' });
  });

  it('as many whole lines as go into 8192 bytes, each time, are blocks of 8192', () => {
    const pair: [number, boolean, boolean][] = [
      [4096, false, true],
      [4085, true, true],
    ];
    const filled = slots(...pair, ...pair, ...pair, [350, true, false]);
    expect(verdict({ chunks: atOnce, slots: filled })).toMatchObject({ value: 'block', size: 8192 });
  });

  it('one block of whole lines is no pattern: it may have ended there', () => {
    const filled = slots([4096, false, true], [4085, true, false]);
    expect(verdict({ chunks: [[8181, 303, true, 0]], slots: filled })).toMatchObject({
      value: 'block',
      size: undefined,
    });
  });

  it('bursts of many whole lines are not surely lines', () => {
    const chunks = times(12, [24543, 909, true, 20] as [number, number, boolean, number]);
    expect(verdict({ line: 27, chunks }).certainty).toBeLessThan(0.6);
  });

  it('slots that lines fill exactly say nothing, nor do slots that were left half empty', () => {
    const exact = slots(...times(6, [4096, true, true] as [number, boolean, boolean]));
    expect(verdict({ line: 2, chunks: [[24576, 12288, true, 0]], slots: exact }).value).toBeUndefined();
    const half = slots(...times(6, [2000, true, true] as [number, boolean, boolean]));
    expect(verdict({ chunks: [[12000, 400, true, 0]], slots: half }).value).toBeUndefined();
  });

  it('lines longer than a slot, and what was moved instead of written, say nothing', () => {
    const filled = slots(...times(6, [4096, false, true] as [number, boolean, boolean]));
    expect(verdict({ line: 5000, chunks: [[24576, 5, false, 0]], slots: filled }).value).toBeUndefined();
    filled.add(65536, false, false);
    expect(verdict({ chunks: atOnce, slots: filled }).value).toBeUndefined();
  });

  it('a wait parts what came before it from what comes after', () => {
    const filled = slots([4096, false, false]);
    filled.waited();
    filled.add(100, true, false);
    expect([...filled.wholeLines]).toEqual([]);
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
