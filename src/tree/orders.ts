// What is to be done next, and by whom: surveys in the walk's order, and entries that were looked at already, which go first.

import type { Job, Part } from './job.js';
import type { Within } from './new-directory.js';
import type { Node, Slot } from './node.js';

/** A job, and whose it is. */
export interface Order {
  node: Node;
  slot: Slot;
  job: Job;
}

/** A directory, or a part of one, to look at. `within`: it has no name yet. */
export function surveyOf(node: Node, part?: Part, within: Within | null = null): Order {
  const { path, source, target, instead } = node;
  return { node, slot: node.addSlot(), job: { do: 'survey', path, source, target, instead, part, within } };
}

/** Reported entries that wait to be told of, at most: behind a large file, the rest waits for it then. */
const untoldAtMost = 200_000;
/** Large files known and not copied, before more is surveyed. */
const largeAtMost = 256;
/** Entries of a batch for another thread, and jobs in it at most. */
const batchEntries = 192;
const batchJobs = 32;
/** What makes other threads worth their start: so many directories, or entries met with some more waiting, or bytes of large files. */
const crewFrom = { directories: 24, entries: 256, orders: 4, bytes: 64 << 20 };

export class Orders {
  /** Surveys to come, the next last. */
  readonly #surveys: Order[] = [];
  /** Large files, mostly. */
  readonly #works: Order[] = [];
  readonly #jobs: number;
  /** Entries reported that were not told of yet. */
  untold = 0;
  /** Met so far. */
  #entries = 0;
  #directories = 0;

  /** `jobs`: threads that share the work. */
  constructor(jobs: number) {
    this.#jobs = jobs;
  }

  /** Entries of a directory were listed, or of a part of one that was counted already. */
  met(entries: number, directory: boolean): void {
    this.#entries += entries;
    if (directory) this.#directories++;
  }

  /** Surveys that follow each other in the walk take their place among those that wait: what is told first is done first. */
  queue(orders: Order[]): void {
    const [first] = orders;
    if (!first) return;
    let low = 0;
    let high = this.#surveys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (first.node.comesBefore(this.#surveys[middle]!.node)) low = middle + 1;
      else high = middle;
    }
    this.#surveys.splice(low, 0, ...orders.reverse());
  }

  /** Entries of a directory, each known. */
  add(order: Order): void {
    this.#works.push(order);
  }

  /** For this thread. */
  next(): Order | undefined {
    return this.#works.shift() ?? (this.#mayGoOn() ? this.#surveys.pop() : undefined);
  }

  /** The next survey, though much waits to be told: where nothing else is left to do. */
  survey(): Order | undefined {
    return this.#surveys.pop();
  }

  #mayGoOn(): boolean {
    return this.untold < untoldAtMost && this.#works.length < largeAtMost;
  }

  /** For another thread: as much as it is busy with for a while, and not so much that others have nothing. */
  batch(): Order[] {
    const work = this.#works.shift();
    if (work) return [work];
    if (!this.#mayGoOn()) return [];
    const average = Math.max(1, this.#entries / Math.max(1, this.#directories));
    const share = Math.ceil(this.#surveys.length / (2 * this.#jobs));
    let room = Math.max(1, Math.min(batchJobs, Math.floor(batchEntries / average), share));
    const batch: Order[] = [];
    for (let order = this.#surveys.at(-1); order && room > 0; order = this.#surveys.at(-1), room--) {
      batch.push(order);
      this.#surveys.pop();
      // A part of a large directory is enough by itself.
      if (order.job.do === 'survey' && order.job.part) break;
    }
    return batch;
  }

  /** Is there so much to do that other threads are worth their start? */
  get worthCrew(): boolean {
    if (this.#works.length > 1) {
      let bytes = 0;
      for (const { job } of this.#works)
        if (job.do === 'works') for (const { source } of job.works) bytes += source.size;
      if (bytes >= crewFrom.bytes) return true;
    }
    const waiting = this.#surveys.length;
    return waiting >= crewFrom.directories || (waiting >= crewFrom.orders && this.#entries >= crewFrom.entries);
  }
}
