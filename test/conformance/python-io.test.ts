// Every recorded call of CPython's io, replayed here; and where a Python is at hand, others that it records now.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as sluice from '../../src/index.js';
import { replay, type Trace } from './replay.js';

const here = new URL('.', import.meta.url).pathname;
const load = (path: string): Trace[] => JSON.parse(readFileSync(path, 'utf8'));

/** The traces that differ, each with its first difference. */
const differences = (traces: Trace[]): string[] =>
  traces.flatMap((trace) => {
    const difference = replay(sluice, trace);
    return difference === null ? [] : [`${trace.name}: ${difference}`];
  });

const hasPython = spawnSync('python3.11', ['-c', 'import _pyio']).status === 0;

describe("Python's io", () => {
  it('gives what CPython gave, call by call', () => {
    const traces = load(join(here, 'python-io-traces.json'));
    expect(traces.length).toBeGreaterThan(1000);
    expect(differences(traces)).toEqual([]);
  });

  it('gives what CPython gave on longer runs with odder buffers', () => {
    expect(differences(load(join(here, 'longer-traces.json')))).toEqual([]);
  });

  it.skipIf(!hasPython)(
    'gives what this machine’s CPython gives, on traces made now',
    () => {
      const dir = mkdtempSync(join(tmpdir(), 'sluice-traces-'));
      try {
        const out = join(dir, 'traces.json');
        const seed = process.env['SLUICE_TRACE_SEED'] ?? '7';
        execFileSync('python3.11', [join(here, 'generate.py'), '--seed', seed, '--out', out]);
        expect(differences(load(out))).toEqual([]);
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    },
    120_000,
  );
});
