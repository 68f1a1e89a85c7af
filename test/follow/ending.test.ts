import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printEnding, type Selection } from '../../src/follow/ending.js';
import { startOfLastLines } from '../../src/follow/last-lines.js';
import { newline, nul } from '../../src/follow/line-ends.js';
import { openOperand, operand } from '../../src/follow/operand.js';
import { lastLines } from '../../src/follow/ring.js';
import { temporary } from '../helpers/sluice.js';

const hasGnuTail = /GNU coreutils/.test(spawnSync('tail', ['--version']).stdout?.toString() ?? '');

async function ours(path: string, selection: Selection): Promise<Buffer> {
  const parts: Buffer[] = [];
  const file = openOperand(operand(path));
  try {
    await printEnding(file, selection, (bytes) => parts.push(Buffer.from(bytes)));
  } finally {
    file.close();
  }
  return Buffer.concat(parts);
}

function gnu(path: string, { unit, fromStart, count, ends }: Selection): Buffer {
  const number = fromStart ? `+${count + 1}` : `${count}`;
  const { stdout, status } = spawnSync(
    'tail',
    [unit === 'lines' ? '-n' : '-c', number, ...(ends === nul ? ['-z'] : []), path],
    { maxBuffer: 2 ** 28 },
  );
  expect(status).toBe(0);
  return stdout;
}

const block = 256 * 1024;
/** Contents of a size near a border, with lines of some length, ended or not, and bytes that are no text. */
const contents = fc
  .record({
    size: fc.oneof(
      fc.integer({ min: 0, max: 300 }),
      fc
        .tuple(fc.constantFrom(65536, block, 2 * block), fc.integer({ min: -2, max: 2 }))
        .map(([base, off]) => base + off),
    ),
    line: fc.constantFrom(0, 1, 2, 7, 80, 1000, block),
    end: fc.constantFrom('\n', '\r\n', '\0', '\xff\n'),
    final: fc.boolean(),
  })
  .map(({ size, line, end, final }) => {
    const unit = Buffer.from(`${'x'.repeat(line)}${end}`, 'latin1');
    const bytes = Buffer.alloc(size, unit);
    if (final && size > 0) bytes[size - 1] = end === '\0' ? 0 : 10;
    return bytes;
  });

const selections = fc.record({
  unit: fc.constantFrom<'lines' | 'bytes'>('lines', 'bytes'),
  fromStart: fc.boolean(),
  count: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constantFrom(4095, 4096, 65536, block, block + 1, 10_000_000)),
  ends: fc.constantFrom(newline, newline, nul),
});

describe('printEnding', () => {
  it.skipIf(!hasGnuTail)(
    "prints what GNU's tail prints, whatever the content and the selection",
    async () => {
      const path = join(temporary(), 'file');
      await fc.assert(
        fc.asyncProperty(contents, selections, async (bytes, selection) => {
          writeFileSync(path, bytes);
          expect((await ours(path, selection)).equals(gnu(path, selection))).toBe(true);
        }),
        { numRuns: 400 },
      );
    },
    120_000,
  );

  it('believes the bytes, not the size, of a file in /proc or /sys', async () => {
    const lines = { unit: 'lines', fromStart: false, count: 1, ends: newline } as const;
    expect((await ours('/proc/self/status', lines)).toString()).toMatch(/^nonvoluntary_ctxt_switches/);
    expect((await ours('/sys/kernel/mm/transparent_hugepage/enabled', lines)).toString()).toMatch(/never/);
  });
});

describe('startOfLastLines', () => {
  const bytes = Buffer.from('one\ntwo\nthree\nfour');
  const readAt = (view: Uint8Array, at: number) => (at < bytes.length ? bytes.copy(view, 0, at) : 0);

  it('counts a rest without a line end as a line', () => {
    expect(startOfLastLines(readAt, 0, bytes.length, 2, newline)).toEqual({ offset: 8, missing: 0 });
    expect(startOfLastLines(readAt, 0, 14, 1, newline)).toEqual({ offset: 8, missing: 0 });
  });

  it('says how many lines there were too few', () => {
    expect(startOfLastLines(readAt, 0, bytes.length, 4, newline)).toEqual({ offset: 0, missing: 0 });
    expect(startOfLastLines(readAt, 0, bytes.length, 7, newline)).toEqual({ offset: 0, missing: 3 });
    expect(startOfLastLines(readAt, 4, 14, 7, newline)).toEqual({ offset: 4, missing: 5 });
    expect(startOfLastLines(readAt, 5, 5, 7, newline)).toEqual({ offset: 5, missing: 7 });
  });

  it('finds code units of two bytes at even offsets only', () => {
    // U+0A00 U+000A: the bytes 0A 00 stand in the middle too.
    const wide = Buffer.from('a\n\u000a\u0a00b\u0100\n', 'utf16le');
    const utf16 = { width: 2, lf: Buffer.from('\n', 'utf16le') };
    const read = (view: Uint8Array, at: number) => wide.copy(view, 0, at);
    expect(startOfLastLines(read, 0, wide.length, 1, utf16).offset).toBe(6);
  });

  it('lives with a file that is shorter than it was', () => {
    expect(startOfLastLines(readAt, 0, bytes.length + 600_000, 1, newline).offset).toBe(14);
  });
});

describe('lastLines', () => {
  it('forgets what can no longer be printed', () => {
    const ring = lastLines(3, newline);
    const line = Buffer.from(`${'y'.repeat(99)}\n`);
    let sum = 0;
    for (let i = 0; i < 400_000; i++) {
      for (let at = 0; at < line.length; ) {
        const room = ring.room();
        const count = Math.min(room.length, line.length - at);
        room.set(line.subarray(at, at + count));
        ring.added(count);
        at += count;
      }
      sum += line.length;
    }
    const rest = Buffer.concat([...ring.rest()]);
    expect(rest.length).toBe(300);
    expect(ring.offset).toBe(sum - 300);
    expect(process.memoryUsage().arrayBuffers).toBeLessThan(24 * 2 ** 20);
  });
});

it('opens a FIFO without waiting for its writer', () => {
  const path = join(temporary(), 'fifo');
  spawnSync('mkfifo', [path]);
  const file = openOperand(operand(path));
  expect(file.seekable).toBe(false);
  file.close();
});
