// What the engine is asked for, and what it tells of the work.

import type { Loss } from '../io/attributes.js';
import type { Action, Work } from './action.js';
import type { Done, EntrySettings, Failed, Way } from './copy-entry.js';
import type { Facts } from './facts.js';
import type { Rules } from './job.js';
import type { NewDirectory } from './new-directory.js';
import type { Node } from './node.js';
import type { Progress } from './tally.js';

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
  /** True if somebody watches: then what is to come is counted ahead of the work. */
  progress(state: Progress): boolean;
}

export interface EngineSettings {
  rules: Rules;
  entry: EntrySettings;
  jobs: number;
  /** The target's root was only just made: as a directory that gets its name when the first files in it are whole, where it is one. */
  freshRoot: boolean | NewDirectory;
  /** The target is a new tree, which gets what is the same from the old one (`there`). */
  anew?: boolean;
  /** Takes the place of the engine's own way of copying a file, one at a time: for what is asked of it besides. */
  single?: ((way: Way, path: string) => Promise<Done>) | undefined;
  /** Every entry that was looked at, in order: then only this thread looks. */
  seen?: ((side: 'source' | 'destination', path: string, facts: Facts) => void) | undefined;
}
