// `sluice sync`: DEST's contents made equal to SRC's. The walk, the comparison and the work are the engine's in src/tree, the
// same as for `copy -r`; here is in which order they, the deletions and the exchange of trees follow each other.

import { dirname } from 'node:path';
import { fsyncDirectory, storageOf } from '../io/durability.js';
import { failure, SluiceError } from '../io/failure.js';
import { realPath } from '../io/path.js';
import type { Work } from '../tree/action.js';
import { Engine } from '../tree/engine.js';
import type { EngineEvents, EngineSettings } from '../tree/engine-face.js';
import type { Filter } from '../tree/job.js';
import type { Node } from '../tree/node.js';
import { below, type Tree } from '../tree/tree.js';
import type { Context, Outcome } from './context.js';
import { Deletions } from './sync-deletions.js';
import { entrySettingsOf, isCheck, type Purpose, rulesOf, type SyncOptions } from './sync-options.js';
import { openSides, type Sides } from './sync-sides.js';
import { type NewTree, newTree } from './sync-swap.js';
import { Tally } from './sync-tally.js';

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
  readonly #filter: Filter;
  readonly #tally: Tally;
  readonly #deletions: Deletions;
  /** Of the source. */
  #entries = 0;

  constructor(options: SyncOptions, purpose: Purpose, context: Context, sides: Sides) {
    this.#options = options;
    this.#purpose = purpose;
    this.#context = context;
    this.#sides = sides;
    const { rules, gitignore } = options.filter;
    this.#filter = { rules, git: gitignore ? realPath(sides.source.path) : undefined };
    this.#tally = new Tally(options, purpose, context);
    this.#deletions = new Deletions(options, this.#filter, sides, this.#tally, context);
  }

  async all(): Promise<Outcome> {
    const { durable, destination, swap } = this.#options;
    if (this.#deletions.emptyDestination()) return 'refused';
    if (durable === 'strict' && this.#purpose.do === 'run' && storageOf(dirname(destination)) !== 'durable')
      throw new SluiceError('durability cannot be promised on this file system', {
        path: destination,
        state: 'nothing was done',
      });
    if (this.#purpose.do === 'tell') await this.#tellAll();
    else if (swap) await this.#swap();
    else await this.#work();
    return this.#tally.end(this.#entries, this.#deletions.refused);
  }

  /** Over the destination as it is, into `target`: null = nothing is done. */
  #engine(target: Tree | null): Engine {
    const { source, target: there, reference, fresh } = this.#sides;
    const { jobs, swap, durable } = this.#options;
    const settings: EngineSettings = {
      rules: rulesOf(this.#options, this.#purpose, this.#filter),
      entry: { ...entrySettingsOf(this.#options), stage: durable !== 'none' && !swap },
      jobs,
      freshRoot: fresh,
      anew: swap && target !== null,
      seen: this.#purpose.do === 'tell' ? this.#purpose.seen : undefined,
    };
    return new Engine({ source, target, there, reference }, settings, this.#events());
  }

  #events(): EngineEvents {
    const { source, target } = this.#sides;
    const tally = this.#tally;
    const deletions = this.#deletions;
    return {
      done: (action) => tally.tell(action),
      failed: ({ message, code, syscall, side, state }, path) => {
        if (side === 'source') deletions.sourceFailed();
        const error = new SluiceError(message, {
          ...(code !== undefined && { code }),
          ...(syscall !== undefined && { syscall }),
        });
        const tree = side === 'source' ? source : (target ?? source);
        tally.fail(error, tree.shown(path), state ?? 'destination left as it was');
      },
      warned: (message, path) => this.#context.warn(message, { path: source.shown(path) }),
      leftOut: (message, path, code) => tally.leaveOut(message, source.shown(path), code),
      lost: (what) => tally.lose(what),
      progress: (state) => this.#context.progress(state),
      extra: (node, name, facts, why) => deletions.extra(node, name, facts, why),
      occupied: (node, work) => deletions.occupied(node, work),
      count: (side, entries) => {
        if (side === 'source') this.#entries += entries;
        else deletions.count(entries);
      },
    };
  }

  /** What is told is what is done: the same walk, the same order. */
  async #tellAll(): Promise<void> {
    await this.#engine(null).run();
    if (!this.#sides.target) return;
    const extras = this.#deletions.doomed(isCheck(this.#purpose));
    for (const { action, facts } of this.#deletions.each(extras)) {
      if (this.#purpose.do === 'tell') this.#purpose.seen?.('destination', action.path, facts);
      this.#tally.tell(action);
    }
    for (const { node, work } of extras) if (work) this.#tally.tell(actionOf(node, work));
  }

  async #work(): Promise<void> {
    const { target, fresh } = this.#sides;
    const engine = this.#engine(target);
    await engine.run();
    await this.#deletions.carryOut(engine);
    if (this.#options.durable === 'none') return;
    await engine.syncDirectories((error) => this.#tally.unconfirm(error));
    if (fresh) await this.#syncName();
  }

  /** A new tree beside the old one, and then the two exchanged. */
  async #swap(): Promise<void> {
    const { target } = this.#sides;
    const { destination, durable } = this.#options;
    const tally = this.#tally;
    const next: NewTree = newTree(destination, target);
    try {
      const engine = this.#engine(next.tree);
      await engine.run();
      if (target) {
        const extras = this.#deletions.doomed();
        const gone = new Set<string>();
        for (const { action } of this.#deletions.each(extras)) {
          gone.add(action.path);
          tally.tell(action);
        }
        if (this.#deletions.refused) return;
        const staying = [...this.#deletions.staying(), ...extras];
        const nodes = next.carry(target, staying, gone, (error, path) => tally.fail(error, target.shown(path)));
        const replacing = this.#deletions.replacements();
        await engine.place(replacing);
        for (const node of [...nodes, ...replacing.map((each) => each.node)]) engine.changedIn(node);
      }
      if (tally.errors > 0)
        throw new SluiceError('there were errors, so the new tree was given up', {
          path: destination,
          state: 'it was left as it is',
        });
      if (durable !== 'none') await next.sync();
      next.commit();
      if (durable !== 'none') await this.#syncName();
    } finally {
      next.discard((error) => tally.fail(error, next.tree.path, 'the old tree was left there'));
    }
  }

  /** The destination's own name. */
  async #syncName(): Promise<void> {
    const directory = dirname(this.#options.destination);
    try {
      await fsyncDirectory(directory);
    } catch (error) {
      this.#tally.unconfirm(failure(error, { path: directory, state: 'its names may not survive a power cut' }));
    }
  }
}

/** As it is told before it is done. */
function actionOf(node: Node, { name, action, reason, source, to }: Work) {
  const bytes = source.kind === 'file' && action !== 'link' ? source.size : 0;
  return { action, path: below(node.path, name), reason, bytes, kind: source.kind, ...(to !== undefined && { to }) };
}
