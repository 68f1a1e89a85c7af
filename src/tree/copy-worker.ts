// A worker thread's side of `crew.ts`: batches come, results go. One batch at a time, in order.

import { workerData } from 'node:worker_threads';
import { copyEntry, copyLarge, failedAs, remove, smallFile } from './copy-entry.js';
import { type CrewSettings, firstBusyWord, type Group, type Result, stopWord } from './crew.js';
import { holding } from './holding.js';
import { Tree } from './tree.js';

const { sourceFd, targetFd, sourcePath, targetPath, entry, shared, moved, index, port } = workerData as CrewSettings;
const words = new Int32Array(shared);
const source = new Tree(sourcePath, entry.follow, { fd: sourceFd, path: sourcePath });
const target = new Tree(targetPath, false, { fd: targetFd, path: targetPath });
const buffer = Buffer.allocUnsafeSlow(smallFile + 1);

class Stopped extends Error {}

function stopIfAsked(): void {
  if (Atomics.load(words, stopWord) !== 0) throw new Stopped();
}

const total = new BigInt64Array(moved);
function onBytes(count: number): void {
  stopIfAsked();
  Atomics.add(total, 0, BigInt(count));
}

/** Told to stop: what is staged already goes too. */
function forget(groups: Group[], results: Result[]): null {
  let i = 0;
  for (const { directory, works } of groups)
    for (let k = 0; k < works.length && i < results.length; k++, i++) {
      const result = results[i]!;
      if ('staged' in result && result.staged) remove(target.at(directory), result.staged);
    }
  return null;
}

async function run(groups: Group[]): Promise<Result[] | null> {
  const results: Result[] = [];
  for (const { directory, works } of groups) {
    for (const work of works) {
      if (Atomics.load(words, stopWord) !== 0) return forget(groups, results);
      try {
        const way = { source: source.at(directory), target: target.at(directory) };
        results.push(
          copyEntry(way, work, entry, buffer) ?? (await holding(way, (held) => copyLarge(held, work, entry, onBytes))),
        );
      } catch (error) {
        if (error instanceof Stopped) return forget(groups, results);
        results.push({ failed: failedAs(error) });
      }
    }
  }
  return results;
}

let queue = Promise.resolve();
port.on('message', (groups: Group[]) => {
  queue = queue.then(async () => {
    Atomics.store(words, firstBusyWord + index, 1);
    try {
      const results = Atomics.load(words, stopWord) === 0 ? await run(groups) : null;
      if (results) port.postMessage(results);
    } finally {
      Atomics.store(words, firstBusyWord + index, 0);
      Atomics.notify(words, firstBusyWord + index);
    }
  });
});
