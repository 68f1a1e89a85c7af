// `sluice sync`: DEST's contents made equal to SRC's. The guards stand here; the walk, the comparison and the work are the
// engine's in src/tree, the same as for `copy -r`.

import { dirname } from 'node:path';
import type { Loss } from '../io/attributes.js';
import { fsyncDirectory, storageOf } from '../io/durability.js';
import { failure, SluiceError } from '../io/failure.js';
import type { Action, Step } from '../tree/action.js';
import { Application, type ApplyEvents } from '../tree/apply.js';
import type { CompareSettings } from '../tree/compare.js';
import type { EntrySettings } from '../tree/copy-entry.js';
import { doomed, type Extra, Remover } from '../tree/delete.js';
import { sameFile } from '../tree/facts.js';
import { rootScope, type Scope } from '../tree/filter.js';
import { GitIgnore } from '../tree/gitignore.js';
import { Leftovers } from '../tree/leftovers.js';
import { places } from '../tree/place.js';
import { type PlanEvents, type PlanSettings, plan } from '../tree/plan.js';
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
  | { do: 'tell'; check?: true; planned?: (action: Action) => void; seen?: PlanEvents['seen'] };

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
  }

  async all(): Promise<Outcome> {
    const { filter, durable, destination } = this.#options;
    const { source, fresh } = this.#sides;
    const git = filter.gitignore ? GitIgnore.above(real(source.path)) : undefined;
    const scope = rootScope(filter.rules, git, source);
    if (this.#emptiesDestination(scope)) return 'refused';
    if (durable === 'strict' && this.#purpose.do === 'run' && storageOf(dirname(destination)) !== 'durable')
      throw new SluiceError('durability cannot be promised on this file system', {
        path: destination,
        state: 'nothing was done',
      });
    if (this.#purpose.do === 'tell') this.#tellAll(scope);
    else if (this.#options.swap) await this.#swap(scope);
    else await this.#work(scope, fresh);
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
  #emptiesDestination(scope: Scope): boolean {
    const { source, target } = this.#sides;
    if (!this.#options.delete || this.#options.allowEmpty || !target) return false;
    let found = false;
    places().list(source.root, (name) => {
      if (found) return;
      const isDirectory = places().stat(source.root, name)?.kind === 'directory';
      found = !scope.excludes(name, isDirectory);
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

  #steps(scope: Scope, freshRoot: boolean): Generator<Step, void, boolean | undefined> {
    const { source, target, reference } = this.#sides;
    const { links, oneFileSystem, swap, delete: deletes } = this.#options;
    const compare: CompareSettings = {
      checksum: this.#options.checksum,
      window: this.#options.window,
      owners: this.#root,
      xattrs: this.#options.xattrs,
      uid: process.geteuid?.() ?? 0,
    };
    const check = this.#purpose.do === 'tell' && this.#purpose.check === true;
    const settings: PlanSettings = {
      rules: { style: 'sync', compare },
      follow: false,
      links,
      devices: this.#root,
      oneFileSystem,
      scope,
      replaceDirectories: deletes || check || swap,
      extras: deletes || check || swap,
      same: swap,
      reference,
      freshRoot,
    };
    return plan(source, target, settings, this.#planEvents());
  }

  #planEvents(): PlanEvents {
    const { source, target } = this.#sides;
    const trash = this.#sides.trash && places().statOpen(this.#sides.trash.root.fd);
    return {
      fail: (error, side, path) => {
        if (side === 'source') this.#sourceErrors++;
        this.#fail(error, (side === 'source' ? source : (target ?? source)).shown(path));
      },
      warn: (message, path, code) => {
        this.#context.warn(message, { path: source.shown(path), ...(code !== undefined && { code }) });
        this.#totals.skipped++;
        if (code === 'ERR_DEVICE') this.#lose('device');
      },
      extra: (node, name, facts, kind, scope) => {
        if (trash && sameFile(trash, facts)) return;
        const extra = { node, name, facts, scope, reason: 'not in the source' };
        if (kind === 'temp') this.#extras.push({ ...extra, reason: leftover });
        else if (kind === 'excluded' && !this.#options.deleteExcluded) this.#kept.push(extra);
        else this.#extras.push(kind === 'excluded' ? { ...extra, reason: 'excluded' } : extra);
      },
      occupied: (node, name, facts, step, scope) => {
        this.#extras.push({ node, name, facts, scope, reason: 'in the way', step });
      },
      seen: this.#purpose.do === 'tell' ? this.#purpose.seen : undefined,
      count: (side, entries) => {
        if (side === 'source') this.#entries += entries;
        else this.#destinationEntries += entries;
      },
    };
  }

  // What is told is what is done: the same steps, the same order.

  #tellAll(scope: Scope): void {
    const { target, fresh } = this.#sides;
    const check = this.#purpose.do === 'tell' && this.#purpose.check === true;
    const steps = this.#steps(scope, fresh);
    for (let step = steps.next(); !step.done; step = steps.next(true)) {
      const { value } = step;
      if ((value.do === 'entry' || value.do === 'enter') && value.action) this.#tell(value.action);
    }
    if (!target) return;
    const extras = this.#doomedExtras(check);
    for (const { action } of this.#doomed(target, extras)) {
      if (this.#purpose.do === 'tell') this.#purpose.seen?.('destination', action.path, action.target!);
      this.#tell(action);
    }
    for (const { step } of extras) if (step) this.#tell(step.action);
  }

  async #work(scope: Scope, freshRoot: boolean): Promise<void> {
    const { source, target } = this.#sides;
    const settings = { entry: this.#entrySettings(), jobs: this.#options.jobs, reference: this.#sides.reference };
    const application = new Application(this.#steps(scope, freshRoot), source, target!, settings, this.#applyEvents());
    await application.run();
    await this.#delete(application);
    if (this.#options.durable === 'none') return;
    await application.syncDirectories((error) => this.#unconfirm(error));
    if (freshRoot) await this.#syncName();
  }

  async #delete(application: Application): Promise<void> {
    const { target, trash, source } = this.#sides;
    const extras = this.#doomedExtras(false);
    if (extras.length === 0) return;
    const remover = new Remover(target!, trash, this.#entrySettings());
    const opening = (path: string, facts: Extra['facts']) => remover.open(path, facts);
    const gone = new Set<Extra>();
    let node: Extra['node'] | undefined;
    for (const { extra, action } of this.#doomed(target!, extras, opening)) {
      if (node !== extra.node) {
        if (node) application.changedIn(node);
        node = extra.node;
        remover.open(node.path, node.source);
      }
      try {
        await remover.remove(action);
        this.#tell(action);
        if (action.path === below(extra.node.path, extra.name)) gone.add(extra);
      } catch (error) {
        this.#fail(error, target!.shown(action.path), 'it was not deleted');
      }
    }
    const replacing = extras.filter(({ step }) => step);
    if (replacing.length > 0) {
      const steps = function* (): Generator<Step, void> {
        for (const extra of replacing) if (gone.has(extra)) yield instead(extra.step!);
      };
      const settings = { entry: this.#entrySettings(), jobs: 1 };
      const second = new Application(steps(), source, target!, settings, this.#applyEvents());
      await second.run();
      if (this.#options.durable !== 'none') await second.syncDirectories((error) => this.#unconfirm(error));
      for (const extra of replacing)
        if (!gone.has(extra))
          this.#fail(
            new SluiceError('is a directory, and something in it stays, so that it cannot be replaced', {
              code: 'ENOTEMPTY',
            }),
            target!.shown(below(extra.node.path, extra.name)),
          );
    }
    if (node) application.changedIn(node);
    for (const { node: each } of replacing) application.changedIn(each);
  }

  /** A new tree beside the old one, and then the two exchanged. */
  async #swap(scope: Scope): Promise<void> {
    const { source, target, fresh } = this.#sides;
    const next: NewTree = newTree(this.#options.destination, target);
    try {
      const settings = {
        entry: { ...this.#entrySettings(), stage: false },
        jobs: this.#options.jobs,
        reference: this.#sides.reference,
        old: target ?? source,
      };
      const steps = this.#steps(scope, fresh);
      await new Application(steps, source, next.tree, settings, this.#applyEvents()).run();
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
        const replacing = this.#extras.flatMap(({ step }) => (step ? [step] : []));
        const steps = function* (): Generator<Step, void> {
          for (const step of replacing) yield instead(step);
        };
        const second = new Application(steps(), source, next.tree, settings, this.#applyEvents());
        if (replacing.length > 0) await second.run();
        for (const node of [...nodes, ...replacing.map((step) => step.node)]) second.changedIn(node);
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

  #applyEvents(): ApplyEvents {
    const { source } = this.#sides;
    return {
      done: (action, done) => {
        if (done.warning !== undefined) this.#context.warn(done.warning, { path: source.shown(action.path) });
        this.#tell(action);
      },
      failed: (_action, error, side) => {
        if (side === 'source') this.#sourceErrors++;
        this.#totals.errors++;
        this.#context.fail(error);
      },
      lost: (what) => this.#lose(what),
      progress: (state) => this.#context.progress(state),
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
    const kind = verb === 'create' || verb === 'update' ? action.source?.kind : undefined;
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

/** What was planned for a place that was taken, now that it is free. */
function instead(step: Step & { do: 'entry' }): Step {
  const action: Action = { ...step.action, target: null };
  if (action.to === undefined) return { ...step, action };
  step.node.pending++;
  return { ...step, action, late: true };
}
