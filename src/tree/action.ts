// What is done to one entry, and why: plain data, the same for a dry run, a saved plan, the JSON and the real run.

import type { Facts, Kind } from './facts.js';

export type Verb = 'create' | 'update' | 'metadata' | 'link' | 'skip' | 'delete';

export interface Action {
  action: Verb;
  /** Relative to both roots; '' is the root itself. */
  path: string;
  /** Why: 'new', 'size', 'mtime', 'content', 'mode', … */
  reason: string;
  /** Of content that is moved. */
  bytes: number;
  /** What it is, or is to be; of what is deleted, what it was. */
  kind: Kind;
  /** For 'link': the relative path of the name that this one becomes a hard link to; none: the same path in another tree. */
  to?: string;
}

/** Something is to be done, and why. */
export interface Verdict {
  action: Verb;
  reason: string;
}

/** One entry of the source that is to be put in place. */
export interface Work extends Verdict {
  name: string;
  source: Facts;
  /** null where it is not there. */
  target: Facts | null;
  /** Its name in the destination, if that is another one. */
  as?: string;
  /** As an action's. */
  to?: string;
}
