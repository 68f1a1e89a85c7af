// The checksum that closes a zstd frame, against published values and against the program.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { hashedMemory } from '../../src/io/xxh64.js';
import { has } from '../helpers/programs.js';
import { sluice, temporary } from '../helpers/sluice.js';

describe('XXH64', () => {
  it('gives the published values', () => {
    const { memory, checksum } = hashedMemory();
    const low = (text: string) => checksum(memory.write(text)) >>> 0;
    expect(['', 'a', 'abc', 'Nobody inspects the spammish repetition'].map(low)).toEqual([
      0x51d8e999, 0xa98c6e5b, 0xad770999, 0x8a378bf1,
    ]);
  });
  it.skipIf(!has('zstd'))('closes every frame that is written without native calls, and damage is seen', async () => {
    const cwd = temporary();
    const file = join(cwd, 'f.zst');
    const env = { SLUICE_NATIVE: '0' };
    for (const size of [0, 3, 29, 77, 4 * 2 ** 20, 4 * 2 ** 20 + 45]) {
      const input = randomBytes(size);
      expect(await sluice(['copy', '--compress', 'zstd', '-', 'f.zst'], { cwd, env, input })).toMatchObject({
        status: 0,
      });
      expect(execFileSync('zstd', ['-lv', file]).toString()).toContain('Check: XXH64');
      expect(execFileSync('zstd', ['-dqc', file], { maxBuffer: 2 ** 23 }).equals(input)).toBe(true);
    }
    const bytes = readFileSync(file);
    bytes[1000]! ^= 1; // stored as it is: without the checksum nothing is amiss
    writeFileSync(file, bytes);
    expect(await sluice(['copy', '--decompress', 'f.zst', 'f'], { cwd, env })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('the zstd data are damaged'),
    });
  });
  it('runs the code that its source says', async () => {
    const { default: wabt } = await import('wabt');
    const source = new URL('../../src/io/xxh64.wat', import.meta.url);
    const module = (await wabt()).parseWat('xxh64.wat', readFileSync(source, 'utf8'), { simd: true });
    const { code } = await import('../../src/io/xxh64-code.js');
    expect(code).toBe(Buffer.from(module.toBinary({}).buffer).toString('base64'));
  });
});
