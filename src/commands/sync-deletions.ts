// What only DEST has: gathered while the trees are walked; whether it may go; and taken away when all else is done.

import { SluiceError } from '../io/failure.js';
import type { Work } from '../tree/action.js';
import { type Doomed, doomed, type Extra, Remover, type Sparing } from '../tree/delete.js';
import type { Engine } from '../tree/engine.js';
import type { Facts } from '../tree/facts.js';
import { everything, Scopes } from '../tree/filter.js';
import type { Filter } from '../tree/job.js';
import { Leftovers } from '../tree/leftovers.js';
import type { Node } from '../tree/node.js';
import { places } from '../tree/place.js';
import { below } from '../tree/tree.js';
import type { Context } from './context.js';
import { entrySettingsOf, type SyncOptions } from './sync-options.js';
import type { Sides } from './sync-sides.js';
import type { Tally } from './sync-tally.js';

/** Why a temp file goes. */
const leftover = 'left by a writer that is gone';
const onlyHere = 'not in the source';

export class Deletions {
  readonly #options: SyncOptions;
  readonly #sides: Sides;
  readonly #tally: Tally;
  readonly #context: Context;
  readonly #scopes: Scopes;
  readonly #sparing: Sparing;
  readonly #extras: Extra[] = [];
  /** What the filters keep in the destination, though the source has it not. */
  readonly #kept: Extra[] = [];
  /** Entries of the destination that were met. */
  #entries = 0;
  #sourceErrors = 0;
  #refused = false;

  constructor(options: SyncOptions, filter: Filter, sides: Sides, tally: Tally, context: Context) {
    this.#options = options;
    this.#sides = sides;
    this.#tally = tally;
    this.#context = context;
    this.#scopes = new Scopes(filter, sides.source);
    const { deleteExcluded, oneFileSystem } = options;
    const { target, trashWithin: spare } = sides;
    const device = oneFileSystem && target ? places().statOpen(target.root.fd).dev : null;
    this.#sparing = { deleteExcluded, spare, device };
  }

  /** A guard spoke: nothing was deleted. */
  get refused(): boolean {
    return this.#refused;
  }

  count(entries: number): void {
    this.#entries += entries;
  }

  /** Something of the source could not be seen: what DEST has of it would look like nobody's. */
  sourceFailed(): void {
    this.#sourceErrors++;
  }

  /** See `EngineEvents`. */
  extra(node: Node, name: string, facts: Facts, why: 'plain' | 'excluded' | 'temp'): void {
    const { trashWithin } = this.#sides;
    // What is in the trash was moved there.
    if (trashWithin !== null && `${below(node.path, name)}/`.startsWith(`${trashWithin}/`)) return;
    const extra = { node, name, facts, scope: this.#scopes.at(node.path), reason: onlyHere };
    if (why === 'temp') this.#extras.push({ ...extra, scope: everything, reason: leftover });
    else if (why === 'excluded' && !this.#options.deleteExcluded) this.#kept.push(extra);
    else this.#extras.push(why === 'excluded' ? { ...extra, reason: 'excluded' } : extra);
  }

  occupied(node: Node, work: Work): void {
    const scope = this.#scopes.at(node.path);
    this.#extras.push({ node, name: work.name, facts: work.target!, scope, reason: 'in the way', work });
  }

  /** An empty source is more often a mount that is missing than a wish. Told, if so. */
  emptyDestination(): boolean {
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

  /** Those that are to go, if any may. `check`: they are only differences. */
  doomed(check = false): Extra[] {
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

  /** All that goes with them, contents first. */
  each(extras: Extra[], opening?: (path: string, facts: Facts) => void): Iterable<Doomed> {
    const target = this.#sides.target!;
    const fail = (error: unknown, path: string) => this.#tally.fail(error, target.shown(path), 'it was not deleted');
    return doomed(target, extras, this.#sparing, fail, opening);
  }

  /** What stays though the source has it not. */
  staying(): Extra[] {
    return this.#options.delete
      ? this.#kept
      : [...this.#kept, ...this.#extras.filter(({ reason }) => reason === onlyHere)];
  }

  /** What the source has in the place of directories with contents. */
  replacements(): { node: Node; work: Work }[] {
    return this.#extras.flatMap(({ node, work }) => (work ? [{ node, work: { ...work, target: null } }] : []));
  }

  /** Takes them away, and puts in their place what the source has there. */
  async carryOut(engine: Engine): Promise<void> {
    const { target, trash } = this.#sides;
    const extras = this.doomed();
    if (extras.length === 0) return;
    const remover = new Remover(target!, trash, entrySettingsOf(this.#options));
    const opening = (path: string, facts: Facts) => remover.open(path, facts);
    const gone = new Set<Extra>();
    let node: Node | undefined;
    for (const { extra, action, facts } of this.each(extras, opening)) {
      if (node !== extra.node) {
        if (node) engine.changedIn(node);
        node = extra.node;
        remover.open(node.path, node.source);
      }
      try {
        await remover.remove(action, facts);
        this.#tally.tell(action);
        if (action.path === below(extra.node.path, extra.name)) gone.add(extra);
      } catch (error) {
        this.#tally.fail(error, target!.shown(action.path), 'it was not deleted');
      }
    }
    const replacing = extras.flatMap((extra) =>
      extra.work ? [{ ...extra, work: extra.work, free: gone.has(extra) }] : [],
    );
    const free = replacing.filter((each) => each.free);
    await engine.place(free.map(({ node: at, work }) => ({ node: at, work: { ...work, target: null } })));
    for (const { node: at, name, free: isFree } of replacing)
      if (!isFree)
        this.#tally.fail(
          new SluiceError('is a directory, and something in it stays, so that it cannot be replaced', {
            code: 'ENOTEMPTY',
          }),
          target!.shown(below(at.path, name)),
          'it was left as it is',
        );
    if (node) engine.changedIn(node);
    for (const { node: each } of replacing) engine.changedIn(each);
  }

  #tooMany(extras: Extra[]): boolean {
    const { maxDelete } = this.#options;
    const { target } = this.#sides;
    if (!maxDelete || extras.length === 0) return false;
    let count = 0;
    for (const _ of doomed(target!, extras, this.#sparing, () => {})) count++;
    const entries = this.#entries + Math.max(0, count - extras.length);
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
}
