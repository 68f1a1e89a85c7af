// `sluice copy`: files and streams to files, directories and streams. Decides what goes where, and refuses what cannot be
// meant, before anything is made; `copy-file.ts` beside it puts one file in place.

import { type BigIntStats, fstatSync, lstatSync, type Stats, statSync } from 'node:fs';
import { basename } from 'node:path';
import type { DurabilityWish } from '../io/atomic-file.js';
import type { Loss } from '../io/attributes.js';
import type { When } from '../io/content.js';
import type { Conversion } from '../io/conversion.js';
import { failure, isSystemError, SluiceError } from '../io/failure.js';
import { fsPath } from '../io/path.js';
import type { GlobRule } from '../tree/rules.js';
import type { Context, Outcome, Progress } from './context.js';
import { copyFile } from './copy-file.js';
import { copyStream } from './copy-stream.js';
import { lossMessage } from './losses.js';

export interface CopyOptions {
  sources: string[];
  destination: string;
  /** The destination is a directory to copy into (`-t`), or never one (`-T`). */
  directory: 'must' | 'may' | 'never';
  /** Directories too, with all that is in them. */
  recursive: boolean;
  /** Symlinks stand for what they lead to: all of them, those named as operands, or none. */
  followLinks: 'always' | 'operands' | 'never';
  /** Devices are remade, as root. */
  devices: boolean;
  oneFileSystem: boolean;
  filter: { rules: GlobRule[]; gitignore: boolean };
  jobs: number;
  preserve: ReadonlySet<Preserved>;
  noClobber: boolean;
  update: boolean;
  backup: string | undefined;
  inPlace: boolean;
  reflink: When;
  sparse: When;
  verify: boolean;
  /** Name of the digest to print. */
  checksum: string | undefined;
  durable: DurabilityWish;
  /** What happens to the bytes on their way. */
  conversion: Conversion | undefined;
  bufferSize: number | undefined;
  limitRate: number | undefined;
  resume: boolean;
  allowChanged: boolean;
  strict: boolean;
  dryRun: boolean;
}

export type Preserved = 'mode' | 'ownership' | 'timestamps' | 'links' | 'xattr';

/** What one run did, for the summary. */
export interface Totals {
  files: number;
  directories: number;
  symlinks: number;
  skipped: number;
  bytes: number;
  errors: number;
  unconfirmed: number;
  lost: Map<Loss, number>;
}

/** One source on its way to one destination. */
export interface Job {
  source: string;
  destination: string;
  /** What the source is, links followed or not as asked; null = stdin. */
  stat: BigIntStats | null;
  /** What the user calls the two, where they are reached by other paths: below the operands of a tree. */
  shown?: { source: string; destination: string };
}

/** What one run carries along. */
export interface Run {
  options: CopyOptions;
  context: Context;
  totals: Totals;
  /** Bytes that went their way since the last call; negative where they have to go again. True if somebody watches. */
  onBytes(count: number, tree?: Omit<Progress, 'bytes' | 'name'>): boolean;
}

export async function copy(options: CopyOptions, context: Context): Promise<Outcome> {
  const started = process.uptime();
  const totals: Totals = {
    files: 0,
    directories: 0,
    symlinks: 0,
    skipped: 0,
    bytes: 0,
    errors: 0,
    unconfirmed: 0,
    lost: new Map(),
  };
  const jobs = planned(options, context, totals);
  const totalBytes = jobs.every(({ stat }) => stat?.isFile())
    ? jobs.reduce((sum, { stat }) => sum + Number(stat!.size), 0)
    : undefined;
  let moved = 0;
  for (const job of jobs) {
    const before = moved;
    let known: Parameters<Run['onBytes']>[1];
    const onBytes: Run['onBytes'] = (count, tree = known) => {
      moved += count;
      known = tree;
      const total = tree?.totalBytes === undefined ? totalBytes : Math.max(moved, before + tree.totalBytes);
      return context.progress({ name: job.source, ...tree, bytes: moved, totalBytes: total });
    };
    try {
      await one(job, { options, context, totals, onBytes });
    } catch (error) {
      totals.errors++;
      context.fail(error);
    }
  }
  tellLosses(totals, options.strict, context);
  const { lost, unconfirmed, ...counts } = totals;
  context.record({ type: 'summary', ...counts, elapsedMs: Math.round((process.uptime() - started) * 1000) });
  return totals.errors > 0 ? 'failed' : unconfirmed > 0 ? 'undurable' : 'done';
}

async function one(job: Job, run: Run): Promise<void> {
  const { options, context, totals } = run;
  const { source, destination, stat } = job;
  if (stat?.isDirectory()) {
    await (await import('./copy-tree.js')).copyTree(job, run);
    return;
  }
  if (options.dryRun) {
    const bytes = stat?.isFile() ? Number(stat.size) : undefined;
    const action = actionFor(job, options);
    context.record({ type: 'action', action, source, destination, bytes });
    if (action === 'skip') totals.skipped++;
    else totals.files++;
    return;
  }
  if (stat?.isSymbolicLink()) await (await import('./copy-link.js')).copyLink(job, run);
  else if (destination === '-' || isChannel(destination)) await copyStream(job, run);
  else await copyFile(job, run);
}

/** None where the destination cannot be meant. */
function planned(options: CopyOptions, context: Context, totals: Totals): Job[] {
  try {
    return plan(options, context, totals);
  } catch (error) {
    totals.errors++;
    context.fail(error);
    return [];
  }
}

function actionFor({ destination, stat }: Job, { noClobber, update }: CopyOptions): 'create' | 'update' | 'skip' {
  const there =
    destination === '-' ? undefined : lstatSync(fsPath(destination), { bigint: true, throwIfNoEntry: false });
  if (!there) return 'create';
  const compared = there.isSymbolicLink() && !stat?.isSymbolicLink() ? (identity(destination) ?? there) : there;
  return noClobber || (update && stat && stat.mtimeNs <= compared.mtimeNs) ? 'skip' : 'update';
}

/** What goes where. A source that cannot be copied is told and left out; a destination that can't be meant ends it all. */
function plan(options: CopyOptions, context: Context, totals: Totals): Job[] {
  const { sources, destination } = options;
  const into = intoDirectory(options);
  /** Is it a directory? Those are merged. */
  const taken = new Map<string, boolean>();
  const jobs: Job[] = [];
  for (const source of sources) {
    try {
      if (into && source === '-')
        throw new SluiceError('stdin has no name to get in a directory', {
          path: destination,
          state: 'nothing was made',
        });
      const target = into ? within(destination, basename(source)) : destination;
      const job = { source, destination: target, stat: statSource(source, options.followLinks !== 'never') };
      refuse(job, options);
      const isDirectory = job.stat?.isDirectory() ?? false;
      if (taken.has(target) && !(isDirectory && taken.get(target)))
        throw new SluiceError(`will not overwrite what was just copied to ${target}`, {
          path: source,
          state: 'the first one was kept',
        });
      taken.set(target, isDirectory);
      jobs.push(job);
    } catch (error) {
      totals.errors++;
      context.fail(failure(error, { path: source, state: 'nothing was copied from it' }));
    }
  }
  return jobs;
}

/**
 * The name that a source gets in a directory. Not by path.join, which takes `link/..` away though it leads elsewhere, and makes
 * `-`, which is stdout, of `./-`. As with cp, `..` stands for what is in it.
 */
const within = (directory: string, name: string): string =>
  `${directory}${directory.endsWith('/') ? '' : '/'}${name === '..' ? '.' : name}`;

/** Is the destination a directory to copy into? */
function intoDirectory({ sources, destination, directory }: CopyOptions): boolean {
  if (directory === 'never') return false;
  if (destination !== '-' && statOf(destination)?.isDirectory()) return true;
  if (directory === 'must' || sources.length > 1)
    throw new SluiceError('is not a directory', { code: 'ENOTDIR', path: destination, state: 'nothing was copied' });
  return false;
}

function statOf(destination: string): Stats | undefined {
  try {
    return statSync(fsPath(destination), { throwIfNoEntry: false });
  } catch (error) {
    throw failure(error, { path: destination, state: 'nothing was copied' });
  }
}

function statSource(source: string, follow: boolean): BigIntStats | null {
  if (source === '-') return null;
  return (follow ? statSync : lstatSync)(fsPath(source), { bigint: true });
}

/** Refusals that cost nothing to find, before anything is made. */
function refuse({ source, destination, stat }: Job, options: CopyOptions): void {
  const state = 'nothing was copied from it';
  if (stat?.isDirectory() && options.recursive) {
    if (destination === '-' || isChannel(destination))
      throw new SluiceError('is a directory, which no stream can take', { code: 'EISDIR', path: source, state });
    return;
  }
  if (stat?.isDirectory())
    throw new SluiceError('is a directory; copying it takes -r', { code: 'EISDIR', path: source, state });
  if (stat?.isSocket()) throw new SluiceError('is a socket, which has no content to copy', { path: source, state });
  if (stat?.isSymbolicLink()) {
    refuseLink(source, destination, stat, state);
    return;
  }
  const from = stat ?? fstatSync(0, { bigint: true });
  const to = identity(destination);
  // A device or a pipe may well be both: cat's rule is for files.
  // A file may be converted into itself: the result replaces it as a whole.
  const converts = options.conversion && !options.inPlace && destination !== '-' && !isChannel(destination);
  if (to && from.isFile() && to.dev === from.dev && to.ino === from.ino && !converts)
    throw new SluiceError(`source and destination (${destination}) are the same file`, {
      path: source,
      state: 'it was left as it is',
    });
  if (options.directory === 'never' && to?.isDirectory())
    throw new SluiceError('is a directory, and -T does not copy into it', { code: 'EISDIR', path: destination, state });
  // The system would say so too, but only of the finished file.
  if (destination.endsWith('/') && !to?.isDirectory())
    throw new SluiceError('is not a directory', { code: 'ENOTDIR', path: destination, state });
}

/** A symlink, copied as one, must not take its own place, nor that of the file that it leads to. */
function refuseLink(source: string, destination: string, stat: BigIntStats, state: string): void {
  if (destination === '-')
    throw new SluiceError('is a symlink, and -P copies no content', { code: 'EINVAL', path: source, state });
  const there = lstatSync(fsPath(destination), { bigint: true, throwIfNoEntry: false });
  if (!there) return;
  const same = (other: BigIntStats | undefined) => other?.dev === there.dev && other.ino === there.ino;
  if (same(stat) || same(identity(source)))
    throw new SluiceError(`source and destination (${destination}) are the same file`, {
      path: source,
      state: 'it was left as it is',
    });
}

function identity(destination: string): BigIntStats | undefined {
  if (destination === '-') return fstatSync(1, { bigint: true });
  try {
    return statSync(fsPath(destination), { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    if (isSystemError(error, 'ELOOP', 'ENOTDIR', 'EACCES')) return undefined; // Told when it is written to.
    throw error;
  }
}

/** A name for one of this process's descriptors, or a FIFO, device or terminal: written to, never replaced. */
function isChannel(destination: string): boolean {
  if (/^\/dev\/(stdout|stderr|fd\/\d+)$|^\/proc\/self\/fd\/\d+$/.test(destination)) return true;
  const stat = identity(destination);
  return stat !== undefined && (stat.isFIFO() || stat.isCharacterDevice() || stat.isBlockDevice() || stat.isSocket());
}

function tellLosses({ lost }: Totals, strict: boolean, context: Context): void {
  if (lost.size === 0) return;
  const message = lossMessage(lost);
  if (strict) context.fail(new SluiceError(message, { code: 'ERR_LOSS' }));
  else context.warn(message, { code: 'ERR_LOSS' });
}
