// Before all tests: every command has run once, so that no test sees the files in which compiled code is kept being made.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../../bin/sluice.js', import.meta.url));

export default function warm(): void {
  const cwd = mkdtempSync(join(tmpdir(), 'sluice-warm-'));
  try {
    writeFileSync(join(cwd, 'f'), 'warm\n');
    mkdirSync(join(cwd, 'd'));
    const jobs = [
      '--help',
      'copy f g',
      'atomic-write g',
      'tail f',
      'inspect f',
      'sync d e',
      'flush f',
      'bench --help',
      'completion bash',
      'complete',
    ];
    for (const job of jobs) spawnSync(process.execPath, [bin, ...job.split(' ')], { cwd, input: 'warm\n' });
  } finally {
    rmSync(cwd, { recursive: true, force: true });
  }
}
