import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FileIO } from '../../src/io/file-io.js';
import { SparseSink } from '../../src/io/sparse-sink.js';
import { temporary } from '../helpers/sluice.js';

it('any runs of data and zeros, in any chunks, come out the same', () => {
  const path = join(temporary(), 'f');
  const runs = fc.array(fc.tuple(fc.constantFrom(0, 1), fc.integer({ min: 1, max: 9000 })), { maxLength: 8 });
  fc.assert(
    fc.property(
      runs,
      fc.array(fc.integer({ min: 1, max: 12000 }), { minLength: 1, maxLength: 8 }),
      (pieces, chunks) => {
        const bytes = Buffer.concat(pieces.map(([value, length]) => Buffer.alloc(length, value)));
        const fd = openSync(path, 'w+');
        const sink = new SparseSink(new FileIO(fd, 'r+', { closefd: false }));
        for (let at = 0, i = 0; at < bytes.length; i++)
          at += sink.write(bytes.subarray(at, at + chunks[i % chunks.length]!))!;
        sink.finish();
        closeSync(fd);
        expect(readFileSync(path).equals(bytes)).toBe(true);
      },
    ),
    { numRuns: 60 },
  );
});

it('zeros take no room', () => {
  const path = join(temporary(), 'f');
  const file = new FileIO(path, 'w+');
  const sink = new SparseSink(file);
  for (let i = 0; i < 64; i++) sink.write(Buffer.alloc(256 * 1024));
  sink.write(Buffer.from('end'));
  sink.finish();
  file.close();
  expect(statSync(path).size).toBe(16 * 1024 * 1024 + 3);
  expect(statSync(path).blocks * 512).toBeLessThan(1024 * 1024);
});
