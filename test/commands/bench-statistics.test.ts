import { describe, expect, it } from 'vitest';
import { compare, estimate } from '../../src/commands/bench-statistics.js';

/** The same at every run. */
function normalNumbers(): () => number {
  let seed = 1;
  const uniform = () => {
    seed = (seed * 16807) % 2147483647;
    return seed / 2147483647;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

describe('estimate', () => {
  it('gives the geometric mean and its 95 % interval', () => {
    const { mean, low, high } = estimate([1, 10, 100]);
    expect(mean).toBeCloseTo(10);
    // t(2 degrees) = 4.303, standard error of the logarithms = ln 10 / √3
    expect(Math.log(high / mean)).toBeCloseTo((4.303 * Math.log(10)) / Math.sqrt(3), 2);
    expect(mean / low).toBeCloseTo(high / mean);
  });
  it('is not sure of anything after one measurement', () => {
    expect(estimate([5])).toEqual({ mean: 5, low: 0, high: Infinity });
  });
  it('is sure of what does not vary', () => {
    const { mean, low, high } = estimate([7, 7, 7]);
    for (const value of [mean, low, high]) expect(value).toBeCloseTo(7);
  });
  it('narrows with the root of the number of measurements', () => {
    const width = (count: number) => {
      const { low, high } = estimate(Array.from({ length: count }, (_, i) => (i % 2 ? 2 : 1)));
      return Math.log(high / low);
    };
    expect(width(400) / width(100)).toBeCloseTo(0.5, 1);
  });
  it('covers the truth 95 times of 100', () => {
    let covered = 0;
    const normal = normalNumbers();
    for (let i = 0; i < 4000; i++) {
      const { low, high } = estimate(Array.from({ length: 5 }, () => Math.exp(3 + normal())));
      if (low <= Math.exp(3) && Math.exp(3) <= high) covered++;
    }
    expect(covered / 4000).toBeGreaterThan(0.94);
    expect(covered / 4000).toBeLessThan(0.96);
  });
});

describe('compare', () => {
  const rates = (lists: Record<number, number[]>) =>
    new Map(Object.entries(lists).map(([size, list]) => [Number(size), list]));
  it('finds the default the best where it is', () => {
    expect(compare(rates({ 1: [1, 1, 1], 2: [2, 2, 2], 4: [1.9, 1.8, 1.9] }), 2)).toMatchObject({
      best: 2,
      verdict: 'default',
      share: { mean: 1 },
    });
  });
  it('does not bother about a few percent, however sure', () => {
    const { best, verdict, share } = compare(rates({ 1: [1.03, 1.03, 1.03], 2: [1, 1, 1] }), 2);
    expect({ best, verdict }).toEqual({ best: 1, verdict: 'default' });
    expect(share.mean).toBeCloseTo(1 / 1.03);
  });
  it('recommends what is surely faster', () => {
    expect(compare(rates({ 1: [2, 2.1, 2.05], 2: [1, 1, 1] }), 2)).toMatchObject({ best: 1, verdict: 'tune' });
  });
  it('recommends nothing that may be chance', () => {
    expect(compare(rates({ 1: [4, 1, 1], 2: [1, 1, 1.2] }), 2)).toMatchObject({ best: 1, verdict: 'unsure' });
  });
  it('compares within rounds: what slows a whole round down does not count', () => {
    const drift = [1, 0.1, 3, 0.5, 10];
    const lists = { 1: drift.map((factor) => 2 * factor), 2: drift };
    const { verdict, share } = compare(rates(lists), 2);
    expect(verdict).toBe('tune');
    expect(share.low).toBeCloseTo(0.5);
    expect(share.high).toBeCloseTo(0.5);
  });
  it('is fooled by chance five times of a hundred at most, though the best of five others is looked at', () => {
    const normal = normalNumbers();
    let fooled = 0;
    for (let i = 0; i < 2000; i++) {
      const alike = rates(
        Object.fromEntries(
          [1, 2, 4, 8, 16, 32].map((size) => [size, [0, 0, 0, 0].map(() => Math.exp(0.3 * normal()))]),
        ),
      );
      if (compare(alike, 2).verdict === 'tune') fooled++;
    }
    expect(fooled / 2000).toBeLessThan(0.05);
    expect(fooled).toBeGreaterThan(0);
  });
});
