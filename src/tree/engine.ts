// A tree made like another: the walk over directories, whose surveys are jobs for this thread and, where there are many, for
// others; what they report, brought into one order. `copy` and `sync` are two sets of rules for it.

import { SluiceError } from '../io/failure.js';
import { whileUnfinished } from '../io/unfinished.js';
import type { Work } from './action.js';
import { Buildings } from './building.js';
import type { Failed } from './copy-entry.js';
import { Directories } from './directories.js';
import type { EngineEvents, EngineSettings } from './engine-face.js';
import type { Facts } from './facts.js';
import { FurtherNames } from './further-names.js';
import { setupOf, type Trees } from './hands.js';
import { asWork, eachTold, type Report } from './job.js';
import { leadsBack } from './leads-back.js';
import { NewDirectory } from './new-directory.js';
import { Node } from './node.js';
import { type Order, Orders, surveyOf } from './orders.js';
import { places } from './place.js';
import { Runner } from './runner.js';
import { Staging } from './staging.js';
import { Tally } from './tally.js';
import { Telling } from './telling.js';
import { below, fewDescriptors } from './tree.js';
import { Workforce } from './workforce.js';

/** Entries staged at most before they are made durable and get their names. */
const stagedAtMost = 8192;
/** The event loop gets its turn after this many milliseconds. */
const slice = 10;

export class Engine {
  readonly #trees: Trees;
  readonly #settings: EngineSettings;
  readonly #events: EngineEvents;
  readonly #runner: Runner;
  readonly #directories: Directories;
  readonly #orders: Orders;
  readonly #names: FurtherNames;
  readonly #telling: Telling;
  readonly #staging: Staging | null;
  readonly #tally: Tally;
  readonly #buildings: Buildings;
  readonly #newRoot: NewDirectory | null;
  readonly #workforce: Workforce;
  readonly #rootFacts: Facts;
  readonly #rootThere: Facts | null;
  #sliceEnd = 0;

  constructor(trees: Trees, settings: EngineSettings, events: EngineEvents) {
    this.#trees = trees;
    this.#settings = settings;
    this.#events = events;
    const { source, target, there } = trees;
    const { rules, entry, anew = false, single, seen, jobs, freshRoot } = settings;
    const setup = setupOf(trees, rules, entry, anew);
    const onBytes = (count: number) => {
      this.#tally.large += count;
    };
    this.#runner = new Runner(setup, { pace: () => this.#pace(), onBytes, single, seen }, trees);
    this.#directories = new Directories(trees, entry, anew, this.#runner, events);
    this.#orders = new Orders(jobs);
    this.#rootFacts = places().statOpen(source.root.fd);
    this.#rootThere = there && places().statOpen(there.root.fd);
    this.#telling = new Telling(
      (action, done) => {
        if (action.kind !== 'directory') this.#orders.untold--;
        events.done(action, done);
      },
      (node) => {
        this.#names.settle(node);
        this.#workforce.wake();
      },
    );
    this.#names = new FurtherNames(trees, rules.links, anew, {
      place: (node, work) => this.#place(node, work),
      change: (node) => {
        this.#directories.openUp(node);
        this.#directories.changed(node);
      },
      release: (node) => this.#directories.release(node),
      same: () => void this.#tally.files++,
      done: (action, done) => {
        events.done(action, done);
        this.#tally.files++;
      },
      failed: events.failed,
      lost: events.lost,
    });
    this.#newRoot = freshRoot instanceof NewDirectory ? freshRoot : null;
    this.#buildings = new Buildings(trees, jobs, this.#newRoot, events.failed);
    this.#staging = target && entry.stage ? new Staging(target, entry.noClobber) : null;
    const alone = single || seen || !target || fewDescriptors();
    this.#workforce = new Workforce(alone ? 0 : jobs - 1, setup, this.#orders, (order, report) =>
      this.#received(order, report),
    );
    this.#tally = new Tally(setup.source, rules, events.progress);
  }

  /** The whole walk. What `occupied` told of knows then whether it is a link to another name. */
  async run(): Promise<void> {
    const target = this.#settings.freshRoot ? null : this.#rootThere;
    const root = new Node(null, { name: '', source: this.#rootFacts, target, instead: null });
    this.#telling.begin(root);
    this.#orders.queue([surveyOf(root, undefined, this.#newRoot?.handOver())]);
    await this.#work();
    this.#names.settleBlocked();
  }

  /** Some entries more, once the way is free for them. */
  async place(entries: { node: Node; work: Work }[]): Promise<void> {
    for (const { node, work } of entries) {
      const { to } = work;
      if (to === undefined) this.#place(node, work);
      else this.#names.linkLater(node, work, to);
    }
    await this.#work();
  }

  /** Entries in this directory have changed by other hands than ours: its attributes are to be set again. */
  changedIn(node: Node): void {
    node.touched = true;
    this.#directories.dress(node);
  }

  /** The names in every directory that was changed reach stable storage. Calls `failed` for those that do not. */
  async syncDirectories(failed: (error: SluiceError) => void): Promise<void> {
    await this.#directories.sync((error, path) => failed(this.located(error, path)));
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
    const undo = () => {
      this.#workforce.stopNow();
      this.#staging?.undo();
      this.#buildings.abandon();
      // While its own survey is under way, no building knows of it yet.
      this.#newRoot?.remove();
    };
    const finished = whileUnfinished(undo);
    this.#tally.begin(() => this.#workforce.moved);
    try {
      while (await this.#step()) await turn();
      this.#tally.finish();
    } catch (error) {
      // Nobody hears us any more: what is done cannot be told.
      undo();
      throw error;
    } finally {
      this.#tally.end();
      await this.#workforce.end();
      this.#buildings.abandon();
      finished();
    }
  }

  /** What comes next: this thread's own work first; then what waits for that of others. False: nothing is left. */
  async #step(): Promise<boolean> {
    this.#workforce.feed();
    const order = this.#orders.next();
    if (order) {
      this.#received(order, await this.#runner.run(order.job));
      if (this.#staging && this.#staging.entries >= stagedAtMost) await this.#commit();
      return true;
    }
    if (this.#workforce.busy) {
      await this.#workforce.wait();
      return true;
    }
    if (this.#staging && !this.#staging.isEmpty) {
      await this.#commit();
      return true;
    }
    const survey = this.#orders.survey();
    if (survey) {
      this.#received(survey, await this.#runner.run(survey.job));
      return true;
    }
    return this.#names.goOn(() => this.#pace());
  }

  #received(order: Order, report: Report): void {
    const { node, job } = order;
    if (job.do === 'survey') this.#orders.met(report.source, job.part === undefined);
    const { more, within, done } = this.#buildings.received(order, report);
    node.unsurveyed += more.length;
    this.#orders.queue(more.map((part) => surveyOf(node, part, within)));
    for (const each of done) this.#takeIn(each.order, each.report);
  }

  /** What was done counts. */
  #takeIn({ node, slot, job }: Order, report: Report): void {
    const { path } = node;
    const staging = report.staged.length > 0 ? this.#staging : null;
    // First of all: whatever comes, they are known as unfinished.
    staging?.add(path, report, () => placed());
    for (const { path: where, failed } of report.failed) this.#events.failed(failed, where);
    for (const { path: where, message } of report.warned) this.#events.warned(message, where);
    for (const { path: where, message, code } of report.leftOut) this.#events.leftOut(message, where, code);
    for (const what of report.lost) this.#events.lost(what);
    this.#tally.files += report.same;
    if (report.changed) this.#directories.changed(node);
    if (job.do === 'survey') this.#surveyed(node, job.part === undefined, report);
    this.#tally.large -= report.moved;
    const placed = () => {
      for (const { bytes } of eachTold(report.told)) {
        this.#tally.files++;
        this.#tally.bytes += bytes;
        this.#orders.untold++;
      }
      if (this.#telling.ended) this.#telling.of(node, report);
      else slot.report = report;
      this.#directories.release(node);
      this.#telling.advance();
    };
    if (!staging) placed();
  }

  #surveyed(node: Node, first: boolean, report: Report): void {
    node.opened ||= report.opened;
    if (report.source > 0) this.#events.count('source', report.source);
    if (report.destination > 0) this.#events.count('destination', report.destination);
    if (first) this.#entered(node, report);
    for (const { name, facts, why } of report.extras) this.#events.extra(node, name, facts, why);
    for (const each of report.occupied) {
      const work = asWork(each, otherKind);
      if (this.#settings.rules.links && each.source.nlink > 1) this.#names.blocked(node, work);
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
      const back = leadsBack(node, each.source, this.#rootThere, this.#settings.rules.follow);
      const path = below(node.path, each.name);
      if (!back) node.children.push(new Node(node, each));
      else if (back === 'to the destination') this.#events.leftOut('is the destination itself; left out', path);
      else this.#events.failed(back, path);
    }
    node.found = [];
    this.#orders.queue(node.children.map((child) => surveyOf(child)));
    this.#directories.release(node);
  }

  /** The directory itself was seen to, and listed. */
  #entered(node: Node, { own, entered, rest }: Report): void {
    const { rules, anew } = this.#settings;
    if (own || (entered && (rules.style.name === 'copy' || anew))) node.touched = true;
    if (own && node.parent) {
      if (!node.target || anew) node.parent.touched = true;
      if (!node.target) this.#directories.changedAt(node.parent.path);
    }
    node.unsurveyed += rest.length;
    this.#orders.queue(rest.map((part) => surveyOf(node, part)));
  }

  #place(node: Node, work: Work): void {
    if (work.action !== 'metadata' && work.action !== 'skip') this.#directories.openUp(node);
    this.#orders.add({ node, slot: node.addSlot(), job: { do: 'works', path: node.path, works: [work] } });
  }

  async #commit(): Promise<void> {
    await this.#staging!.commit(
      (directory) => this.#directories.changedAt(directory),
      (directory, name, failed) => this.#events.failed(failed, below(directory, name)),
    );
  }

  #pace(): Promise<void> | undefined {
    const now = performance.now();
    if (now < this.#sliceEnd) return undefined;
    this.#sliceEnd = now + slice;
    return turn();
  }
}

const otherKind = { action: 'update', reason: 'kind' } as const;

const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
