// A plan's parts: what is to be done to one entry, and why. Plain data, the same for a dry run, a saved plan and the real run.

import type { Facts } from './facts.js';

export type Verb = 'create' | 'update' | 'metadata' | 'link' | 'skip' | 'delete';

export interface Action {
  action: Verb;
  /** Relative to both roots; '' is the root itself. */
  path: string;
  /** Why: 'new', 'size', 'mtime', 'content', 'mode', … */
  reason: string;
  /** Of content that will be moved. */
  bytes: number;
  /** null where it is not there. */
  source: Facts | null;
  target: Facts | null;
  /** For 'link': the relative path of the name that this one becomes a hard link to; none: the same path in another tree. */
  to?: string;
}

/** A directory that is being worked on. */
export class Node {
  readonly path: string;
  readonly parent: Node | null;
  readonly source: Facts;
  /** The directory as it was in the destination; null = it is new. */
  readonly target: Facts | null;
  /** Its attributes have to be set once everything in it is done. */
  touched = false;
  /** The mode that it got for the time of the work, where its own would have kept us out. */
  opened = false;
  /** What must still end before its attributes can be set: the walk, batches, directories below. */
  pending = 1;

  constructor(path: string, parent: Node | null, source: Facts, target: Facts | null) {
    this.path = path;
    this.parent = parent;
    this.source = source;
    this.target = target;
    if (parent) parent.pending++;
  }
}

/**
 * What a plan yields, in order: a directory before its entries, its entries before the directories below, `leave` after all
 * of them. The answer to `enter` says whether the walk may go in.
 */
export type Step =
  | { do: 'enter'; node: Node; action: Action | null }
  /** `late`: only once all that came before is done; it holds its node until then. */
  | { do: 'entry'; node: Node; action: Action; late?: true }
  /** Unchanged: of interest only where a whole new tree is built. */
  | { do: 'same'; node: Node; path: string; source: Facts }
  | { do: 'leave'; node: Node }
  /** Work goes on, and the event loop may have a turn. */
  | { do: 'pause' };
