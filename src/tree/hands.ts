// What a thread gives to the work that is done in it: the trees, by its own descriptors, and a say in how it goes on.

import type { Done, EntrySettings, Way } from './copy-entry.js';
import type { Facts } from './facts.js';
import type { Rules, Setup, Side } from './job.js';
import { Tree } from './tree.js';

export interface Hands {
  /** Asked before each entry. A promise to wait for gives others a turn; it throws where the work is to stop. */
  pace(): Promise<unknown> | undefined;
  /** Bytes of a large file that went their way; may throw to stop. */
  onBytes(count: number): void;
  /** Takes the place of the engine's own way of copying a file: for what is asked of it besides. */
  single?: ((way: Way, path: string) => Promise<Done>) | undefined;
  /** Every entry that was looked at: for digests of a state. */
  seen?: ((side: 'source' | 'destination', path: string, facts: Facts) => void) | undefined;
}

/** Thrown by hands that are told to stop. */
export class Stopped extends Error {}

export interface Trees {
  source: Tree;
  /** Where entries are put; null: it is only told what would be done. */
  target: Tree | null;
  /** What they are compared with: usually the target. */
  there: Tree | null;
  reference?: Tree | undefined;
}

/** For all threads. `anew`: the target is a new tree, which gets what is the same from the old one. */
export function setupOf(trees: Trees, rules: Rules, entry: EntrySettings, anew: boolean): Setup {
  const { source, target, there, reference } = trees;
  const side = (tree: Tree): Side => ({ path: tree.path, fd: tree.root.fd });
  return {
    source: side(source),
    target: target && side(target),
    there: there && side(there),
    reference: reference ? side(reference) : null,
    anew,
    rules,
    entry,
  };
}

/** A thread's own, by descriptors that are not its own. */
export function openTrees({ source, target, there, reference, rules }: Setup): Trees {
  const open = (side: Side, follow = false) => new Tree(side.path, follow, side);
  const own = target && open(target);
  return {
    source: open(source, rules.follow),
    target: own,
    // The same place has the same directories open.
    there: there && (there.fd === target?.fd ? own : open(there)),
    reference: reference ? open(reference) : undefined,
  };
}
