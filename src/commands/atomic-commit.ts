// The end of a run: all of the content is in the temp file, and it takes the file's place, or does not.

import { closeSync, openSync } from 'node:fs';
import type { AtomicFile, Committed } from '../io/atomic-file.js';
import { failure, isSystemError, type SluiceError } from '../io/failure.js';
import { fsPath } from '../io/path.js';
import { removeQuietly } from '../io/remove-quietly.js';
import { isThere, sidecarBeside } from '../io/sidecar.js';
import { Changed } from './atomic-compare.js';
import { hinted } from './atomic-content.js';
import { beforeReplacing, Refused } from './atomic-guards.js';
import { type Placed, type Run, statOf, untouched } from './atomic-run.js';

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
  let fd: number;
  try {
    fd = openSync(fsPath(path), 'r');
  } catch (error) {
    // What may not be read may be replaced all the same.
    if (isSystemError(error, 'EACCES')) return undefined;
    throw failure(error, { path, state: untouched });
  }
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
