// Entries put in place, and what became of them written down in a report.

import type { SmallWish } from '../io/native/plain-files.js';
import { native } from '../io/native.js';
import type { Work } from './action.js';
import {
  copyEntry,
  copyLarge,
  copyOpen,
  type Done,
  failedAs,
  isSmall,
  openFacts,
  openSource,
  smallFile,
  type Way,
} from './copy-entry.js';
import type { Facts } from './facts.js';
import { type Hands, Stopped, type Trees } from './hands.js';
import { linkEntry, refusesLinks } from './hard-links.js';
import { holding } from './holding.js';
import { addTold, type Report, type Setup } from './job.js';
import { places } from './place.js';
import { below, type Tree } from './tree.js';

/** From this size on a file is a job of its own (bytes). */
export const largeFile = 4 << 20;

/** A promise where it takes longer; errors are in the report, but for those of hands that stop it. */
type Placed = Promise<void> | undefined;

export class Placing {
  readonly #setup: Setup;
  readonly #hands: Hands;
  readonly #source: Tree;
  readonly #target: Tree | null;
  readonly #there: Tree | null;
  readonly #reference: Tree | undefined;
  readonly #buffer = Buffer.allocUnsafeSlow(smallFile + 1);

  constructor(setup: Setup, hands: Hands, { source, target, there, reference }: Trees) {
    this.#setup = setup;
    this.#hands = hands;
    this.#source = source;
    this.#target = target;
    this.#there = there;
    this.#reference = reference;
  }

  /** Put it in place, or say that it would be. */
  place(directory: string, work: Work, report: Report): Placed {
    if (!this.#target) {
      this.#foretell(work, report);
      return undefined;
    }
    const { entry, anew } = this.#setup;
    const { name, action, source } = work;
    const path = below(directory, name);
    try {
      if (action === 'skip') {
        addTold(report.told, work, name, { bytes: 0, method: 'metadata', lost: [], skipped: true });
        return undefined;
      }
      // In a new tree nothing is there to be updated.
      const own: Work = anew ? { ...work, action: action === 'link' ? 'link' : 'create', target: null } : work;
      if (action === 'link') {
        this.#done(path, work, linkEntry(this.#reference!, path, this.#target, path), report);
        return undefined;
      }
      const way = this.#way(directory);
      const { single } = this.#hands;
      if (single && source.kind === 'file' && action !== 'metadata')
        return this.#finish(
          path,
          work,
          holding(way, (held) => single(held, path)),
          report,
        );
      const done = copyEntry(way, own, entry, this.#buffer);
      if (done) {
        this.#done(path, work, done, report);
        return undefined;
      }
      const onBytes = (count: number) => {
        this.#hands.onBytes(count);
        report.moved += count;
      };
      return this.#finish(
        path,
        work,
        holding(way, (held) => copyLarge(held, own, entry, onBytes)),
        report,
      );
    } catch (error) {
      report.failed.push({ path, failed: failedAs(error) });
      return undefined;
    }
  }

  async #finish(path: string, work: Work, doing: Promise<Done>, report: Report): Promise<void> {
    try {
      this.#done(path, work, await doing, report);
    } catch (error) {
      if (error instanceof Stopped) throw error;
      report.failed.push({ path, failed: failedAs(error) });
    }
  }

  #foretell(work: Work, report: Report): void {
    const { action, source } = work;
    const bytes = source.kind === 'file' && action !== 'link' && action !== 'metadata' ? source.size : 0;
    addTold(report.told, work, work.name, {
      bytes,
      method: 'metadata',
      lost: [],
      ...(action === 'skip' && { skipped: true }),
    });
  }

  #done(path: string, work: Work, done: Done, report: Report): void {
    report.changed = true;
    if (done.staged !== undefined) report.staged.push({ at: report.told.length, work, temp: done.staged });
    if (done.warning !== undefined) report.warned.push({ path, message: done.warning });
    for (const what of done.lost) report.lost.push(what);
    addTold(report.told, work, work.name, done);
  }

  /** A small file, made under its own name in a new directory that nobody knows yet. */
  fresh(directory: string, name: string, wish: SmallWish, report: Report): Placed {
    const { plainFiles } = native()!;
    const [from, to] = [this.#source.at(directory).fd, this.#target!.at(directory).fd];
    const size = plainFiles.copy(from, to, name, this.#buffer, wish);
    if (size < 0) return this.unseen(directory, name, report);
    report.told.push(name, 'create', 'new', 'file', size, 'readinto', false);
    return undefined;
  }

  /** A file that nothing is known of but that it is to be new. */
  unseen(directory: string, name: string, report: Report): Placed {
    const { entry, rules } = this.#setup;
    try {
      const way = this.#way(directory);
      const fd = openSource(way, name, entry);
      let work: Work;
      try {
        const source = openFacts(fd);
        work = { name, action: 'create', reason: 'new', source, target: null };
        const later = { name, source, target: null, verdict: created };
        if (rules.links && source.nlink > 1) {
          report.linked.push(later);
          return undefined;
        }
        if (source.size >= largeFile) {
          report.large.push(later);
          return undefined;
        }
        const done = isSmall(source, entry) ? copyOpen(fd, source, way, work, entry, this.#buffer) : null;
        if (done) {
          this.#done(below(directory, name), work, done, report);
          return undefined;
        }
      } finally {
        places().closeFile(fd);
      }
      return this.place(directory, work, report);
    } catch (error) {
      report.failed.push({ path: below(directory, name), failed: failedAs(error) });
      return undefined;
    }
  }

  /** What is the same in the old tree is in the new one by another name; a copy, where that cannot be. */
  carry(directory: string, name: string, source: Facts, report: Report): Placed {
    if (!this.#target || !this.#there) return undefined;
    const path = below(directory, name);
    try {
      linkEntry(this.#there, path, this.#target, path);
      return undefined;
    } catch (error) {
      if (!refusesLinks(error)) throw error;
      return this.place(directory, { name, action: 'create', reason: 'same', source, target: null }, report);
    }
  }

  #way(directory: string): Way {
    return { source: this.#source.at(directory), target: this.#target!.at(directory) };
  }
}

const created = { action: 'create', reason: 'new' } as const;
