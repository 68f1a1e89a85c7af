import { describe, expect, it } from 'vitest';
import { deadlocked } from '../../src/probe/deadlock.js';

describe('a deadlock', () => {
  it.each([
    [
      'two that wait for each other',
      [
        [1, [2]],
        [2, [1]],
      ],
      [1, 2],
    ],
    [
      'three in a circle',
      [
        [1, [2]],
        [2, [3]],
        [3, [1]],
      ],
      [1, 2, 3],
    ],
    ['one that waits for itself alone', [[1, [1]]], [1]],
    [
      'one that waits for such a pair',
      [
        [1, [2]],
        [2, [1]],
        [3, [1]],
      ],
      [1, 2, 3],
    ],
  ] as [string, [number, number[]][], number[]][])('is %s', (_, waits, stuck) => {
    expect(deadlocked(waits.map(([pid, on]) => ({ pid, on }))).sort()).toEqual(stuck);
  });

  it.each([
    [
      'a chain that ends at one who does not wait',
      [
        [1, [2]],
        [2, [3]],
      ],
    ],
    [
      'a circle that somebody outside can break',
      [
        [1, [2, 9]],
        [2, [1]],
      ],
    ],
    ['one who waits for nobody known', [[1, []]]],
  ] as [string, [number, number[]][]][])('is not %s', (_, waits) => {
    expect(deadlocked(waits.map(([pid, on]) => ({ pid, on })))).toEqual([]);
  });
});
