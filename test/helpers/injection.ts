// Where in a program's run a certain system call comes, so that an error or a signal can be put exactly there.

import { strace, type Traced, type TraceOptions } from './strace.js';

/** One thread in the pool: calls come in one order, and are counted in it. */
const env = { ...process.env, UV_THREADPOOL_SIZE: '1', NODE_EXTRA_CA_CERTS: '' };

/** Runs with descriptors decoded. */
export const traced = (command: string, args: string[], options: TraceOptions): Traced =>
  strace(command, args, { decode: true, env, ...options });

/** The `when` of the first call of this name (or the last one) whose line `matches`: its number among its thread's calls of that name. */
export function positionOf(
  run: Traced,
  call: string,
  matches: (line: string) => boolean,
  which: 'first' | 'last' = 'first',
): number {
  const counts = new Map<number, number>();
  let last = 0;
  for (const [i, line] of run.calls.entries()) {
    if (!line.startsWith(`${call}(`)) continue;
    const thread = run.threads[i]!;
    const count = (counts.get(thread) ?? 0) + 1;
    counts.set(thread, count);
    if (matches(line)) last = count;
    if (last > 0 && which === 'first') return last;
  }
  if (last > 0) return last;
  throw new Error(`no such ${call} among\n${run.calls.join('\n')}`);
}
