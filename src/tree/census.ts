// How much there is to do, counted ahead of the work by a thread of its own: for people who watch, and for nobody else.

import { Worker } from 'node:worker_threads';
import type { Rules, Side } from './job.js';

export interface Count {
  files: number;
  bytes: number;
}

/** Files (all that is no directory) that the rules take along, and their bytes. `done` is called once, if it is not ended before. */
export function census(source: Side, rules: Rules, done: (count: Count) => void): { end(): void } {
  const worker = new Worker(new URL('./census-worker.js', import.meta.url), {
    workerData: { source, rules },
    trackUnmanagedFds: false,
  });
  worker.unref();
  worker.on('message', done);
  // Without totals then: the work itself says what is wrong.
  worker.on('error', () => {});
  return { end: () => void worker.terminate() };
}
