// Other programs, where they are there: their tests are skipped by name elsewhere.

import { execFileSync, spawnSync } from 'node:child_process';

/** Is this program to be had? */
export const has = (program: string): boolean => spawnSync('/bin/sh', ['-c', 'command -v "$0"', program]).status === 0;

/** What `program` writes when it reads `input`; throws if it fails. */
export const filtered = (program: string, args: string[], input: Uint8Array): Buffer =>
  execFileSync(program, args, { input, maxBuffer: 2 ** 30, stdio: ['pipe', 'pipe', 'ignore'] });
