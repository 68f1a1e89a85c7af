// What one run of `sluice atomic-write` is asked for, works with, and has to tell.

import { lstatSync } from 'node:fs';
import type { Committed, DurabilityWish } from '../io/atomic-file.js';
import { fsPath } from '../io/path.js';
import type { StreamOutput } from '../io/stream-output.js';
import type { Version } from '../io/version.js';
import type { Guards } from './atomic-guards.js';
import type { InputOptions } from './atomic-input.js';
import type { Context } from './context.js';

export interface AtomicWriteOptions extends InputOptions, Guards {
  path: string;
  /** The existing file is the command's stdin, and must still be what was read when the output replaces it. */
  edit: boolean;
  /** How many more times an edit is tried whose file has changed meanwhile. */
  retries: number;
  append: boolean;
  /** Write nothing if the content is the same. */
  skipUnchanged: boolean;
  /** Suffix under which the old file is kept. */
  backup: string | undefined;
  /** Copy to stdout too. */
  tee: boolean;
  mode: number | undefined;
  /** Overwrite an existing file instead of replacing it. */
  inPlace: boolean;
  /** Where the new content lies meanwhile; default: beside the file. */
  sidecar: string | undefined;
  durable: DurabilityWish;
  /** Somebody reads the records: they hold digests. */
  digests: boolean;
}

/** What the record of a run says. */
export interface Facts {
  outcome: 'created' | 'replaced' | 'unchanged' | 'refused' | 'failed';
  /** Of the new content, as far as it came. */
  bytes: number;
  sha256: string | null;
  /** null: there was no file. */
  previousSha256: string | null;
  durability: Committed['durability'];
  reason?: string;
  commandStatus?: number;
  commandSignal?: string;
}

/** What one run works with. */
export interface Run {
  options: AtomicWriteOptions;
  context: Context;
  facts: Facts;
  /** The resolved file. */
  path: string;
  tee: StreamOutput | undefined;
  /** What must still be there at the end. */
  compared: Version | null;
  /** The content goes into a sidecar, and from there into the existing file. */
  overwrites: boolean;
}

/** In place, but maybe not after a power cut. */
export interface Placed {
  unconfirmed: boolean;
}

export const untouched = 'destination left as it was';

export const statOf = (path: string) => lstatSync(fsPath(path), { bigint: true, throwIfNoEntry: false }) ?? null;
