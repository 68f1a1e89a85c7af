import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyInto } from '../../src/io/pump.js';
import type { Sink, Source } from '../../src/io/raw.js';

/** Gives `bytes` in pieces of the sizes listed (then one at a time); 0 in the list is a moment with nothing there. */
function scripted(bytes: Uint8Array, sizes: number[]): Source {
  let at = 0;
  let step = 0;
  return {
    readInto(view) {
      const size = sizes[step++] ?? 1;
      if (size === 0) return null;
      const count = Math.min(size, view.length, bytes.length - at);
      view.set(bytes.subarray(at, at + count));
      at += count;
      return count;
    },
    ready: () => Promise.resolve(),
  };
}

function taking(sizes: number[]): Sink & { bytes: () => Buffer } {
  const taken: Buffer[] = [];
  let step = 0;
  return {
    write(view) {
      const all = view as Uint8Array;
      const size = sizes[step++] ?? all.length;
      if (size === 0) return null;
      const count = Math.min(size, all.length);
      taken.push(Buffer.from(all.subarray(0, count)));
      return count;
    },
    ready: () => Promise.resolve(),
    bytes: () => Buffer.concat(taken),
  };
}

describe('the pump', () => {
  it('moves every byte once and in order, however short the counts', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.array(fc.nat(9), { maxLength: 60 }),
        fc.array(fc.nat(9), { maxLength: 60 }),
        fc.integer({ min: 1, max: 64 }),
        async (bytes, reads, writes, bufferSize) => {
          const sink = taking(writes);
          const seen: Buffer[] = [];
          const count = await copyInto(scripted(bytes, reads), sink, {
            bufferSize,
            onBytes: (chunk) => void seen.push(Buffer.from(chunk)),
          });
          expect(count).toBe(bytes.length);
          expect(sink.bytes()).toEqual(Buffer.from(bytes));
          expect(Buffer.concat(seen)).toEqual(Buffer.from(bytes));
        },
      ),
    );
  });

  it('stops at the limit without reading beyond it', async () => {
    const source = scripted(Buffer.from('abcdefgh'), [3, 3, 3]);
    const sink = taking([]);
    expect(await copyInto(source, sink, { limit: 5 })).toBe(5);
    expect(sink.bytes().toString()).toBe('abcde');
    expect(await copyInto(source, sink)).toBe(3);
    expect(sink.bytes().toString()).toBe('abcdefgh');
  });

  it('passes on what the source or the sink throws', async () => {
    const broken: Source = {
      readInto() {
        throw new Error('EIO');
      },
    };
    await expect(copyInto(broken, taking([]))).rejects.toThrow('EIO');
    const full: Sink = {
      write() {
        throw new Error('ENOSPC');
      },
    };
    await expect(copyInto(scripted(Buffer.from('x'), [1]), full)).rejects.toThrow('ENOSPC');
  });

  it('gives up on a sink that takes nothing for ever', async () => {
    await expect(copyInto(scripted(Buffer.from('x'), [1]), { write: () => 0 })).rejects.toThrow('takes no bytes');
  });

  it('lets timers run while it works, and stops when it is told to', async () => {
    const endless: Source = { readInto: (view) => view.fill(1).length };
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error('enough')), 50);
    await expect(
      copyInto(endless, { write: (view) => (view as Uint8Array).length }, { signal: abort.signal }),
    ).rejects.toThrow('enough');
  });

  it('stops waiting for a source when it is told to', async () => {
    const silent: Source = { readInto: () => null, ready: () => new Promise(() => {}) };
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error('enough')), 20);
    await expect(copyInto(silent, taking([]), { signal: abort.signal })).rejects.toThrow('enough');
  });

  it('holds a rate', async () => {
    const bytes = Buffer.alloc(30_000, 7);
    const started = Date.now();
    await copyInto(scripted(bytes, Array(100).fill(1000)), taking([]), { limitRate: 100_000 });
    expect(Date.now() - started).toBeGreaterThanOrEqual(250);
  });
});
