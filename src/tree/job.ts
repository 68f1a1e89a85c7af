// What the engine gives to whoever has time, a thread or itself, and what it gets back: plain data that can be sent.

import type { Loss } from '../io/attributes.js';
import type { Verb, Verdict, Work } from './action.js';
import type { CompareSettings } from './compare.js';
import type { Done, EntrySettings, Failed } from './copy-entry.js';
import type { Facts, Kind } from './facts.js';
import type { Within } from './new-directory.js';
import type { GlobRule } from './rules.js';

/** What is wanted of each entry. */
export interface Rules {
  /** copy: everything is made anew; sync: what differs. */
  style: { name: 'copy'; noClobber: boolean; update: boolean } | { name: 'sync'; compare: CompareSettings };
  /** Symlinks in the source stand for what they lead to. */
  follow: boolean;
  /** Names of one file stay names of one file. */
  links: boolean;
  devices: boolean;
  oneFileSystem: boolean;
  /** A directory with contents may go where the source has something else. */
  replaceDirectories: boolean;
  /** Look for what only the destination has. */
  extras: boolean;
  filter: Filter;
}

export interface Filter {
  rules: GlobRule[];
  /** Where `--gitignore` is asked for: the source's real path. */
  git?: string | undefined;
}

/** An open directory and its name; the threads of a process share its descriptors. */
export interface Side {
  path: string;
  fd: number;
}

/** The same for every job of a run. */
export interface Setup {
  source: Side;
  /** Where entries are put; null: it is only told what would be done. */
  target: Side | null;
  /** What they are compared with: the target, or the old tree that it will replace; null where there is none. */
  there: Side | null;
  /** An earlier tree: files that are the same there are linked from there. */
  reference: Side | null;
  /** The target is a new tree, which gets what is the same from the old one. */
  anew: boolean;
  rules: Rules;
  entry: EntrySettings;
}

/** Look at the entries of one directory, and do at once what is a matter of a moment. */
export interface SurveyJob {
  do: 'survey';
  path: string;
  source: Facts;
  /** The directory as the destination has it; null = it is new. */
  target: Facts | null;
  /** What is in the directory's place and is none. */
  instead: Facts | null;
  /** Some of its entries; none: the directory is entered, and listed. */
  part: Part | undefined;
  /** It is new, and has no name yet. */
  within: Within | null;
}

/** Consecutive entries of a directory that has many. */
export interface Part {
  names: string[];
  /** Of those that are not plain files. */
  kinds: ReadonlyMap<string, Kind>;
  /** What the destination has from the first of these names on to the next part; null where nobody asks. */
  there: string[] | null;
}

/** Entries that were looked at already. */
export interface WorksJob {
  do: 'works';
  path: string;
  works: Work[];
}

export type Job = SurveyJob | WorksJob;

/** What was done to entries, in order; seven values each, since flat arrays are the cheapest to send. */
export type Told = (string | number | boolean)[];
export const toldWidth = 7;

export interface Told1 {
  name: string;
  action: Verb;
  reason: string;
  kind: Kind;
  bytes: number;
  method: Done['method'];
  skipped: boolean;
}

export function addTold(list: Told, { action, reason, source: { kind } }: Work, name: string, done: Done): void {
  list.push(name, action, reason, kind, done.bytes, done.method, done.skipped === true);
}

export function* eachTold(list: Told): Generator<Told1> {
  for (let i = 0; i < list.length; i += toldWidth) {
    yield {
      name: list[i] as string,
      action: list[i + 1] as Verb,
      reason: list[i + 2] as string,
      kind: list[i + 3] as Kind,
      bytes: list[i + 4] as number,
      method: list[i + 5] as Done['method'],
      skipped: list[i + 6] as boolean,
    };
  }
}

/** A directory below the one that was surveyed. */
export interface Found {
  name: string;
  source: Facts;
  target: Facts | null;
  instead: Facts | null;
}

/** An entry that was looked at, and not put in place yet. */
export interface Later {
  name: string;
  source: Facts;
  target: Facts | null;
  /** null: it is the same. */
  verdict: Verdict | null;
}

/** What is to be done with it: as it was found, or as it was settled since. */
export const asWork = ({ name, source, target, verdict }: Later, instead = verdict!): Work => ({
  name,
  source,
  target,
  action: instead.action,
  reason: instead.reason,
});

/** Under a temp name, complete: renamed once it is durable. */
export interface Staged {
  /** Where its telling is. */
  at: number;
  work: Work;
  temp: string;
}

export interface Report {
  /** The directory was entered: its entries are spoken of here. */
  entered: boolean;
  /** What was done to the directory itself. */
  own: Verdict | null;
  /** It got another mode for the time of the work. */
  opened: boolean;
  /** Entries in it were changed. */
  changed: boolean;
  told: Told;
  failed: { path: string; failed: Failed }[];
  warned: { path: string; message: string }[];
  leftOut: { path: string; message: string; code?: string }[];
  lost: Loss[];
  directories: Found[];
  /** Large files: work for a thread each. */
  large: Later[];
  /** Names of files with several: which is the first, only the whole walk can tell. */
  linked: Later[];
  /** A directory with contents where the source has something else. */
  occupied: Later[];
  /** What only the destination has. `temp`: by its name, a temp file; `excluded`: the filters keep it. */
  extras: { name: string; facts: Facts; why: 'plain' | 'excluded' | 'temp' }[];
  staged: Staged[];
  /** What is left of a directory that has many entries. */
  rest: Part[];
  /** The directory has no name yet: that is for the engine to give, who has the descriptor from here on. */
  within: Within | null;
  /** Entries listed. */
  source: number;
  destination: number;
  /** Entries that are the same. */
  same: number;
  /** Bytes moved already while this was done, and told to `onBytes`. */
  moved: number;
}

export const emptyReport = (): Report => ({
  entered: true,
  own: null,
  opened: false,
  changed: false,
  told: [],
  failed: [],
  warned: [],
  leftOut: [],
  lost: [],
  directories: [],
  large: [],
  linked: [],
  occupied: [],
  extras: [],
  staged: [],
  rest: [],
  within: null,
  source: 0,
  destination: 0,
  same: 0,
  moved: 0,
});
