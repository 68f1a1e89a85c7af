import { describe, expect, it } from 'vitest';
import { type DescriptorKind, decideBuffering } from '../../src/io/buffering.js';

const decide = (kind: DescriptorKind, option?: 'auto' | 'line' | 'block' | 'none', environment = {}) =>
  decideBuffering({ kind, blockSize: 4096 }, option, environment);

describe('decideBuffering', () => {
  it('is by line on a terminal, and by block elsewhere, flushed when the source goes idle', () => {
    expect(decide('terminal')).toEqual({ kind: 'line', size: 131072 });
    for (const kind of ['pipe', 'socket', 'file', 'null', 'device'] as const)
      expect(decide(kind)).toEqual({ kind: 'block', size: 131072, flushWhenIdle: true });
  });

  it('takes the option before the environment, and SLUICE_UNBUFFERED before SLUICE_BUFFERING', () => {
    expect(decide('pipe', undefined, { SLUICE_BUFFERING: 'line' }).kind).toBe('line');
    expect(decide('pipe', undefined, { SLUICE_BUFFERING: 'line', SLUICE_UNBUFFERED: '1' }).kind).toBe('none');
    expect(decide('terminal', 'block', { SLUICE_UNBUFFERED: '1' })).toEqual({
      kind: 'block',
      size: 131072,
      flushWhenIdle: false,
    });
    expect(decide('terminal', 'auto', { SLUICE_UNBUFFERED: '1' }).kind).toBe('line');
  });

  it('takes an empty variable, SLUICE_UNBUFFERED=0 and an unknown word for nothing said', () => {
    const environment = { SLUICE_BUFFERING: 'sometimes', SLUICE_UNBUFFERED: '0' };
    expect(decide('terminal', undefined, environment).kind).toBe('line');
    expect(decide('pipe', undefined, { SLUICE_BUFFERING: '', SLUICE_UNBUFFERED: '' }).kind).toBe('block');
  });

  it('follows a file system that likes larger blocks, up to 8 MiB', () => {
    const size = (blockSize: number) => {
      const decided = decideBuffering({ kind: 'file', blockSize }, undefined, {});
      return decided.kind === 'none' ? 0 : decided.size;
    };
    expect([512, 1 << 20, 1 << 30].map(size)).toEqual([131072, 1 << 20, 8 << 20]);
  });
});
