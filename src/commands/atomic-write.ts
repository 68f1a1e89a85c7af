// `sluice atomic-write`: what comes from stdin or a command becomes a file, whole and saved, or the file stays as it was.
// This decides what is done, and in which order; the files beside it know how input comes, what guards ask, and the rest.

import { closeSync, fstatSync, lstatSync, openSync } from 'node:fs';
import { AtomicFile, type Committed, type DurabilityWish } from '../io/atomic-file.js';
import type { Ended } from '../io/child-output.js';
import { failure, SluiceError } from '../io/failure.js';
import { fsPath } from '../io/path.js';
import { copyInto } from '../io/pump.js';
import type { Sink } from '../io/raw.js';
import { isThere, removeQuietly, sidecarBeside } from '../io/sidecar.js';
import type { StreamOutput } from '../io/stream-output.js';
import { canOnlyOverwrite, resolveTarget } from '../io/target.js';
import type { Version } from '../io/version.js';
import { beforeInput, beforeReplacing, type Guards, Refused, sealRefusal } from './atomic-guards.js';
import { type Input, type InputOptions, openInput } from './atomic-input.js';
import type { Context, Outcome } from './context.js';

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

/** The file became another while it was being edited. */
export class Changed extends SluiceError {}

export async function atomicWrite(options: AtomicWriteOptions, context: Context): Promise<Outcome> {
  const facts: Facts = { outcome: 'failed', bytes: 0, sha256: null, previousSha256: null, durability: 'none' };
  const record = () => context.record({ type: 'atomic-write', path: options.path, ...facts });
  const tee = options.tee ? new (await import('../io/stream-output.js')).StreamOutput(1) : undefined;
  let outcome: Outcome;
  try {
    const target = resolveTarget(options.path, untouched);
    const run: Run = { options, context, facts, path: target.path, tee, compared: null, overwrites: false };
    const { unconfirmed } =
      target.kind === 'channel'
        ? await (await import('./atomic-channel.js')).writeThrough(run, target)
        : await replace(run);
    outcome = unconfirmed ? 'undurable' : 'done';
  } catch (error) {
    const refused = error instanceof Refused || error instanceof Changed;
    outcome = refused ? 'refused' : 'failed';
    facts.outcome = outcome;
    facts.reason = failure(error).message;
    if (!refused) context.fail(failure(error, { path: options.path }));
  }
  record();
  try {
    await tee?.finish();
  } catch (error) {
    if (outcome !== 'refused') outcome = 'failed';
    context.fail(failure(error, { path: 'standard output', state: `${options.path} is not affected` }));
  }
  return outcome;
}

/** Replace the file, in as many attempts as it takes or is allowed. */
async function replace(run: Run): Promise<Placed> {
  const { options, facts } = run;
  if (options.edit) return (await import('./atomic-edit.js')).edit(run);
  if (options.append) return (await import('./atomic-edit.js')).append(run);
  const compared = options.ifMatch !== undefined && options.ifMatch !== 'none';
  const version = compared || options.digests ? await versionAt(run.path) : null;
  try {
    if (version) facts.previousSha256 = await version.digest();
    await beforeInput(options, statOf(run.path), version);
    const atomic = await newFile(run, compared ? version : null);
    try {
      await receive(run, atomic, await openInput(options, 0));
      return await finish(run, atomic);
    } catch (error) {
      atomic.discard();
      throw error;
    }
  } finally {
    version?.close();
  }
}

/** The file as it is now, held open; null where there is none. */
export const versionAt = async (path: string): Promise<Version | null> =>
  (await import('../io/version.js')).Version.open(path, untouched);

export const statOf = (path: string) => lstatSync(fsPath(path), { bigint: true, throwIfNoEntry: false }) ?? null;

/** The temp file. `compared` is what must still be there when it replaces it. */
export async function newFile(run: Run, compared: Version | null, mustBeNew = false): Promise<AtomicFile> {
  const { durable, backup, ifMatch, noClobber, inPlace } = run.options;
  run.compared = compared;
  run.overwrites = inPlace && statOf(run.path) !== null;
  if (run.overwrites) return (await import('./atomic-in-place.js')).newSidecar(run);
  try {
    return new AtomicFile(run.path, {
      durable,
      backup,
      noClobber: noClobber || ifMatch === 'none' || mustBeNew,
      settle: compared ? () => insistCurrent(compared) : undefined,
      guard: compared
        ? () => {
            if (!compared.looksCurrent()) throw changed();
          }
        : undefined,
    });
  } catch (error) {
    throw hinted(error, run.path);
  }
}

/** As long as a command may run that holds the lock, and then some. */
export const lockWait = 10 * 60_000;

/** Under a lock that the others who compare take too, so that nothing comes between the look and the rename. */
export async function insistCurrent(version: Version): Promise<void> {
  if (!(await version.isCurrent())) throw changed();
  await lockVersion(version);
  if (!(await version.isCurrent())) throw changed();
}

export const changed = (): Changed => new Changed('the file has changed meanwhile');

export async function lockVersion(version: Version): Promise<void> {
  if ((await version.lock(lockWait)) === 'busy') throw new Changed('another process keeps the file locked');
}

/** All of the input behind what the temp file has, and to stdout for `--tee`. Throws where the input, or its command, failed. */
export async function receive(run: Run, atomic: AtomicFile, input: Input): Promise<void> {
  const { options, context, facts, tee, path } = run;
  const started = fstatSync(atomic.file.fileno()).size;
  let bytes = 0;
  const onBytes = (chunk: Uint8Array) => {
    bytes += chunk.length;
    context.progress({ bytes, totalBytes: input.totalBytes, name: options.path });
  };
  try {
    const sink = tee ? teeSink(atomic.file, tee) : atomic.file;
    await copyInto(input.source, sink, { onBytes, signal: input.failed });
    facts.bytes = started + bytes;
    const size = fstatSync(atomic.file.fileno()).size;
    if (size !== started + bytes)
      throw new SluiceError(`only ${size} of ${started + bytes} bytes were written`, { path, state: untouched });
    await tee?.ready();
    noteCommand(facts, await input.finish());
  } catch (error) {
    facts.bytes = started + bytes;
    noteCommand(facts, input.outcome());
    throw sealRefusal(error, options.seal) ?? failure(error, { path: options.path, state: untouched });
  } finally {
    input.close();
  }
}

function noteCommand(facts: Facts, ended: Ended | undefined): void {
  if (!ended) return;
  facts.commandStatus = ended.status;
  if (ended.signal !== undefined) facts.commandSignal = ended.signal;
}

/** The file first; what happens to stdout does not stop it, and is told at the end. */
export function teeSink(first: Sink & { readonly isBusy?: boolean }, tee: StreamOutput): Sink {
  let listening = true;
  return {
    write(view) {
      if (first.isBusy || (listening && tee.isBusy)) return null;
      const count = first.write(view);
      if (count && listening) {
        try {
          tee.write((view as Uint8Array).subarray(0, count));
        } catch {
          listening = false;
        }
      }
      return count;
    },
    async ready() {
      await Promise.all([first.ready?.(), tee.ready()]);
    },
  };
}

/** Guards, checks, and the replacement. */
export async function finish(run: Run, atomic: AtomicFile): Promise<Placed> {
  const { options, context, facts, path } = run;
  // A pending signal wins over the end of the input: its producer may have died of it. Two turns, since the first may be
  // the rest of one in which signals were not looked for.
  for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
  if (options.digests) facts.sha256 = await (await import('../io/version.js')).digestOf(atomic.file.fileno());
  const there = statOf(path);
  if (options.skipUnchanged && there?.isFile()) {
    const same = await keepIfSame(run, atomic);
    if (same) return same;
  }
  await beforeReplacing(options, atomic, there);
  const committed = run.overwrites
    ? await (await import('./atomic-in-place.js')).overwrite(run, atomic)
    : await commit(run, atomic);
  if (committed.outcome === 'skipped') {
    if (options.noClobber || options.ifMatch === 'none') throw new Refused('the file exists');
    throw new Changed('the file has come into being meanwhile');
  }
  facts.outcome = committed.outcome;
  facts.durability = committed.durability;
  if (!run.overwrites) dropSidecar(path);
  if (there && there.nlink > 1n && !run.overwrites)
    context.warn(`it had ${there.nlink} names (hard links): the others keep the old content`, { path: options.path });
  for (const lost of committed.lost)
    context.warn(`its ${lost} could not be kept${lost === 'owner' ? ', and set-id bits went with it' : ''}`, {
      path: options.path,
      code: 'ERR_LOSS',
    });
  return { unconfirmed: tellUnconfirmed(committed.unconfirmed, run) };
}

function tellUnconfirmed(error: SluiceError | undefined, { context, options }: Run): boolean {
  if (!error) return false;
  const what = [error.code, error.syscall].filter(Boolean).join(', ');
  context.warn(`${error.message} (${what}) — ${error.state}`, {
    path: error.path ?? options.path,
    code: error.code ?? 'ERR_DURABILITY',
  });
  return true;
}

/** The file stays, if it has this content already; what is there is made durable all the same. Undefined: it has not. */
async function keepIfSame(run: Run, atomic: AtomicFile): Promise<Placed | undefined> {
  const { options, facts, path } = run;
  const { sameContent } = await import('../io/version.js');
  const fd = openSync(fsPath(path), 'r');
  try {
    if (!(await sameContent(atomic.file.fileno(), fd))) return undefined;
    atomic.discard();
    facts.outcome = 'unchanged';
    if (options.durable === 'none') return { unconfirmed: false };
    const { confirmDirectory, fsyncFile } = await import('../io/durability.js');
    await fsyncFile(fd);
    const { durability, unconfirmed } = await confirmDirectory(path);
    facts.durability = durability;
    return { unconfirmed: tellUnconfirmed(unconfirmed, run) };
  } finally {
    closeSync(fd);
  }
}

async function commit({ options, path }: Run, atomic: AtomicFile): Promise<Committed> {
  try {
    return await atomic.commit(options.mode === undefined ? {} : { mode: options.mode });
  } catch (error) {
    throw hinted(error, path);
  }
}

/** What an interrupted `--in-place` has left is of no use for a file that is whole again, and would undo it. */
function dropSidecar(path: string): void {
  const sidecar = sidecarBeside(path);
  if (isThere(sidecar)) removeQuietly(sidecar);
}

/** Where a rename cannot replace a file that could be written to, say what can. */
function hinted(error: unknown, path: string): unknown {
  if (!(error instanceof SluiceError) || error instanceof Changed) return error;
  const { code, syscall, state } = error;
  if (!canOnlyOverwrite(error, path)) return error;
  const beside = syscall === 'open' ? ' with --sidecar DIR' : '';
  const message = `${error.message}: it cannot be replaced here; --in-place${beside} would overwrite it`;
  return new SluiceError(message, {
    ...(code && { code }),
    ...(syscall && { syscall }),
    path,
    ...(state && { state }),
    cause: error,
  });
}
