// `sluice atomic-write`: what comes from stdin or a command becomes a file, whole and saved, or the file stays as it was.
// This decides what is done; the files beside it know how input comes, what guards ask, and how the file is replaced.

import { failure, isSystemError } from '../io/failure.js';
import { resolveTarget } from '../io/target.js';
import type { Version } from '../io/version.js';
import { finish } from './atomic-commit.js';
import { Changed, versionAt } from './atomic-compare.js';
import { newFile, receive } from './atomic-content.js';
import { beforeInput, Refused } from './atomic-guards.js';
import { openInput } from './atomic-input.js';
import { type AtomicWriteOptions, type Facts, type Placed, type Run, statOf, untouched } from './atomic-run.js';
import type { Context, Outcome } from './context.js';

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
  const version = compared ? await versionAt(run.path) : options.digests ? await versionToTell(run.path) : null;
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

/** For its digest alone: what may not be read may be replaced all the same. */
async function versionToTell(path: string): Promise<Version | null> {
  try {
    return await versionAt(path);
  } catch (error) {
    if (isSystemError(error, 'EACCES')) return null;
    throw error;
  }
}
