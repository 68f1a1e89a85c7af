// A worker thread's side of `crew.ts`: batches of jobs come, their reports go. One batch at a time, in order.

import { workerData } from 'node:worker_threads';
import { type CrewSettings, firstBusyWord, stopWord } from './crew.js';
import { Stopped } from './hands.js';
import type { Job, Report } from './job.js';
import { Runner } from './runner.js';

const { setup, shared, moved, index, port } = workerData as CrewSettings;
const words = new Int32Array(shared);
const total = new BigInt64Array(moved);

function stopIfAsked(): undefined {
  if (Atomics.load(words, stopWord) !== 0) throw new Stopped();
}

const runner = new Runner(setup, {
  pace: stopIfAsked,
  onBytes(count) {
    stopIfAsked();
    Atomics.add(total, 0, BigInt(count));
  },
});

/** null: told to stop; what was staged is gone again. */
async function run(jobs: Job[]): Promise<Report[] | null> {
  const reports: Report[] = [];
  try {
    for (const job of jobs) {
      stopIfAsked();
      reports.push(await runner.run(job));
    }
    return reports;
  } catch (error) {
    if (!(error instanceof Stopped)) throw error;
    for (const [i, { staged, within }] of reports.entries()) {
      const { path } = jobs[i]!;
      for (const { temp } of staged) runner.remove(path, temp);
      if (within && path !== '') runner.removeWithin(path, within);
    }
    return null;
  }
}

let queue = Promise.resolve();
port.on('message', (jobs: Job[]) => {
  queue = queue.then(async () => {
    Atomics.store(words, firstBusyWord + index, 1);
    try {
      const reports = await run(jobs);
      if (reports) port.postMessage(reports);
    } finally {
      Atomics.store(words, firstBusyWord + index, 0);
      Atomics.notify(words, firstBusyWord + index);
    }
  });
});
