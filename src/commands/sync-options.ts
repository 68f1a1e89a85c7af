// What is asked of a `sync`, as data (a plan keeps it), and what that means for the engine in src/tree.

import type { Action } from '../tree/action.js';
import type { EntrySettings } from '../tree/copy-entry.js';
import type { EngineSettings } from '../tree/engine-face.js';
import type { Filter, Rules } from '../tree/job.js';
import type { GlobRule } from '../tree/rules.js';

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

export const isCheck = (purpose: Purpose): boolean => purpose.do === 'tell' && purpose.check === true;

const user = (): number => process.geteuid?.() ?? 0;

export function rulesOf(options: SyncOptions, purpose: Purpose, filter: Filter): Rules {
  const { checksum, window, xattrs, links, oneFileSystem, swap } = options;
  const root = user() === 0;
  const extras = options.delete || swap || isCheck(purpose);
  return {
    style: { name: 'sync', compare: { checksum, window, owners: root, xattrs, uid: user() } },
    follow: false,
    links,
    devices: root,
    oneFileSystem,
    replaceDirectories: options.delete || isCheck(purpose),
    extras,
    filter,
  };
}

export function entrySettingsOf({ xattrs, durable }: SyncOptions): EntrySettings {
  return {
    keep: { mode: true, acl: xattrs, owner: user() === 0, times: true, xattrs, umask: 0o077, uid: user() },
    follow: false,
    noClobber: false,
    sparse: 'auto',
    reflink: 'auto',
    allowChanged: false,
    stage: durable !== 'none',
  };
}
