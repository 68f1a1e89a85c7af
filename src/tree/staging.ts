// Durable in batches: files are complete under temp names, all of them reach stable storage, and only then get their names.

import { closeSync, constants } from 'node:fs';
import { fsyncFile } from '../io/durability.js';
import { commitEntry, type Failed, failedAs, remove } from './copy-entry.js';
import { type Report, type Staged, toldWidth } from './job.js';
import { places } from './place.js';
import type { Tree } from './tree.js';

/** Calls to fsync at a time: a journal's commit, or a disk's flush, does for all that wait for it. */
const atOnce = 16;

interface Waiting {
  directory: string;
  report: Report;
  placed: () => void;
}

export class Staging {
  readonly #target: Tree;
  readonly #noClobber: boolean;
  #waiting: Waiting[] = [];
  /** Those on their way to stable storage, or to their names. */
  #committing: Waiting[] = [];
  #entries = 0;

  constructor(target: Tree, noClobber: boolean) {
    // libuv's pool has four threads, unless somebody wants more before it is used for the first time.
    process.env['UV_THREADPOOL_SIZE'] ??= String(atOnce);
    this.#target = target;
    this.#noClobber = noClobber;
  }

  get entries(): number {
    return this.#entries;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** `placed` is called when all of the report's entries have their names, or have failed. */
  add(directory: string, report: Report, placed: () => void): void {
    this.#waiting.push({ directory, report, placed });
    this.#entries += report.staged.length;
  }

  /** All that wait now. `changed` hears of each directory that got names. */
  async commit(changed: (directory: string) => void, failed: (path: string, name: string, error: Failed) => void) {
    const batch = this.#waiting;
    this.#committing = batch;
    this.#waiting = [];
    this.#entries = 0;
    const all = batch.flatMap(({ directory, report }) => report.staged.map((staged) => ({ directory, staged })));
    const errors = new Map<Staged, unknown>();
    let next = 0;
    const sync = async () => {
      for (let each = all[next++]; each; each = all[next++]) {
        try {
          await this.#fsync(each.directory, each.staged);
        } catch (error) {
          errors.set(each.staged, error);
        }
      }
    };
    await Promise.all(Array.from({ length: atOnce }, sync));
    for (let each = batch[0]; each; each = batch[0]) {
      const { directory, report, placed } = each;
      const lost = new Set<number>();
      for (const staged of report.staged) {
        const { at, work, temp } = staged;
        try {
          if (errors.has(staged)) throw errors.get(staged);
          const done = { bytes: 0, method: 'readinto', lost: [] } as const;
          const target = this.#target.at(directory);
          const { skipped } = commitEntry(target, temp, work, { ...done, lost: [] }, this.#noClobber);
          if (skipped) report.told[at + toldWidth - 1] = true;
          changed(directory);
        } catch (error) {
          lost.add(at);
          failed(directory, work.name, failedAs(error));
          remove(this.#target.at(directory), temp);
        }
      }
      if (lost.size > 0) report.told = report.told.filter((_, i) => !lost.has(i - (i % toldWidth)));
      batch.shift();
      placed();
    }
  }

  /** Once, and never again: after a failed fsync the kernel holds the lost pages for clean. */
  async #fsync(directory: string, { work, temp }: Staged): Promise<void> {
    // Links and special files are their directory's matter.
    if (work.source.kind !== 'file') return;
    const fd = places().open(this.#target.at(directory), temp, constants.O_RDONLY);
    try {
      await fsyncFile(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** The process is told to stop, or nobody hears us any more: what is staged goes. */
  undo(): void {
    for (const { directory, report } of [...this.#committing, ...this.#waiting])
      for (const { temp } of report.staged) remove(this.#target.at(directory), temp);
  }
}
