// Compression against the formats' own programs, and against everything that can be wrong with compressed data.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type Compression, compressing, type Decompression, decompressing } from '../../src/io/compression.js';
import type { Stage } from '../../src/io/filter.js';
import { native } from '../../src/io/native.js';
import { copyInto } from '../../src/io/pump.js';
import type { Source } from '../../src/io/raw.js';
import { filtered, has } from '../helpers/programs.js';
import { temporary } from '../helpers/sluice.js';

/** Bytes in pieces of `size`, and, if asked, nothing at all in between. */
function source(bytes: Uint8Array, { size = Infinity, blocks = false } = {}): Source {
  let at = 0;
  let blocked = false;
  return {
    readInto(view) {
      if (blocks) {
        blocked = !blocked;
        if (blocked) return null;
      }
      const count = Math.min(view.length, size, bytes.length - at);
      view.set(bytes.subarray(at, at + count));
      at += count;
      return count;
    },
    ready: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

async function through(stage: Stage, from: Source, bufferSize?: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const sink = { write: (view: Uint8Array) => chunks.push(Buffer.from(view)) && view.length };
  await copyInto(stage(from), sink as never, { bufferSize });
  return Buffer.concat(chunks);
}

const text = Buffer.from(Array.from({ length: 40_000 }, (_, i) => `line ${i} of some text that repeats\n`).join(''));
const noise = randomBytes(700_000);
const samples: [string, Buffer][] = [
  ['nothing', Buffer.alloc(0)],
  ['one byte', Buffer.from('x')],
  ['text', text],
  ['noise', noise],
  ['zeros', Buffer.alloc(2_000_000)],
];

/** How each format's own program packs and unpacks from stdin to stdout. */
const programs: Record<string, { program: string; pack: string[]; unpack: string[] }> = {
  gzip: { program: 'gzip', pack: ['-c'], unpack: ['-dc'] },
  brotli: { program: 'brotli', pack: ['-c', '-q', '5'], unpack: ['-dc'] },
  zstd: { program: 'zstd', pack: ['-qc'], unpack: ['-dqc'] },
  xz: { program: 'xz', pack: ['-c', '-1'], unpack: ['-dc'] },
  bzip2: { program: 'bzip2', pack: ['-c'], unpack: ['-dc'] },
};

describe.each(['gzip', 'brotli', 'zstd'] as Compression[])('compressing as %s', (format) => {
  const { program, unpack } = programs[format]!;
  it.each(samples)('gives back %s when it is decompressed', async (_, bytes) => {
    const packed = await through(compressing(format), source(bytes, { size: 100_003 }));
    expect((await through(decompressing(format, 'x'), source(packed, { blocks: true }))).equals(bytes)).toBe(true);
  });
  it.skipIf(!has(program)).each(samples)(`is read by ${program}: %s`, async (_, bytes) => {
    const packed = await through(compressing(format), source(bytes, { blocks: true, size: 65_536 }), 1000);
    expect(filtered(program, unpack, packed).equals(bytes)).toBe(true);
  });
});

describe.each(['gzip', 'brotli', 'zstd', 'xz', 'bzip2'] as Decompression[])('decompressing %s', (format) => {
  const { program, pack } = programs[format]!;
  const there = has(program);
  const packed = (bytes: Buffer): Buffer => filtered(program, pack, bytes);
  const unpack = (bytes: Buffer, options = {}): Promise<Buffer> =>
    through(decompressing(format, 'file'), source(bytes, options));

  it.skipIf(!there).each(samples)(`reads what ${program} writes: %s`, async (_, bytes) => {
    expect((await unpack(packed(bytes))).equals(bytes)).toBe(true);
  });
  it.skipIf(!there)('reads it a byte at a time', async () => {
    const bytes = text.subarray(0, 20_000);
    expect((await unpack(packed(bytes), { size: 1 })).equals(bytes)).toBe(true);
    expect((await unpack(packed(bytes), { size: 7, blocks: true })).equals(bytes)).toBe(true);
  });
  it.skipIf(!there || format === 'brotli').each([1, 5, 1000, Infinity])(
    'reads several members in a row, in pieces of %s bytes',
    async (size) => {
      const parts = [text.subarray(0, 5000), Buffer.alloc(0), noise.subarray(0, 3000), text.subarray(9000, 15_000)];
      const all = Buffer.concat(parts.map(packed));
      expect((await unpack(all, { size })).equals(Buffer.concat(parts))).toBe(true);
    },
  );
  it.skipIf(!there)('takes nothing for cut short', async () => {
    await expect(unpack(Buffer.alloc(0))).rejects.toThrow(/cut short/);
  });
  it.skipIf(!there)('finds out when data are cut short, anywhere', async () => {
    const whole = packed(text.subarray(0, 3000));
    for (let length = 0; length < whole.length; length += length < 20 || length > whole.length - 30 ? 1 : 37)
      await expect(unpack(whole.subarray(0, length)), `${length} of ${whole.length}`).rejects.toMatchObject({
        code: 'ERR_COMPRESSED_DATA',
        path: 'file',
      });
  });
  it.skipIf(!there)('finds out when the second of two members is cut short', async () => {
    const whole = packed(text.subarray(0, 3000));
    await expect(unpack(Buffer.concat([whole, whole.subarray(0, -3)]))).rejects.toMatchObject({
      code: 'ERR_COMPRESSED_DATA',
    });
  });
  it.skipIf(!there).each([1, Infinity])(
    'refuses something else behind the data, in pieces of %s bytes',
    async (size) => {
      for (const bytes of ['garbage', '\0\0\0\0garbage', 'g'])
        await expect(
          unpack(Buffer.concat([packed(text.subarray(0, 3000)), Buffer.from(bytes)]), { size }),
          JSON.stringify(bytes),
        ).rejects.toMatchObject({ code: 'ERR_COMPRESSED_DATA' });
    },
  );
  // Brotli has no checksum.
  it.skipIf(!there || format === 'brotli')('finds every flipped bit of the data, or gives the same', async () => {
    const bytes = noise.subarray(0, 400);
    const whole = packed(bytes);
    const start = format === 'gzip' ? 10 : 0; // gzip's header holds a time and a name that nothing checks
    for (let at = start; at < whole.length; at += format === 'bzip2' ? 17 : 5) {
      const flipped = Buffer.from(whole);
      flipped[at]! ^= 1 << (at % 8);
      const result = await unpack(flipped).catch((error) => error.code as string);
      expect(result === 'ERR_COMPRESSED_DATA' || bytes.equals(result as Buffer), `byte ${at}: ${result}`).toBe(true);
    }
  });
  it.skipIf(!there)(
    'tells it by its first bytes',
    async () => {
      const name = format === 'brotli' ? 'a.br' : 'a';
      const got = await through(decompressing('auto', name), source(packed(text), { size: 1, blocks: true }));
      expect(got.equals(text)).toBe(true);
    },
    60_000,
  );
});

describe('zstd by the library of the system', () => {
  it.skipIf(!native()?.zstd || !has('zstd'))('writes one frame with its checksum, as zstd does', async () => {
    const bytes = Buffer.concat([text, noise, text]);
    const packed = await through(compressing('zstd'), source(bytes));
    const file = join(temporary(), 'x.zst');
    writeFileSync(file, packed);
    expect(execFileSync('zstd', ['-lv', file]).toString()).toMatch(/# Zstandard Frames: 1\n[\s\S]*Check: XXH64/);
  });
  it.skipIf(!native()?.zstd)('says what is wrong in its words', async () => {
    const packed = await through(compressing('zstd'), source(text));
    packed[packed.length - 1]! ^= 1;
    await expect(through(decompressing('zstd', 'x'), source(packed))).rejects.toThrow(
      "the zstd data are damaged (Restored data doesn't match checksum)",
    );
  });
});

describe('decompressing', () => {
  it('says what it cannot tell', async () => {
    for (const bytes of ['', 'P', 'plain text'])
      await expect(through(decompressing('auto', 'name'), source(Buffer.from(bytes)))).rejects.toMatchObject({
        code: 'ERR_COMPRESSED_DATA',
        path: 'name',
        message: /brotli must be named/,
      });
  });
  it('drops zeros behind gzip data, as gzip does', async () => {
    const packed = Buffer.concat([gzipSync(text), Buffer.alloc(100_000)]);
    // Also where the source lets wait for it: the zeros come long after the data said that they were complete.
    for (const blocks of [false, true])
      expect((await through(decompressing('gzip', 'x'), source(packed, { size: 777, blocks }))).equals(text)).toBe(
        true,
      );
    const late = Buffer.concat([gzipSync('a'), Buffer.alloc(1000), Buffer.from('x')]);
    await expect(through(decompressing('gzip', 'x'), source(late, { size: 100, blocks: true }))).rejects.toMatchObject({
      code: 'ERR_COMPRESSED_DATA',
    });
  });
  it('reports an error of the source as it is', async () => {
    const failing = (): Source => {
      let calls = 0;
      return {
        readInto(view) {
          if (calls++ > 0) throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
          const count = Math.min(view.length, 100);
          view.set(gzipSync(text).subarray(0, count));
          return count;
        },
      };
    };
    await expect(through(decompressing('gzip', 'x'), failing())).rejects.toMatchObject({ code: 'EIO' });
    await expect(through(decompressing('auto', 'x'), failing())).rejects.toMatchObject({ code: 'EIO' });
    await expect(through(compressing('gzip'), failing())).rejects.toMatchObject({ code: 'EIO' });
  });
  it.each([
    ['gzip', (bytes: Buffer) => gzipSync(bytes)],
    ['brotli', (bytes: Buffer) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } })],
    ...(has('zstd') ? [['zstd', (bytes: Buffer) => filtered('zstd', ['-qc'], bytes)]] : []),
  ] as [
    Decompression,
    (bytes: Buffer) => Buffer,
  ][])('of %s holds little, however much comes out', async (format, pack) => {
    const bomb = pack(Buffer.alloc(120_000_000));
    let most = 0;
    const before = process.memoryUsage.rss();
    let bytes = 0;
    const sink = {
      write(view: Uint8Array) {
        bytes += view.length;
        most = Math.max(most, process.memoryUsage.rss() - before);
        return view.length;
      },
    };
    await copyInto(decompressing(format, 'bomb')(source(bomb)), sink as never);
    expect(bytes).toBe(120_000_000);
    expect(most).toBeLessThan(60_000_000);
  });
  it('is what gunzip does to a member with a name and a comment', async () => {
    const packed = Buffer.concat([gzipSync('a'), gzipSync('b')]);
    expect(await through(decompressing('gzip', 'x'), source(packed, { size: 1 }))).toEqual(gunzipSync(packed));
  });
});
