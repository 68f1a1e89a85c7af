// `sluice sync`: DEST's contents made equal to SRC's. The guards stand here; the walk, the comparison and the work are the
// engine's in src/tree, the same as for `copy -r`.

import { dirname } from 'node:path';
import type { Loss } from '../io/attributes.js';
import { fsyncDirectory, storageOf } from '../io/durability.js';
import { failure, SluiceError } from '../io/failure.js';
import type { Action, Work } from '../tree/action.js';
import type { CompareSettings } from '../tree/compare.js';
import type { EntrySettings } from '../tree/copy-entry.js';
import { doomed, type Extra, Remover } from '../tree/delete.js';
import { Engine } from '../tree/engine.js';
import type { EngineEvents, EngineSettings } from '../tree/engine-face.js';
import { sameFile } from '../tree/facts.js';
import { everything, Scopes } from '../tree/filter.js';
import type { Filter, Rules } from '../tree/job.js';
import { Leftovers } from '../tree/leftovers.js';
import type { Node } from '../tree/node.js';
import { places } from '../tree/place.js';
import type { GlobRule } from '../tree/rules.js';
import { below, type Tree } from '../tree/tree.js';
import type { Context, Outcome } from './context.js';
import { openSides, real, type Sides } from './sync-sides.js';
import { type NewTree, newTree } from './sync-swap.js';

export interface SyncOptions {
  source: string;
  destination: string;
  /** Compare content instead of size and time. */
  checksum: boolean;
  /** Milliseconds by which times may differ. */
  window: number;
  links: boolean;
  xattrs: boolean;
  delete: boolean;
  deleteExcluded: boolean;
  maxDelete: { count: number } | { percent: number } | undefined;
  allowEmpty: boolean;
  trash: string | undefined;
  filter: { rules: GlobRule[]; gitignore: boolean };
  oneFileSystem: boolean;
  linkDest: string | undefined;
  swap: boolean;
  durable: 'none' | 'durable' | 'strict';
  jobs: number;
  strict: boolean;
}

/** What is to be done with the plan. */
export type Purpose =
  | { do: 'run' }
  /** Say it, and do nothing. `check`: what only DEST has is a difference too. */
  | { do: 'tell'; check?: true; planned?: (action: Action) => void; seen?: EngineSettings['seen'] };

interface Totals {
  created: number;
  updated: number;
  metadata: number;
  linked: number;
  deleted: number;
  files: number;
  directories: number;
  symlinks: number;
  skipped: number;
  bytes: number;
  errors: number;
}

/** Why a temp file goes. */
const leftover = 'left by a writer that is gone';

const none: Totals = {
  created: 0,
  updated: 0,
  metadata: 0,
  linked: 0,
  deleted: 0,
  files: 0,
  directories: 0,
  symlinks: 0,
  skipped: 0,
  bytes: 0,
  errors: 0,
};

export async function sync(options: SyncOptions, purpose: Purpose, context: Context): Promise<Outcome> {
  let sides: Sides;
  try {
    sides = openSides(options, purpose.do === 'run' && !options.swap);
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== 'ERR_UNREADABLE_SOURCE') throw error;
    context.fail(error);
    return 'refused';
  }
  try {
    return await new Run(options, purpose, context, sides).all();
  } finally {
    sides.close();
  }
}

class Run {
  readonly #options: SyncOptions;
  readonly #purpose: Purpose;
  readonly #context: Context;
  readonly #sides: Sides;
  readonly #totals: Totals = { ...none };
  readonly #lost = new Map<Loss, number>();
  readonly #extras: Extra[] = [];
  /** What the filters keep in the destination, though the source has it not. */
  readonly #kept: Extra[] = [];
  readonly #started = process.uptime();
  readonly #root = process.geteuid?.() === 0;
  readonly #scopes: Scopes;
  readonly #filter: Filter;
  #entries = 0;
  #destinationEntries = 0;
  #sourceErrors = 0;
  #refused = false;
  #unconfirmed = 0;

  constructor(options: SyncOptions, purpose: Purpose, context: Context, sides: Sides) {
    this.#options = options;
    this.#purpose = purpose;
    this.#context = context;
    this.#sides = sides;
    const { rules, gitignore } = options.filter;
    this.#filter = { rules, git: gitignore ? real(sides.source.path) : undefined };
    this.#scopes = new Scopes(this.#filter, sides.source);
  }

  async all(): Promise<Outcome> {
    const { durable, destination } = this.#options;
    if (this.#emptiesDestination()) return 'refused';
    if (durable === 'strict' && this.#purpose.do === 'run' && storageOf(dirname(destination)) !== 'durable')
      throw new SluiceError('durability cannot be promised on this file system', {
        path: destination,
        state: 'nothing was done',
      });
    if (this.#purpose.do === 'tell') await this.#tellAll();
    else if (this.#options.swap) await this.#swap();
    else await this.#work();
    this.#tellLosses();
    return this.#end();
  }

  #end(): Outcome {
    const totals = this.#totals;
    const { do: purpose } = this.#purpose;
    this.#context.record({
      type: 'summary',
      ...totals,
      entries: this.#entries,
      dryRun: purpose === 'tell',
      ...(this.#options.durable !== 'none' &&
        purpose === 'run' && { durability: storageOf(this.#options.destination) }),
      elapsedMs: Math.round((process.uptime() - this.#started) * 1000),
    });
    if (totals.errors > 0) return 'failed';
    if (this.#refused) return 'refused';
    const { created, updated, metadata, linked, deleted } = totals;
    if (this.#purpose.do === 'tell' && this.#purpose.check)
      return created + updated + metadata + linked + deleted > 0 ? 'refused' : 'done';
    return this.#unconfirmed > 0 ? 'undurable' : 'done';
  }

  /** An empty source is more often a mount that is missing than a wish. */
  #emptiesDestination(): boolean {
    const { source, target } = this.#sides;
    if (!this.#options.delete || this.#options.allowEmpty || !target) return false;
    let found = false;
    places().list(source.root, (name) => {
      if (found) return;
      const isDirectory = places().stat(source.root, name)?.kind === 'directory';
      found = !this.#scopes.at('').excludes(name, isDirectory);
    });
    if (found) return false;
    let entries = 0;
    places().list(target.root, () => {
      entries++;
    });
    if (entries === 0) return false;
    this.#context.fail(
      new SluiceError('is empty, and --delete would empty the destination; --allow-empty does it', {
        code: 'ERR_EMPTY_SOURCE',
        path: source.path,
        state: `${target.path} was left as it is`,
      }),
    );
    return true;
  }

  /** Over the destination as it is, into `target`: null = nothing is done. */
  #engine(target: Tree | null): Engine {
    const { source, target: there, reference, fresh } = this.#sides;
    const { jobs, swap } = this.#options;
    const stage = this.#options.durable !== 'none' && !swap;
    const settings: EngineSettings = {
      rules: this.#rules(),
      entry: { ...this.#entrySettings(), stage },
      jobs,
      freshRoot: fresh,
      anew: swap && target !== null,
      seen: this.#purpose.do === 'tell' ? this.#purpose.seen : undefined,
    };
    return new Engine({ source, target, there, reference }, settings, this.#events());
  }

  #rules(): Rules {
    const { links, oneFileSystem, swap, delete: deletes } = this.#options;
    const compare: CompareSettings = {
      checksum: this.#options.checksum,
      window: this.#options.window,
      owners: this.#root,
      xattrs: this.#options.xattrs,
      uid: process.geteuid?.() ?? 0,
    };
    const extras = deletes || swap || (this.#purpose.do === 'tell' && this.#purpose.check === true);
    return {
      style: { name: 'sync', compare },
      follow: false,
      links,
      devices: this.#root,
      oneFileSystem,
      replaceDirectories: extras,
      extras,
      filter: this.#filter,
    };
  }

  #events(): EngineEvents {
    const { source, target } = this.#sides;
    const trash = this.#sides.trash && places().statOpen(this.#sides.trash.root.fd);
    return {
      done: (action) => this.#tell(action),
      failed: ({ message, code, syscall, side, state }, path) => {
        if (side === 'source') this.#sourceErrors++;
        this.#totals.errors++;
        this.#context.fail(
          new SluiceError(message, {
            ...(code !== undefined && { code }),
            ...(syscall !== undefined && { syscall }),
            path: (side === 'source' ? source : (target ?? source)).shown(path),
            state: state ?? 'destination left as it was',
          }),
        );
      },
      warned: (message, path) => this.#context.warn(message, { path: source.shown(path) }),
      leftOut: (message, path, code) => {
        this.#context.warn(message, { path: source.shown(path), ...(code !== undefined && { code }) });
        this.#totals.skipped++;
        if (code === 'ERR_DEVICE') this.#lose('device');
      },
      lost: (what) => this.#lose(what),
      progress: (state) => this.#context.progress(state),
      extra: (node, name, facts, why) => {
        if (trash && sameFile(trash, facts)) return;
        const extra = { node, name, facts, scope: this.#scopes.at(node.path), reason: 'not in the source' };
        if (why === 'temp') this.#extras.push({ ...extra, scope: everything, reason: leftover });
        else if (why === 'excluded' && !this.#options.deleteExcluded) this.#kept.push(extra);
        else this.#extras.push(why === 'excluded' ? { ...extra, reason: 'excluded' } : extra);
      },
      occupied: (node, work) => {
        const scope = this.#scopes.at(node.path);
        this.#extras.push({ node, name: work.name, facts: work.target!, scope, reason: 'in the way', work });
      },
      count: (side, entries) => {
        if (side === 'source') this.#entries += entries;
        else this.#destinationEntries += entries;
      },
    };
  }

  // What is told is what is done: the same walk, the same order.

  async #tellAll(): Promise<void> {
    const { target } = this.#sides;
    const check = this.#purpose.do === 'tell' && this.#purpose.check === true;
    await this.#engine(null).run();
    if (!target) return;
    const extras = this.#doomedExtras(check);
    for (const { action, facts } of this.#doomed(target, extras)) {
      if (this.#purpose.do === 'tell') this.#purpose.seen?.('destination', action.path, facts);
      this.#tell(action);
    }
    for (const { node, work } of extras) if (work) this.#tell(actionOf(node, work));
  }

  async #work(): Promise<void> {
    const { target, fresh } = this.#sides;
    const engine = this.#engine(target);
    await engine.run();
    await this.#delete(engine);
    if (this.#options.durable === 'none') return;
    await engine.syncDirectories((error) => this.#unconfirm(error));
    if (fresh) await this.#syncName();
  }

  async #delete(engine: Engine): Promise<void> {
    const { target, trash } = this.#sides;
    const extras = this.#doomedExtras(false);
    if (extras.length === 0) return;
    const remover = new Remover(target!, trash, this.#entrySettings());
    const opening = (path: string, facts: Extra['facts']) => remover.open(path, facts);
    const gone = new Set<Extra>();
    let node: Node | undefined;
    for (const { extra, action, facts } of this.#doomed(target!, extras, opening)) {
      if (node !== extra.node) {
        if (node) engine.changedIn(node);
        node = extra.node;
        remover.open(node.path, node.source);
      }
      try {
        await remover.remove(action, facts);
        this.#tell(action);
        if (action.path === below(extra.node.path, extra.name)) gone.add(extra);
      } catch (error) {
        this.#fail(error, target!.shown(action.path), 'it was not deleted');
      }
    }
    const replacing = extras.flatMap((extra) =>
      extra.work ? [{ ...extra, work: extra.work, free: gone.has(extra) }] : [],
    );
    const free = replacing.filter((each) => each.free);
    await engine.place(free.map(({ node: at, work }) => ({ node: at, work: { ...work, target: null } })));
    for (const { node: at, name, free: isFree } of replacing)
      if (!isFree)
        this.#fail(
          new SluiceError('is a directory, and something in it stays, so that it cannot be replaced', {
            code: 'ENOTEMPTY',
          }),
          target!.shown(below(at.path, name)),
        );
    if (node) engine.changedIn(node);
    for (const { node: each } of replacing) engine.changedIn(each);
  }

  /** A new tree beside the old one, and then the two exchanged. */
  async #swap(): Promise<void> {
    const { target } = this.#sides;
    const next: NewTree = newTree(this.#options.destination, target);
    try {
      const engine = this.#engine(next.tree);
      await engine.run();
      if (target) {
        const extras = this.#doomedExtras(false);
        const gone = new Set<string>();
        for (const { action } of this.#doomed(target, extras)) {
          gone.add(action.path);
          this.#tell(action);
        }
        if (this.#refused) return;
        const kept = this.#options.delete
          ? this.#kept
          : [...this.#kept, ...this.#extras.filter(({ reason }) => reason === 'not in the source')];
        const nodes = next.carry(target, [...kept, ...extras], gone, (error, path) =>
          this.#fail(error, target.shown(path)),
        );
        const replacing = this.#extras.flatMap(({ node, work }) =>
          work ? [{ node, work: { ...work, target: null } }] : [],
        );
        await engine.place(replacing);
        for (const node of [...nodes, ...replacing.map((each) => each.node)]) engine.changedIn(node);
      }
      if (this.#totals.errors > 0)
        throw new SluiceError('there were errors, so the new tree was given up', {
          path: this.#options.destination,
          state: 'it was left as it is',
        });
      if (this.#options.durable !== 'none') await next.sync();
      next.commit();
      if (this.#options.durable !== 'none') await this.#syncName();
    } finally {
      next.discard((error) => this.#fail(error, next.tree.path, 'the old tree was left there'));
    }
  }

  /** Those that are to go. */
  #doomedExtras(check: boolean): Extra[] {
    const { target } = this.#sides;
    if (!target || (!this.#options.delete && !check)) return [];
    // Asked only now: while we were at work, our own temp files were among them. To --check one is no difference.
    const leftovers = new Leftovers(target);
    const extras = this.#extras.filter(
      ({ reason, node, name, facts }) =>
        reason !== leftover || (!check && leftovers.has(below(node.path, name), facts)),
    );
    if (extras.length > 0 && this.#sourceErrors > 0) {
      this.#context.warn('there were errors in the source, so nothing is deleted', { code: 'ERR_NOT_DELETED' });
      return [];
    }
    return this.#tooMany(extras) ? [] : extras;
  }

  #doomed(target: Tree, extras: Extra[], opening?: (path: string, facts: Extra['facts']) => void) {
    const fail = (error: unknown, path: string) => this.#fail(error, target.shown(path), 'it was not deleted');
    return doomed(target, extras, this.#options.deleteExcluded, fail, opening);
  }

  #tooMany(extras: Extra[]): boolean {
    const { maxDelete } = this.#options;
    const { target } = this.#sides;
    if (!maxDelete || extras.length === 0) return false;
    let count = 0;
    for (const _ of doomed(target!, extras, this.#options.deleteExcluded, () => {})) count++;
    const entries = this.#destinationEntries + Math.max(0, count - extras.length);
    const exceeded =
      'count' in maxDelete ? count > maxDelete.count : count * 100 > maxDelete.percent * Math.max(1, entries);
    if (!exceeded) return false;
    const limit = 'count' in maxDelete ? maxDelete.count : `${maxDelete.percent}%`;
    this.#context.fail(
      new SluiceError(`${count} of ${entries} entries would be deleted, and --max-delete allows ${limit}`, {
        code: 'ERR_MAX_DELETE',
        path: target!.path,
        state: 'nothing was deleted',
      }),
    );
    this.#refused = true;
    return true;
  }

  #entrySettings(): EntrySettings {
    return {
      keep: {
        mode: true,
        acl: this.#options.xattrs,
        owner: this.#root,
        times: true,
        xattrs: this.#options.xattrs,
        umask: 0o077,
        uid: process.geteuid?.() ?? 0,
      },
      follow: false,
      noClobber: false,
      sparse: 'auto',
      reflink: 'auto',
      allowChanged: false,
      stage: this.#options.durable !== 'none',
    };
  }

  #tell(action: Action): void {
    const totals = this.#totals;
    const { action: verb, path, reason, bytes, to } = action;
    if (verb === 'create') totals.created++;
    else if (verb === 'update') totals.updated++;
    else if (verb === 'metadata') totals.metadata++;
    else if (verb === 'link') totals.linked++;
    else if (verb === 'delete') totals.deleted++;
    const kind = verb === 'create' || verb === 'update' ? action.kind : undefined;
    if (kind === 'directory') totals.directories++;
    else if (kind === 'symlink') totals.symlinks++;
    else if (kind !== undefined) totals.files++;
    totals.bytes += bytes;
    if (this.#purpose.do === 'tell') this.#purpose.planned?.(action);
    this.#context.record({
      type: 'action',
      action: verb,
      path: path || '.',
      reason,
      bytes,
      ...(to !== undefined && { to }),
    });
  }

  #fail(error: unknown, path: string, state?: string): void {
    this.#totals.errors++;
    const { message, code, syscall, state: own } = failure(error);
    const told = state ?? own;
    this.#context.fail(
      new SluiceError(message, {
        ...(code !== undefined && { code }),
        ...(syscall !== undefined && { syscall }),
        path,
        ...(told !== undefined && { state: told }),
      }),
    );
  }

  #lose(what: Loss): void {
    this.#lost.set(what, (this.#lost.get(what) ?? 0) + 1);
  }

  #unconfirm(error: SluiceError): void {
    this.#unconfirmed++;
    const { message, code = 'ERR_DURABILITY', path, state } = error;
    this.#context.warn(`${message} — ${state}`, { code, ...(path !== undefined && { path }) });
  }

  /** The destination's own name. */
  async #syncName(): Promise<void> {
    const directory = dirname(this.#options.destination);
    try {
      await fsyncDirectory(directory);
    } catch (error) {
      this.#unconfirm(failure(error, { path: directory, state: 'its names may not survive a power cut' }));
    }
  }

  #tellLosses(): void {
    if (this.#lost.size === 0) return;
    const list = [...this.#lost].map(
      ([what, count]) => `${count} ${what}${count === 1 || what.endsWith('s') ? '' : 's'}`,
    );
    const message = `kept everything but: ${list.join(', ')}`;
    if (!this.#options.strict) this.#context.warn(message, { code: 'ERR_LOSS' });
    else {
      this.#totals.errors++;
      this.#context.fail(new SluiceError(message, { code: 'ERR_LOSS' }));
    }
  }
}

/** As it is told before it is done. */
function actionOf(node: Node, { name, action, reason, source, to }: Work): Action {
  const bytes = source.kind === 'file' && action !== 'link' ? source.size : 0;
  return { action, path: below(node.path, name), reason, bytes, kind: source.kind, ...(to !== undefined && { to }) };
}
