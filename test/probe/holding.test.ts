import { describe, expect, it } from 'vitest';
import { unknown } from '../../src/probe/certainty.js';
import { hasEnded, holdingOf } from '../../src/probe/holding.js';
import type { Stage } from '../../src/probe/pipeline.js';

const stage = (pid: number, program: string, fields: Partial<Stage>): Stage => ({
  pid,
  program,
  command: program,
  role: 'stage',
  waiting: { for: 'read', fd: 0 },
  waitsFor: [],
  reads: [],
  writes: [],
  io: { read: 0, written: 0, writes: 0 },
  holding: null,
  ...fields,
});

/** `shell and its children | cut`: 20 of the bytes still wait. */
function heldByCut(child: Stage['io'], cut: Partial<Stage> = {}) {
  const stages = [
    stage(1, 'bash', { writes: ['pipe:[1]'], io: { read: 0, written: 120, writes: 12 } }),
    stage(2, 'sleep', { writes: ['pipe:[1]'], io: child }),
    stage(3, 'cut', { reads: ['pipe:[1]'], writes: ['pipe:[2]'], ...cut }),
  ];
  const ends = (...pids: number[]) => pids.map((pid) => ({ pid, fd: 1 }));
  const pipes = new Map([['pipe:[1]', { name: 'pipe:[1]', readers: ends(3), writers: ends(1, 2) }]]);
  return holdingOf(stages[2]!, stages, pipes, new Map([['pipe:[1]', { waiting: 20 }]]));
}

describe('what a stage holds', () => {
  it('is what was written to it, less what still waits', () => {
    expect(heldByCut({ read: 0, written: 0, writes: 0 })).toMatchObject({ value: { bytes: 100 }, inferred: true });
  });

  it('is known without a writer that has ended meanwhile, but not without one that may not be seen', () => {
    expect(heldByCut(unknown(hasEnded))).toMatchObject({ value: { bytes: 100 } });
    expect(heldByCut(unknown('not permitted'))).toBe(null);
  });

  it('is nothing while it runs, or once it has written', () => {
    const none = { read: 0, written: 0, writes: 0 };
    expect(heldByCut(none, { waiting: { for: 'running' } })).toBe(null);
    expect(heldByCut(none, { io: { read: 100, written: 100, writes: 10 } })).toBe(null);
    expect(heldByCut(none, { role: 'wrapper' })).toBe(null);
  });

  it('is less than a block once it has written full ones', () => {
    expect(
      heldByCut({ read: 0, written: 4096, writes: 1 }, { io: { read: 0, written: 4096, writes: 1 } }),
    ).toMatchObject({
      value: { bytes: 100 },
    });
  });
});
