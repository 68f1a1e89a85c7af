// A file replaced by something made from it: by a command that reads it, or by its own content with more behind it. Nobody
// else's change is lost: what was read must still be there, else it is done again, and then under a lock from the start.

import { closeSync, fstatSync, openSync } from 'node:fs';
import type { AtomicFile } from '../io/atomic-file.js';
import { SluiceError } from '../io/failure.js';
import { FileIO } from '../io/file-io.js';
import { fsPath } from '../io/path.js';
import { copyInto } from '../io/pump.js';
import { isThere, sidecarBeside, sidecarIn } from '../io/sidecar.js';
import type { Version } from '../io/version.js';
import { finish } from './atomic-commit.js';
import { Changed, changed, lockVersion, versionAt } from './atomic-compare.js';
import { newFile, receive } from './atomic-content.js';
import { beforeInput } from './atomic-guards.js';
import { openInput } from './atomic-input.js';
import { type Placed, type Run, untouched } from './atomic-run.js';

/** The file is the command's stdin, and its output the new content. */
export async function edit(run: Run): Promise<Placed> {
  const { options, context } = run;
  for (let attempt = 0; ; attempt++) {
    // The first time without the lock, so that a slow command holds up nobody.
    const version = await currentVersion(run, attempt > 0);
    if (!version) throw missing(run);
    try {
      return await editOnce(run, version);
    } catch (error) {
      if (!(error instanceof Changed)) throw error;
      if (attempt >= options.retries) {
        const times = attempt === 0 ? 'and no retry is allowed' : `and so it was at ${attempt} more tries`;
        throw new Changed(`${error.message}, ${times}`);
      }
      context.debug(() => `${options.path}: ${error.message}; trying again, with a lock`);
    } finally {
      version.close();
    }
  }
}

async function editOnce(run: Run, version: Version): Promise<Placed> {
  const { options, facts } = run;
  if (options.digests) facts.previousSha256 = await version.digest();
  await beforeInput(options, version.stat, version);
  const atomic = await newFile(run, version);
  try {
    const stdin = version.reopen();
    if (stdin === undefined) throw changed();
    let input: Awaited<ReturnType<typeof openInput>>;
    try {
      input = await openInput(options, stdin);
    } finally {
      closeSync(stdin);
    }
    await receive(run, atomic, input);
    return await finish(run, atomic);
  } catch (error) {
    atomic.discard();
    throw error;
  }
}

/** More attempts at appending than others could spoil by chance. */
const mostAppends = 100;

/** Old content and input; the input is read once, and put behind what is there by then. */
export async function append(run: Run): Promise<Placed> {
  const { options, facts } = run;
  /** The input, and where it begins in the temp file that received it. */
  let received: { fd: number; from: number } | undefined;
  try {
    for (let attempt = 0; ; attempt++) {
      const version = await currentVersion(run, attempt > 0);
      try {
        facts.previousSha256 = version && options.digests ? await version.digest() : null;
        if (!received) await beforeInput(options, version?.stat ?? null, version);
        const atomic = await newFile(run, version, version === null);
        try {
          const from = version ? await copyOld(version, atomic) : 0;
          if (received) {
            await copyReceived(received, atomic);
          } else {
            await receive(run, atomic, await openInput(options, 0, from > 0));
            if (facts.bytes === from) return unchanged(run, atomic);
            received = { fd: openSync(fsPath(atomic.temp), 'r'), from };
          }
          facts.bytes = fstatSync(atomic.file.fileno()).size;
          return await finish(run, atomic);
        } catch (error) {
          atomic.discard();
          throw error;
        }
      } catch (error) {
        if (!(error instanceof Changed) || attempt >= mostAppends) throw error;
      } finally {
        version?.close();
      }
    }
  } finally {
    if (received) closeSync(received.fd);
  }
}

function unchanged({ facts }: Run, atomic: AtomicFile): Placed {
  atomic.discard();
  facts.outcome = 'unchanged';
  facts.sha256 = facts.previousSha256;
  return { unconfirmed: false };
}

async function copyOld(version: Version, atomic: AtomicFile): Promise<number> {
  const fd = version.reopen();
  if (fd === undefined) throw changed();
  const old = new FileIO(fd, 'r');
  try {
    const bytes = await copyInto(old, atomic.file);
    complete(atomic, bytes);
    return bytes;
  } finally {
    old.close();
  }
}

async function copyReceived({ fd, from }: { fd: number; from: number }, atomic: AtomicFile): Promise<void> {
  const input = new FileIO(fd, 'r', { closefd: false });
  input.seek(from);
  const before = fstatSync(atomic.file.fileno()).size;
  complete(atomic, before + (await copyInto(input, atomic.file)));
}

function complete(atomic: AtomicFile, bytes: number): void {
  const { size } = fstatSync(atomic.file.fileno());
  if (size !== bytes)
    throw new SluiceError(`only ${size} of ${bytes} bytes were written`, { path: atomic.path, state: untouched });
}

/** More of those who wait for the lock in turns than there are. */
const mostTurns = 100;

/**
 * The file as it is now; locked if asked, and then it is still the file of that name when the lock is had. Where others
 * replace it again and again without a lock, it is not to be had.
 */
async function currentVersion({ path, options }: Run, locked: boolean): Promise<Version | null> {
  for (let turn = 0; ; turn++) {
    const version = await versionAt(path);
    if (!version) return null;
    try {
      await insistWhole(version, options.sidecar);
      if (!locked || turn === mostTurns) return version;
      await lockVersion(version);
      if (await version.isCurrent()) return version;
    } catch (error) {
      version.close();
      throw error;
    }
    version.close();
  }
}

/** Half of an interrupted `--in-place` is nothing to go on from. One that is not interrupted is waited for. */
async function insistWhole(version: Version, directory: string | undefined): Promise<void> {
  const sidecars = [sidecarBeside(version.path), ...(directory ? [await sidecarIn(directory, version.path)] : [])];
  if (!sidecars.some(isThere)) return;
  await lockVersion(version);
  const left = sidecars.find(isThere);
  if (left !== undefined)
    throw new SluiceError(`an interrupted --in-place has left it incomplete: finish that with --recover (${left})`, {
      path: version.path,
      state: untouched,
    });
}

const missing = ({ options }: Run): SluiceError =>
  new SluiceError('there is no file to edit', { code: 'ENOENT', path: options.path, state: 'nothing was made' });
