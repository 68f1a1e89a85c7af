// A `sluice tail` that goes on: what it has printed so far, and its end.

import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach } from 'vitest';
import { bin, eventually } from './sluice.js';

export class Following {
  readonly child: ChildProcess;
  out = '';
  err = '';
  ended: Promise<{ status: number | null; signal: NodeJS.Signals | null }>;

  constructor(
    args: string[],
    { cwd, env, command }: { cwd?: string; env?: NodeJS.ProcessEnv; command?: string[] } = {},
  ) {
    const [file, ...before] = command ?? [process.execPath, bin, 'tail'];
    this.child = spawn(file!, [...before, ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // A group of its own: what it started ends with it.
    });
    this.child.stdout!.on('data', (chunk) => {
      this.out += chunk.toString('latin1');
    });
    this.child.stderr!.on('data', (chunk) => {
      this.err += chunk;
    });
    this.ended = new Promise((resolve) => this.child.on('close', (status, signal) => resolve({ status, signal })));
    running.add(this);
    void this.ended.then(() => running.delete(this));
  }

  /** Waits until stdout is exactly this. */
  async prints(text: string): Promise<void> {
    await eventually(`stdout ${JSON.stringify(text)}`, () => this.out === text).catch(() => {
      throw new Error(`stdout is ${JSON.stringify(this.out)}, not ${JSON.stringify(text)}; stderr: ${this.err}`);
    });
  }

  async says(pattern: RegExp): Promise<void> {
    await eventually(`stderr ${pattern}`, () => pattern.test(this.err)).catch(() => {
      throw new Error(`stderr has no ${pattern}: ${this.err}; stdout: ${this.out}`);
    });
  }

  /** Waits until everything is armed: --debug tells. */
  async follows(): Promise<void> {
    await this.says(/followed by/);
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<{ status: number | null; signal: NodeJS.Signals | null }> {
    process.kill(-this.child.pid!, signal);
    return this.ended;
  }
}

const running = new Set<Following>();

afterEach(async () => {
  for (const each of [...running]) await each.stop('SIGKILL');
});
