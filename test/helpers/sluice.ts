// Drives the built command as a shell user does.

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';

export const root: string = fileURLToPath(new URL('../..', import.meta.url));
export const bin: string = join(root, 'bin/sluice.js');

export interface Ended {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: Buffer;
  stderr: string;
  /** stdout as text. */
  out: string;
  /** stdout as JSON records, one a line. */
  records(): Record<string, unknown>[];
}

export interface RunOptions extends Pick<SpawnOptions, 'cwd' | 'env' | 'stdio' | 'uid' | 'gid'> {
  input?: string | Uint8Array;
}

/** `sluice ARGS`, to its end. */
export function sluice(args: string[], options: RunOptions = {}): Promise<Ended> {
  return command(process.execPath, [bin, ...args], options);
}

/** A shell line; `sluice` in it is the built one. */
export function shell(line: string, options: RunOptions = {}): Promise<Ended> {
  const define = `sluice() { "${process.execPath}" "${bin}" "$@"; }\n`;
  return command('/bin/bash', ['-c', define + line], options);
}

export function command(file: string, args: string[], { input, env, ...options }: RunOptions = {}): Promise<Ended> {
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options, env: { ...process.env, ...env } });
  const ended = outcome(child);
  child.stdin?.on('error', () => {}); // The command may not want its input.
  child.stdin?.end(input ?? '');
  return ended;
}

/** Everything a child wrote, and how it ended. */
export function outcome(child: ChildProcess): Promise<Ended> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      const stdout = Buffer.concat(out);
      resolve({
        status,
        signal,
        stdout,
        stderr: Buffer.concat(err).toString(),
        out: stdout.toString(),
        records: () =>
          stdout
            .toString()
            .split('\n')
            .filter(Boolean)
            .map((line) => JSON.parse(line)),
      });
    });
  });
}

/** Asks until it holds; fails after `limit` milliseconds with `what`. */
export async function eventually<T>(what: string, ask: () => T | Promise<T>, limit = 20_000): Promise<NonNullable<T>> {
  const end = Date.now() + limit;
  for (;;) {
    const answer = await ask();
    if (answer) return answer as NonNullable<T>;
    if (Date.now() > end) throw new Error(`not within ${limit} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const scratch: string[] = [];

/** A fresh directory, removed after the test. `inMemory`: for many files, where there is such a place. */
export function temporary(inMemory = false): string {
  const path = mkdtempSync(join(inMemory && existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sluice-'));
  scratch.push(path);
  return path;
}

afterEach(() => {
  for (const path of scratch.splice(0)) rmSync(path, { recursive: true, force: true });
});

export const isRoot: boolean = process.getuid?.() === 0;
