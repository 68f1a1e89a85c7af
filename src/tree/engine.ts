// A tree made like another: the walk over directories, whose surveys are jobs for this thread and, where there are many, for
// others; what they report, brought into one order. `copy` and `sync` are two sets of rules for it.

import type { Loss } from '../io/attributes.js';
import { fsyncFile } from '../io/durability.js';
import { SluiceError } from '../io/failure.js';
import { whileUnfinished } from '../io/unfinished.js';
import type { Action, Work } from './action.js';
import { type Count, census } from './census.js';
import { type Done, type EntrySettings, type Failed, failedAs, type Way } from './copy-entry.js';
import { Crew } from './crew.js';
import { dressDirectory } from './dress.js';
import { type Facts, sameFile } from './facts.js';
import type { Trees } from './hands.js';
import { LinkGroups, linkEntry, refusesLinks } from './hard-links.js';
import { eachTold, emptyReport, type Job, type Later, type Report, type Rules, type Setup } from './job.js';
import { Node, type Slot } from './node.js';
import { places } from './place.js';
import { Runner } from './runner.js';
import { Staging } from './staging.js';
import { Telling } from './telling.js';
import { below, fewDescriptors, type Tree } from './tree.js';

export interface EngineEvents {
  /** Told in a fixed order; without a target, of what would be done. */
  done(action: Action, done: Pick<Done, 'bytes' | 'method'> & { skipped: boolean }): void;
  failed(failed: Failed, path: string): void;
  warned(message: string, path: string): void;
  /** Not taken along, for what it is. */
  leftOut(message: string, path: string, code?: string): void;
  lost(what: Loss): void;
  /** What only the destination has. `temp`: by its name, a temp file; `excluded`: the filters keep it. */
  extra(node: Node, name: string, facts: Facts, why: 'plain' | 'excluded' | 'temp'): void;
  /** A directory with contents where the source has something else: the work is possible once it is gone. */
  occupied(node: Node, work: Work): void;
  /** Entries seen. */
  count(side: 'source' | 'destination', entries: number): void;
  /** Bytes moved, and files seen to, of so many. True if somebody watches: then they are counted ahead of the work. */
  progress(state: { bytes: number; files: number; totalBytes?: number; totalFiles?: number }): boolean;
}

export interface EngineSettings {
  rules: Rules;
  entry: EntrySettings;
  jobs: number;
  /** The target's root was only just made. */
  freshRoot: boolean;
  /** The target is a new tree, which gets what is the same from the old one (`there`). */
  anew?: boolean;
  /** Takes the place of the engine's own way of copying a file, one at a time: for what is asked of it besides. */
  single?: ((way: Way, path: string) => Promise<Done>) | undefined;
  /** Every entry that was looked at, in order: then only this thread looks. */
  seen?: ((side: 'source' | 'destination', path: string, facts: Facts) => void) | undefined;
}

/** A job, and whose it is. */
interface Order {
  node: Node;
  slot: Slot;
  job: Job;
}

/** Entries staged at most before they are made durable and get their names. */
const stagedAtMost = 8192;
/** Reported entries that wait to be told of, at most: behind a large file, the rest waits for it then. */
const untoldAtMost = 200_000;
/** Large files known and not copied, before more is surveyed. */
const largeAtMost = 256;
/** Entries of a batch for another thread, and jobs in it at most. */
const batchEntries = 192;
const batchJobs = 32;
/** Batches a thread may have: one at work, one so that it need not wait for us. */
const inHand = 2;
/** What makes other threads worth their start: so many directories, or entries met with some more waiting, or bytes of large files. */
const crewFrom = { directories: 24, entries: 256, orders: 4, bytes: 64 << 20 };
/** The event loop gets its turn after this many milliseconds. */
const slice = 10;

export class Engine {
  readonly #trees: Trees;
  readonly #settings: EngineSettings;
  readonly #events: EngineEvents;
  readonly #setup: Setup;
  readonly #runner: Runner;
  readonly #groups: LinkGroups;
  readonly #telling: Telling;
  readonly #staging: Staging | null;
  /** Surveys to come, the next last. */
  readonly #surveys: Order[] = [];
  /** Entries that were looked at already, large ones mostly: they go first. */
  readonly #works: Order[] = [];
  /** Further names, made when all else is in place. */
  #late: { node: Node; work: Work; to: string }[] = [];
  /** In the place of a directory that has to go first, and names of files with several. */
  readonly #blocked: { node: Node; work: Work }[] = [];
  /** Names of one file in the destination that are to be files of their own: replaced when all were looked at. */
  #parting: { node: Node; work: Work }[] = [];
  #crew: Crew | null = null;
  #inFlight = 0;
  #untold = 0;
  #stopping = false;
  #wake: (() => void) | null = null;
  readonly #changed = new Set<string>();
  readonly #rootFacts: Facts;
  readonly #rootThere: Facts | null;
  #counts = { bytes: 0, files: 0, large: 0, entries: 0, directories: 0 };
  #sliceEnd = 0;
  #census: { end(): void } | undefined;
  #total: Count | undefined;

  constructor(trees: Trees, settings: EngineSettings, events: EngineEvents) {
    this.#trees = trees;
    this.#settings = settings;
    this.#events = events;
    const { source, target, there, reference } = trees;
    const { rules, entry, anew = false, single, seen } = settings;
    const side = (tree: Tree) => ({ path: tree.path, fd: tree.root.fd });
    this.#setup = {
      source: side(source),
      target: target && side(target),
      there: there && side(there),
      reference: reference ? side(reference) : null,
      anew,
      rules,
      entry,
    };
    this.#runner = new Runner(
      this.#setup,
      { pace: () => this.#pace(), onBytes: (n) => this.#onBytes(n), single, seen },
      trees,
    );
    this.#groups = new LinkGroups(rules.links, anew);
    this.#rootFacts = places().statOpen(source.root.fd);
    this.#rootThere = there && places().statOpen(there.root.fd);
    this.#telling = new Telling(
      (action, done) => this.#tell(action, done),
      (node) => this.#settleLinks(node),
    );
    this.#staging = target && entry.stage ? new Staging(target, entry.noClobber) : null;
  }

  /** The whole walk. What `occupied` told of knows then whether it is a link to another name. */
  async run(): Promise<void> {
    const target = this.#settings.freshRoot ? null : this.#rootThere;
    const root = new Node(null, { name: '', source: this.#rootFacts, target, instead: null });
    this.#telling.begin(root);
    this.#queue([surveyOf(root)]);
    await this.#work();
    // Of names of one file that are in no one's way any is the first; of those that have to wait, the others are links to it.
    for (const { node, work } of this.#blocked) {
      const to = this.#groups.behindOthers(below(node.path, work.name), work.source);
      if (to !== undefined) Object.assign(work, { action: 'link', to });
    }
  }

  /** Some entries more, once the way is free for them. */
  async place(entries: { node: Node; work: Work }[]): Promise<void> {
    for (const { node, work } of entries) {
      const { to } = work;
      if (to === undefined) this.#place(node, work);
      else {
        node.pending++;
        this.#late.push({ node, work, to });
      }
    }
    await this.#work();
  }

  /** Entries in this directory have changed by other hands than ours: its attributes are to be set again. */
  changedIn(node: Node): void {
    node.touched = true;
    this.#dress(node);
  }

  /** The names in every directory that was changed reach stable storage. Calls `failed` for those that do not. */
  async syncDirectories(failed: (error: SluiceError) => void): Promise<void> {
    for (const path of this.#changed) {
      try {
        await fsyncFile(this.#trees.target!.at(path).fd);
      } catch (error) {
        failed(this.located({ ...failedAs(error), state: 'what is in it may not survive a power cut' }, path));
      }
    }
    this.#changed.clear();
  }

  /** With the names that the user knows. */
  located({ message, code, syscall, side, state }: Failed, path: string): SluiceError {
    const { source, target, there } = this.#trees;
    const tree = side === 'source' ? source : (target ?? there ?? source);
    return new SluiceError(message, {
      ...(code !== undefined && { code }),
      ...(syscall !== undefined && { syscall }),
      path: tree.shown(path),
      state: state ?? 'destination left as it was',
    });
  }

  /** Until nothing is left to do. */
  async #work(): Promise<void> {
    const finished = whileUnfinished(() => {
      this.#stopping = true;
      this.#crew?.stopNow();
      this.#staging?.undo();
    });
    const ticking = setInterval(() => this.#progress(), 200);
    ticking.unref();
    try {
      for (;;) {
        this.#feed();
        const order = this.#next();
        if (order) {
          this.#received(order, await this.#runner.run(order.job));
          if (this.#staging && this.#staging.entries >= stagedAtMost) await this.#commit();
          await turn();
        } else if (this.#inFlight > 0) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        } else if (this.#staging && !this.#staging.isEmpty) await this.#commit();
        else if (this.#surveys.length > 0) {
          const first = this.#surveys.pop()!;
          this.#received(first, await this.#runner.run(first.job));
        } else if (this.#parting.length > 0) this.#part();
        else if (this.#late.length > 0) await this.#linkLate();
        else break;
      }
      this.#total = { files: this.#counts.files, bytes: 0 };
      this.#progress();
    } finally {
      clearInterval(ticking);
      this.#census?.end();
      this.#counts.large += this.#crew?.moved ?? 0;
      await this.#crew?.end();
      this.#crew = null;
      finished();
    }
  }

  /** What this thread does next. */
  #next(): Order | undefined {
    return this.#works.shift() ?? (this.#mayGoOn() ? this.#surveys.pop() : undefined);
  }

  /** Surveys that follow each other in the walk take their place among those that wait: what is told first is done first. */
  #queue(orders: Order[]): void {
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

  #mayGoOn(): boolean {
    return this.#untold < untoldAtMost && this.#works.length < largeAtMost;
  }

  /** Other threads get what there is. */
  #feed(): void {
    const { jobs, single, seen } = this.#settings;
    if (!this.#crew) {
      if (jobs < 2 || single || seen || !this.#trees.target || fewDescriptors() || !this.#worthCrew()) return;
      this.#crew = new Crew(jobs - 1, this.#setup);
    }
    for (let member = this.#crew.free(inHand); member !== undefined; member = this.#crew.free(inHand)) {
      const batch = this.#batch();
      if (batch.length === 0) return;
      this.#inFlight += batch.length;
      const given = batch.map(({ job }) => job);
      this.#crew.give(member, given, (reports) => {
        this.#inFlight -= batch.length;
        for (const [i, order] of batch.entries()) {
          const report = reports instanceof Error ? failedReport(order.job, reports) : reports[i]!;
          this.#received(order, report);
        }
        if (this.#stopping) return;
        this.#feed();
        this.#wake?.();
      });
    }
  }

  #worthCrew(): boolean {
    const { entries } = this.#counts;
    if (this.#works.length > 1) {
      let bytes = 0;
      for (const { job } of this.#works)
        if (job.do === 'works') for (const { source } of job.works) bytes += source.size;
      if (bytes >= crewFrom.bytes) return true;
    }
    const waiting = this.#surveys.length;
    return waiting >= crewFrom.directories || (waiting >= crewFrom.orders && entries >= crewFrom.entries);
  }

  /** As much as a thread is busy with for a while, and not so much that others have nothing. */
  #batch(): Order[] {
    const work = this.#works.shift();
    if (work) return [work];
    if (!this.#mayGoOn()) return [];
    const { entries, directories } = this.#counts;
    const average = Math.max(1, entries / Math.max(1, directories));
    const share = Math.ceil(this.#surveys.length / (2 * this.#settings.jobs));
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

  #received({ node, slot, job }: Order, report: Report): void {
    const { path } = node;
    for (const { path: where, failed } of report.failed) this.#events.failed(failed, where);
    for (const { path: where, message } of report.warned) this.#events.warned(message, where);
    for (const { path: where, message, code } of report.leftOut) this.#events.leftOut(message, where, code);
    for (const what of report.lost) this.#events.lost(what);
    this.#counts.files += report.same;
    if (report.changed) {
      if (node.target) node.touched = true;
      this.#changed.add(path);
    }
    if (job.do === 'survey') this.#surveyed(node, job.part === undefined, report);
    this.#counts.large -= report.moved;
    const placed = () => {
      for (const { bytes } of eachTold(report.told)) {
        this.#counts.files++;
        this.#counts.bytes += bytes;
        this.#untold++;
      }
      if (this.#telling.ended) this.#telling.of(node, report);
      else slot.report = report;
      this.#release(node);
      this.#telling.advance();
    };
    if (this.#staging && report.staged.length > 0) this.#staging.add(path, report, placed);
    else placed();
  }

  #surveyed(node: Node, first: boolean, report: Report): void {
    const { style } = this.#settings.rules;
    this.#counts.entries += report.source;
    node.opened ||= report.opened;
    if (report.source > 0) this.#events.count('source', report.source);
    if (report.destination > 0) this.#events.count('destination', report.destination);
    if (first) {
      this.#counts.directories++;
      if (report.own || (report.entered && (style.name === 'copy' || this.#settings.anew))) node.touched = true;
      if (report.own && (!node.target || this.#settings.anew) && node.parent) node.parent.touched = true;
      if (report.own && !node.target && node.parent) this.#changed.add(node.parent.path);
      node.unsurveyed += report.rest.length;
      const { path, source, target, instead } = node;
      const orders = report.rest.map((part) => {
        const job: Job = { do: 'survey', path, source, target, instead, part };
        return { node, slot: node.addSlot(), job };
      });
      this.#queue(orders);
    }
    for (const { name, facts, why } of report.extras) this.#events.extra(node, name, facts, why);
    for (const each of report.occupied) {
      const work = asWork(each, otherKind);
      if (this.#settings.rules.links && each.source.nlink > 1) this.#blocked.push({ node, work });
      this.#events.occupied(node, work);
    }
    for (const each of report.large) this.#place(node, asWork(each));
    // One list, though parts end in any order.
    if (report.linked.length > 0) {
      // They wait for their turn in the walk's order, and the directory for them.
      if (node.linked.length === 0) node.pending++;
      node.linked.push(...report.linked);
    }
    if (report.directories.length > 0) node.found.push(...report.directories);
    if (--node.unsurveyed > 0) return;
    node.linked.sort(byName);
    for (const each of node.found.sort(byName)) {
      if (this.#leadsBack(node, each.source, each.name)) continue;
      node.children.push(new Node(node, each));
    }
    node.found = [];
    this.#queue(node.children.map(surveyOf));
    this.#release(node);
  }

  /** The destination itself, or by a symlink a directory that it lies in: not to be walked into. */
  #leadsBack(node: Node, facts: Facts, name: string): boolean {
    const path = below(node.path, name);
    if (this.#rootThere && sameFile(facts, this.#rootThere)) {
      this.#events.leftOut('is the destination itself; left out', path);
      return true;
    }
    if (!this.#settings.rules.follow) return false;
    for (let above: Node | null = node; above; above = above.parent) {
      if (!sameFile(above.source, facts)) continue;
      const failed: Failed = {
        message: 'is a symlink to a directory it lies in',
        code: 'ELOOP',
        syscall: undefined,
        side: 'source',
        state: 'nothing was copied from it',
      };
      this.#events.failed(failed, path);
      return true;
    }
    return false;
  }

  #openUp(node: Node): void {
    if (!node.opened) node.opened = this.#runner.openUp(node.path, node.target, 0o700);
  }

  #place(node: Node, work: Work): void {
    if (work.action !== 'metadata' && work.action !== 'skip') this.#openUp(node);
    this.#works.push({ node, slot: node.addSlot(), job: { do: 'works', path: node.path, works: [work] } });
  }

  /** Its turn in the walk's order has come: which of its names are the first of their files is settled. */
  #settleLinks(node: Node): void {
    const { linked, path } = node;
    node.linked = [];
    for (const later of linked) {
      const settled = this.#groups.settle(below(path, later.name), later);
      if (!settled) {
        this.#counts.files++;
        if (this.#settings.anew) this.#carry(node, later);
        continue;
      }
      const work = asWork(later, settled);
      if (settled.to !== undefined) {
        node.pending++;
        this.#late.push({ node, work, to: settled.to });
      } else if (later.target && later.target.nlink > 1 && settled.action !== 'metadata') {
        node.pending++;
        this.#parting.push({ node, work });
      } else this.#place(node, work);
    }
    this.#release(node);
    this.#wake?.();
  }

  /** Replaced earlier, they would have changed how many names others have, which are looked at still. */
  #part(): void {
    const parting = this.#parting;
    this.#parting = [];
    for (const { node, work } of parting) {
      this.#place(node, work);
      this.#release(node);
    }
  }

  /** What is the same in the old tree is in the new one by another name; a copy, where that cannot be. */
  #carry(node: Node, later: Later): void {
    const { there, target } = this.#trees;
    const path = below(node.path, later.name);
    try {
      linkEntry(there!, path, target!, path);
    } catch (error) {
      if (refusesLinks(error)) this.#place(node, { ...asWork(later, same), target: null });
      else this.#events.failed(failedAs(error), path);
    }
  }

  /** Further names of files that are in place by now. */
  async #linkLate(): Promise<void> {
    const late = this.#late;
    this.#late = [];
    const { target } = this.#trees;
    const copies: { node: Node; work: Work }[] = [];
    for (const { node, work, to } of late) {
      const path = below(node.path, work.name);
      const { action, reason, source } = work;
      try {
        if (target) {
          this.#openUp(node);
          linkEntry(target, to, target, path);
          this.#changed.add(node.path);
          if (node.target) node.touched = true;
        }
        const told: Action = { action, path, reason, bytes: 0, kind: source.kind, to };
        this.#events.done(told, { bytes: 0, method: 'link', skipped: false });
        this.#counts.files++;
      } catch (error) {
        if (refusesLinks(error)) {
          this.#events.lost('hard link');
          copies.push({ node, work: { ...work, action: 'create' } });
        } else this.#events.failed(failedAs(error), path);
      }
      const pause = this.#pace();
      if (pause) await pause;
    }
    for (const { node, work } of copies) {
      const slot = node.addSlot();
      const job: Job = { do: 'works', path: node.path, works: [work] };
      this.#received({ node, slot, job }, await this.#runner.run(job));
    }
    for (const { node } of late) this.#release(node);
  }

  async #commit(): Promise<void> {
    await this.#staging!.commit(
      (directory) => this.#changed.add(directory),
      (directory, name, failed) => this.#events.failed(failed, below(directory, name)),
    );
  }

  #tell(action: Action, done: Pick<Done, 'bytes' | 'method'> & { skipped: boolean }): void {
    if (action.kind !== 'directory') this.#untold--;
    this.#events.done(action, done);
  }

  /** Something in this directory has ended; with the last of it the directory gets its own attributes. */
  #release(node: Node): void {
    for (let each: Node | null = node; each; each = each.parent) {
      if (--each.pending > 0) return;
      this.#dress(each);
    }
  }

  #dress(node: Node): void {
    const { source, target } = this.#trees;
    if (!target || (!node.touched && !node.opened)) return;
    this.#changed.add(node.path);
    const { entry, anew } = this.#settings;
    try {
      const existing = anew ? null : node.target;
      const at = { source: () => source.at(node.path).fd, target: target.at(node.path).fd };
      for (const what of dressDirectory(at, node.source, existing, entry.keep, node.opened)) this.#events.lost(what);
    } catch (error) {
      this.#events.failed(failedAs(error), node.path);
    }
  }

  #pace(): Promise<void> | undefined {
    const now = performance.now();
    if (now < this.#sliceEnd) return undefined;
    this.#sliceEnd = now + slice;
    return turn();
  }

  #onBytes(count: number): void {
    this.#counts.large += count;
  }

  #progress(): void {
    const { bytes, files, large } = this.#counts;
    // Large files count while they are on their way; reported, they are in `bytes`.
    const moved = bytes + large + (this.#crew?.moved ?? 0);
    const total = this.#total;
    const watched = this.#events.progress({
      bytes: moved,
      files,
      ...(total && { totalFiles: Math.max(total.files, files) }),
      // What is the same is not moved: then nobody knows how much will be.
      ...(total && this.#settings.rules.style.name === 'copy' && { totalBytes: Math.max(total.bytes, moved) }),
    });
    if (!watched || this.#census) return;
    this.#census = census(this.#setup.source, this.#settings.rules, (count) => {
      this.#total = count;
    });
  }
}

const otherKind = { action: 'update', reason: 'kind' } as const;
const same = { action: 'create', reason: 'same' } as const;

const asWork = ({ name, source, target, verdict }: Later, instead = verdict!): Work => ({
  name,
  source,
  target,
  action: instead.action,
  reason: instead.reason,
});

function surveyOf(node: Node): Order {
  const { path, source, target, instead } = node;
  return { node, slot: node.addSlot(), job: { do: 'survey', path, source, target, instead, part: undefined } };
}

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);

/** Of a thread that broke down. */
function failedReport({ path }: Job, error: Error): Report {
  return { ...emptyReport(), entered: false, failed: [{ path, failed: failedAs(error) }] };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
