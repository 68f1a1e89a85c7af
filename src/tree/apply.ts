// The plan carried out: directories by this thread, as the walk goes; entries in batches, by this thread and, where there
// are many, by worker threads. What was done is told in the plan's order, whoever did it.

import { closeSync, constants, fchmodSync } from 'node:fs';
import type { Loss } from '../io/attributes.js';
import { fsyncFile } from '../io/durability.js';
import { isSystemError, SluiceError } from '../io/failure.js';
import { tempName } from '../io/temp-name.js';
import { whileUnfinished } from '../io/unfinished.js';
import { readExtended } from '../io/xattrs.js';
import type { Action, Node, Step } from './action.js';
import {
  commitEntry,
  copyEntry,
  copyLarge,
  type Done,
  type EntrySettings,
  type Failed,
  failedAs,
  remove,
  smallFile,
  type Way,
  type Work,
} from './copy-entry.js';
import { Crew, type Group, type Result } from './crew.js';
import { dressOpen, modeOf, takeAwayXattrs } from './dress.js';
import type { Facts } from './facts.js';
import { holding } from './holding.js';
import { places } from './place.js';
import { fewDescriptors, nameOf, parentOf, type Tree } from './tree.js';

export interface ApplyEvents {
  /** In the plan's order. */
  done(action: Action, done: Done): void;
  failed(action: Action | null, error: SluiceError, side: Failed['side']): void;
  lost(what: Loss): void;
  /** Bytes and files, with totals once the walk has ended. */
  progress(state: { bytes: number; files: number; totalBytes?: number; totalFiles?: number; name?: string }): void;
}

export interface ApplySettings {
  entry: EntrySettings;
  jobs: number;
  /** A new tree is built, so that nothing in the target counts; what is the same is linked from this tree, the old one. */
  old?: Tree | undefined;
  /** Files that are the same here are linked from here. */
  reference?: Tree | undefined;
  /** Takes the place of the engine's own way of copying a file, one at a time: for what is asked of it besides. */
  single?: ((way: Way, action: Action) => Promise<Done>) | undefined;
}

/** Entries staged at most before they are made durable and get their names. */
const stagedAtMost = 8192;
/** Calls to fsync at a time: libuv has four threads. */
const syncsAtOnce = 4;

/** Entries and bytes a batch, and batches that the walk may be ahead. */
const batchEntries = 128;
const batchBytes = 4 << 20;
const aheadAtMost = 64;
/** Batches a worker may have: one at work, others so that it need not wait for us. */
const inHand = 3;
/** From this many waiting batches on, or bytes, workers are worth their start. */
const crewFrom = { batches: 3, bytes: 64 << 20 };
/** The event loop gets its turn after this many milliseconds. */
const slice = 10;

interface Item {
  node: Node;
  action: Action;
  /** Known at once where there is nothing to be moved. */
  result: Result | null;
}

interface Batch {
  items: Item[];
  /** Those that have to be moved, as workers take them. */
  groups: Group[];
  nodes: Node[];
  bytes: number;
  entries: number;
  finished: boolean;
}

const newBatch = (): Batch => ({ items: [], groups: [], nodes: [], bytes: 0, entries: 0, finished: false });
const nothingMoved: Done = { bytes: 0, method: 'metadata', lost: [] };

export class Application {
  readonly #steps: Generator<Step, void, boolean | undefined>;
  readonly #source: Tree;
  readonly #target: Tree;
  readonly #settings: ApplySettings;
  readonly #events: ApplyEvents;
  readonly #buffer = Buffer.allocUnsafeSlow(smallFile + 1);
  /** In the plan's order: those that are not told of yet. */
  readonly #told: Batch[] = [];
  readonly #queue: Batch[] = [];
  #open = newBatch();
  #walked = false;
  #answer: boolean | undefined;
  #late: (Step & { do: 'entry' }) | null = null;
  #crew: Crew | null = null;
  #inFlight = 0;
  /** Done but for their names: they wait to be made durable together. */
  #staged: Batch[] = [];
  #stagedEntries = 0;
  #stopping = false;
  readonly #changed = new Set<string>();
  #wake: (() => void) | null = null;
  #counts = { bytes: 0, files: 0, totalBytes: 0, totalFiles: 0, large: 0 };

  constructor(
    steps: Generator<Step, void, boolean | undefined>,
    source: Tree,
    target: Tree,
    settings: ApplySettings,
    events: ApplyEvents,
  ) {
    this.#steps = steps;
    this.#source = source;
    this.#target = target;
    this.#settings = settings;
    this.#events = events;
  }

  async run(): Promise<void> {
    const finished = whileUnfinished(() => {
      this.#stopping = true;
      this.#crew?.stopNow();
      for (const batch of this.#told) this.#unstage(batch);
    });
    const ticking = setInterval(() => this.#progress(), 200);
    ticking.unref();
    try {
      for (;;) {
        this.#walk();
        this.#feed();
        const batch = this.#queue.shift();
        if (batch) {
          await this.#inline(batch);
          if (this.#stagedEntries >= stagedAtMost) await this.#commit();
          await turn();
        } else if (this.#inFlight > 0) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        } else if (this.#staged.length > 0) {
          await this.#commit();
        } else if (this.#late) {
          const step = this.#late;
          this.#late = null;
          this.#link(step);
        } else if (this.#walked) break;
        else await turn();
      }
      this.#progress();
    } finally {
      clearInterval(ticking);
      this.#steps.return();
      await this.#crew?.end();
      finished();
    }
  }

  /** Walks for a while, as far ahead as it may. */
  #walk(): void {
    const end = performance.now() + slice;
    while (!this.#walked && !this.#late && this.#queue.length < aheadAtMost) {
      const { done, value } = this.#steps.next(this.#answer);
      this.#answer = undefined;
      if (done) {
        this.#walked = true;
        break;
      }
      if (value.do === 'pause') return;
      this.#take(value);
      if (this.#open.items.length >= batchEntries || this.#open.bytes >= batchBytes) this.#cut();
      if (performance.now() > end) break;
    }
    if (this.#walked || this.#late || this.#queue.length === 0) this.#cut();
  }

  #take(step: Step): void {
    switch (step.do) {
      case 'enter':
        this.#answer = this.#enter(step.node, step.action);
        return;
      case 'leave':
        this.#release(step.node);
        return;
      case 'entry':
        if (step.late) {
          this.#late = step;
          return;
        }
        this.#add(step.node, step.action);
        return;
      case 'same':
        if (this.#settings.old) this.#carry(step.node, step.path, step.source);
        return;
      default:
    }
  }

  #add(node: Node, action: Action): void {
    const batch = this.#open;
    if (action.action === 'skip') {
      batch.items.push({ node, action, result: { ...nothingMoved, skipped: true } });
      return;
    }
    if (node.target) node.touched = true;
    if (action.action !== 'metadata') this.#openUp(node, 0o700);
    if (action.action === 'link') {
      batch.items.push({ node, action, result: this.#linkReference(action) });
      return;
    }
    batch.items.push({ node, action, result: null });
    let group = batch.groups.at(-1);
    if (batch.nodes.at(-1) !== node || !group) {
      group = { directory: node.path, works: [] };
      batch.groups.push(group);
      batch.nodes.push(node);
      node.pending++;
    }
    // In a new tree nothing is there to be updated.
    const work = this.#settings.old ? ({ action: 'create', target: null } as const) : action;
    group.works.push({ name: nameOf(action.path), action: work.action, source: action.source!, target: work.target });
    batch.bytes += action.bytes;
    batch.entries++;
    this.#counts.totalBytes += action.bytes;
    this.#counts.totalFiles++;
  }

  /** The batch that is being filled is complete. */
  #cut(): void {
    if (this.#open.items.length === 0) return;
    const batch = this.#open;
    this.#open = newBatch();
    this.#told.push(batch);
    if (batch.entries === 0) this.#finish(batch, []);
    else this.#queue.push(batch);
  }

  #feed(): void {
    const { jobs } = this.#settings;
    if (!this.#crew) {
      const waiting = this.#queue.reduce((sum, { bytes }) => sum + bytes, 0);
      const worthIt = this.#queue.length >= crewFrom.batches || (this.#queue.length > 1 && waiting >= crewFrom.bytes);
      if (jobs < 2 || !worthIt || this.#settings.single || fewDescriptors()) return;
      this.#crew = new Crew(jobs - 1, {
        sourceFd: this.#source.root.fd,
        targetFd: this.#target.root.fd,
        sourcePath: this.#source.path,
        targetPath: this.#target.path,
        entry: this.#settings.entry,
      });
    }
    for (let member = this.#crew.free(inHand); member !== undefined; member = this.#crew.free(inHand)) {
      const batch = this.#queue.shift();
      if (!batch) return;
      this.#inFlight++;
      this.#crew.give(member, batch.groups, (results) => {
        this.#inFlight--;
        this.#finish(batch, results);
        if (this.#stopping) return;
        if (!this.#walked && this.#queue.length < inHand) this.#walk();
        this.#feed();
        this.#wake?.();
      });
    }
  }

  async #inline(batch: Batch): Promise<void> {
    const items = batch.items.filter(({ result }) => !result);
    let next = 0;
    let end = performance.now() + slice;
    for (const { directory, works } of batch.groups) {
      for (const work of works) {
        const item = items[next++]!;
        try {
          item.result = await this.#one(directory, work, item.action);
        } catch (error) {
          item.result = { failed: failedAs(error) };
        }
        if (performance.now() > end) {
          await turn();
          end = performance.now() + slice;
        }
      }
    }
    this.#finish(batch, []);
  }

  #one(directory: string, work: Work, action: Action): Done | Promise<Done> {
    const { entry, single } = this.#settings;
    const way = { source: this.#source.at(directory), target: this.#target.at(directory) };
    if (single && work.source.kind === 'file' && work.action !== 'metadata')
      return holding(way, (held) => single(held, action));
    const onBytes = (count: number) => {
      this.#counts.large += count;
    };
    return copyEntry(way, work, entry, this.#buffer) ?? holding(way, (held) => copyLarge(held, work, entry, onBytes));
  }

  /** Results come in the order of the works; what is at the head of the line is told. */
  #finish(batch: Batch, results: Result[] | Error): void {
    let next = 0;
    for (const item of batch.items)
      item.result ??= results instanceof Error ? { failed: failedAs(results) } : results[next++]!;
    if (this.#settings.entry.stage && batch.entries > 0) {
      this.#staged.push(batch);
      this.#stagedEntries += batch.entries;
    } else this.#close(batch);
  }

  /** All of it is in place: it can be told, when its turn comes. */
  #close(batch: Batch): void {
    batch.finished = true;
    for (const node of batch.nodes) this.#release(node);
    while (this.#told[0]?.finished) for (const item of this.#told.shift()!.items) this.#tell(item);
  }

  /** Staged files reach stable storage, all of them, and then get their names. */
  async #commit(): Promise<void> {
    const batches = this.#staged;
    this.#stagedEntries = 0;
    const works = batches.flatMap((batch) => staged(batch));
    let next = 0;
    const sync = async () => {
      for (let each = works[next++]; each; each = works[next++]) {
        try {
          await this.#fsync(each.directory, each.done.staged!);
        } catch (error) {
          each.error = error;
        }
      }
    };
    await Promise.all(Array.from({ length: syncsAtOnce }, sync));
    for (const { directory, work, done, error, item } of works) {
      const temp = done.staged!;
      try {
        if (error !== undefined) throw error;
        const target = this.#target.at(directory);
        item.result = commitEntry(target, temp, work, { ...done, staged: '' }, this.#settings.entry.noClobber);
        this.#changed.add(directory);
      } catch (failed) {
        item.result = { failed: failedAs(failed) };
        remove(this.#target.at(directory), temp);
      }
    }
    // Others may have come meanwhile.
    this.#staged = this.#staged.slice(batches.length);
    for (const batch of batches) this.#close(batch);
  }

  /** Once, and never again: after a failed fsync the kernel holds the lost pages for clean. */
  async #fsync(directory: string, temp: string): Promise<void> {
    const at = this.#target.at(directory);
    // Links and special files are their directory's matter.
    if (places().stat(at, temp)?.kind !== 'file') return;
    const fd = places().open(at, temp, constants.O_RDONLY);
    try {
      await fsyncFile(fd);
    } finally {
      closeSync(fd);
    }
  }

  #unstage(batch: Batch): void {
    for (const { directory, done } of staged(batch)) remove(this.#target.at(directory), done.staged!);
  }

  /** The names in every directory that was changed reach stable storage. Calls `failed` for those that do not. */
  async syncDirectories(failed: (error: SluiceError) => void): Promise<void> {
    for (const path of this.#changed) {
      try {
        await fsyncFile(this.#target.at(path).fd);
      } catch (error) {
        failed(this.located({ ...failedAs(error), state: 'what is in it may not survive a power cut' }, path));
      }
    }
    this.#changed.clear();
  }

  /** Entries in this directory have changed by other hands than ours: its attributes are to be set again. */
  changedIn(node: Node): void {
    node.touched = true;
    this.dressDirectory(node);
  }

  #tell({ action, result }: Item): void {
    if ('failed' in result!) {
      this.#fail(action, result.failed, action.path);
      return;
    }
    for (const what of result!.lost) this.#events.lost(what);
    if (action.source?.kind !== 'directory') {
      this.#counts.files++;
      this.#counts.bytes += result!.bytes;
    }
    this.#events.done(action, result!);
  }

  #fail(action: Action | null, failed: Failed, path: string): void {
    this.#events.failed(action, this.located(failed, path), failed.side);
  }

  /** With the names that the user knows. */
  located({ message, code, syscall, side, state }: Failed, path: string): SluiceError {
    return new SluiceError(message, {
      ...(code !== undefined && { code }),
      ...(syscall !== undefined && { syscall }),
      path: (side === 'source' ? this.#source : this.#target).shown(path),
      state: state ?? 'destination left as it was',
    });
  }

  #progress(): void {
    const { bytes, files, totalBytes, totalFiles, large } = this.#counts;
    // Large files count while they are on their way; told of, they are in `bytes`.
    const moved = Math.max(bytes, large + (this.#crew?.moved ?? 0));
    this.#events.progress({ bytes: moved, files, ...(this.#walked && { totalBytes, totalFiles }) });
  }

  /** Make a directory, or see that we can work in it. */
  #enter(node: Node, action: Action | null): boolean {
    const { keep } = this.#settings.entry;
    try {
      const fresh = this.#settings.old !== undefined;
      if (fresh) node.touched = true;
      if (fresh || (action && !node.target)) {
        if (node.parent) {
          node.parent.touched = true;
          this.#openUp(node.parent, 0o700);
        }
        const at = node.path === '' ? null : this.#target.at(parentOf(node.path));
        const name = nameOf(node.path);
        if (at && action?.target && !fresh) places().unlink(at, name);
        // Closed to others while it is to be dressed; else as it will be, but that we may write in it.
        const mode = keep.mode || keep.owner || keep.xattrs ? 0o700 : modeOf(node.source, null, keep) | 0o700;
        if (at) places().makeDirectory(at, name, mode);
      } else this.#openUp(node, 0o500);
      if (action) this.#open.items.push({ node, action, result: nothingMoved });
      return true;
    } catch (error) {
      this.#fail(action, failedAs(error), node.path);
      node.touched = false;
      return false;
    }
  }

  /** A directory of ours that keeps us out, from reading or from changing it, is opened for the time of the work. */
  #openUp(node: Node, needed: 0o500 | 0o700): void {
    const { keep } = this.#settings.entry;
    if (!node.target || node.opened || this.#settings.old) return;
    const { mode, uid } = node.target;
    if (keep.uid === 0 || uid !== keep.uid || (mode & needed) === needed) return;
    try {
      if (node.path === '') fchmodSync(this.#target.root.fd, mode | 0o700);
      else places().changeMode(this.#target.at(parentOf(node.path)), nameOf(node.path), mode | 0o700);
      node.opened = true;
    } catch {
      // Each of its entries will say so.
    }
  }

  /** Something in this directory has ended; with the last of it the directory gets its own attributes. */
  #release(node: Node): void {
    for (let each: Node | null = node; each; each = each.parent) {
      if (--each.pending > 0) return;
      this.dressDirectory(each);
    }
  }

  dressDirectory(node: Node): void {
    const { keep } = this.#settings.entry;
    if (!node.touched && !node.opened) return;
    this.#changed.add(node.path);
    try {
      const existing = this.#settings.old ? null : node.target;
      const fd = this.#target.at(node.path).fd;
      if (keep.mode || keep.owner || keep.times || keep.xattrs) {
        const from = { source: this.#source.at(node.path).fd, replaced: null };
        for (const what of dressOpen(fd, node.source, existing, from, keep)) this.#events.lost(what);
        if (keep.xattrs) takeAwayXattrs(fd, readExtended(from.source)?.xattrs ?? new Map());
      } else {
        const mode = modeOf(node.source, existing, keep);
        if (node.opened || (!existing && (mode & 0o700) !== 0o700)) fchmodSync(fd, mode);
      }
    } catch (error) {
      this.#fail(null, failedAs(error), node.path);
    }
  }

  /** A further name of a file that is in place by now. */
  #link({ node, action }: Step & { do: 'entry' }): void {
    const name = nameOf(action.path);
    this.#openUp(node, 0o700);
    try {
      this.#events.done(action, linkEntry(this.#target, action.to!, this.#target, action.path));
      if (node.target) node.touched = true;
    } catch (error) {
      if (isSystemError(error, 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP')) this.#copyInstead(node, action, name);
      else this.#fail(action, failedAs(error), action.path);
    }
    this.#release(node);
  }

  /** A file that an earlier tree has already. */
  #linkReference(action: Action): Result | null {
    try {
      return linkEntry(this.#settings.reference!, action.path, this.#target, action.path);
    } catch (error) {
      return { failed: failedAs(error) };
    }
  }

  /** What is the same in the old tree is in the new one by another name; a copy, where that cannot be. */
  #carry(node: Node, path: string, source: Facts): void {
    try {
      linkEntry(this.#settings.old!, path, this.#target, path);
    } catch (error) {
      if (!isSystemError(error, 'EPERM', 'EMLINK', 'EXDEV', 'ENOTSUP', 'EOPNOTSUPP')) {
        this.#fail(null, failedAs(error), path);
        return;
      }
      this.#add(node, { action: 'create', path, reason: 'same', bytes: source.size, source, target: null });
    }
  }

  /** A filesystem without hard links, or too many of them: a copy, and a loss. */
  #copyInstead(node: Node, action: Action, name: string): void {
    this.#events.lost('hard link');
    node.pending++;
    const batch = newBatch();
    batch.items.push({ node, action, result: null });
    const { source, target } = action;
    batch.groups.push({ directory: node.path, works: [{ name, action: 'create', source: source!, target }] });
    batch.nodes.push(node);
    batch.entries = 1;
    this.#told.push(batch);
    this.#queue.push(batch);
  }
}

/** What a batch has under temp names. */
function staged(batch: Batch): { directory: string; work: Work; done: Done; item: Item; error?: unknown }[] {
  const open = batch.items.filter(({ result }) => result && !('failed' in result) && result.staged);
  return open.map((item) => {
    const { path, action, source, target } = item.action;
    const work: Work = { name: nameOf(path), action, source: source!, target };
    return { directory: parentOf(path), work, done: item.result as Done, item };
  });
}

/** Make `path` in `tree` a hard link to `to` in `other`, replacing what is there in one step. */
function linkEntry(other: Tree, to: string, tree: Tree, path: string): Done {
  const name = nameOf(path);
  const done: Done = { bytes: 0, method: 'link', lost: [] };
  // Held by itself: the tree may close it when it opens the other directory.
  const from = places().openPlace(other.at(parentOf(to)), '.', false);
  try {
    return tryLink(name) ? done : replace();
  } finally {
    places().close(from);
  }

  function tryLink(as: string): boolean {
    try {
      places().link(from, nameOf(to), tree.at(parentOf(path)), as);
      return true;
    } catch (error) {
      if (isSystemError(error, 'EEXIST')) return false;
      throw error;
    }
  }

  function replace(): Done {
    const temp = tempName(name);
    places().link(from, nameOf(to), tree.at(parentOf(path)), temp);
    try {
      // An empty directory in its place: rename replaces those by directories only.
      if (places().stat(tree.at(parentOf(path)), name)?.kind === 'directory')
        places().removeDirectory(tree.at(parentOf(path)), name);
      places().rename(tree.at(parentOf(path)), temp, tree.at(parentOf(path)), name);
    } finally {
      // Two names of one file already: rename does nothing then.
      if (places().stat(tree.at(parentOf(path)), temp)) places().unlink(tree.at(parentOf(path)), temp);
    }
    return done;
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
