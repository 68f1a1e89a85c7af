// A file that rename cannot replace (a bind mount, a read-only directory), overwritten as it lies there. The whole new
// content lies saved in a sidecar until the file has it too: a crash half way loses nothing, and --recover finishes it.

import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { AtomicFile, type Committed } from '../io/atomic-file.js';
import { fsyncDirectory, fsyncFile, storageOf } from '../io/durability.js';
import { failure, SluiceError } from '../io/failure.js';
import { FileIO } from '../io/file-io.js';
import { lockFile } from '../io/file-lock.js';
import { fsPath } from '../io/path.js';
import { copyInto } from '../io/pump.js';
import { removeQuietly } from '../io/remove-quietly.js';
import { isThere, sidecarBeside, sidecarIn } from '../io/sidecar.js';
import { resolveTarget, type Target } from '../io/target.js';
import { whileUnfinished } from '../io/unfinished.js';
import { Changed, insistCurrent, lockWait } from './atomic-compare.js';
import { type Run, untouched } from './atomic-run.js';
import type { Context, Outcome } from './context.js';

export const sidecarOf = async (path: string, directory: string | undefined): Promise<string> =>
  directory === undefined ? sidecarBeside(path) : sidecarIn(directory, path);

/** The temp file of the sidecar. Fails now if the file could not be written to later. */
export async function newSidecar({ options, path }: Run): Promise<AtomicFile> {
  closeSync(openForWriting(path));
  if (options.durable === 'strict' && storageOf(dirname(path)) !== 'durable')
    throw new SluiceError('durability cannot be promised on this file system', { path, state: untouched });
  const sidecar = await sidecarOf(path, options.sidecar);
  try {
    return new AtomicFile(sidecar, { durable: options.durable === 'strict' ? 'strict' : 'durable' });
  } catch (error) {
    const { message, code, syscall } = failure(error);
    const hint = options.sidecar === undefined ? ' (--sidecar DIR gives it another place)' : '';
    throw new SluiceError(`the sidecar cannot be made${hint}: ${message}`, {
      ...(code && { code }),
      ...(syscall && { syscall }),
      path: sidecar,
      state: untouched,
      cause: error,
    });
  }
}

/** Save the sidecar, overwrite the file, and remove the sidecar, while nobody else does so. */
export async function overwrite(run: Run, atomic: AtomicFile): Promise<Committed> {
  const { options, path } = run;
  const file = openForWriting(path);
  try {
    if (run.compared) await insistCurrent(run.compared);
    else if ((await lockFile(file, lockWait)) === 'busy') throw new Changed('another process keeps the file locked');
    if (options.backup !== undefined) await keepCopy(path, path + options.backup, options.durable);
    const { unconfirmed } = await atomic.commit({ mode: 0o600 });
    const finished = whileUnfinished(() => removeQuietly(atomic.path));
    try {
      // Without it the sidecar may be lost in the crash that it is for.
      if (unconfirmed)
        throw new SluiceError(unconfirmed.message, { ...kind(unconfirmed), path: atomic.path, state: untouched });
      if (run.compared && !run.compared.looksCurrent()) throw new Changed('the file has changed meanwhile');
    } catch (error) {
      removeQuietly(atomic.path);
      throw error;
    } finally {
      finished();
    }
    fill(file, path, atomic.path);
    if (options.mode !== undefined) fchmodSync(file, options.mode);
    await settle(file, path, atomic.path);
    // The name is an old one: the file alone was to be saved.
    return {
      outcome: 'replaced',
      lost: [],
      durability: options.durable === 'none' ? 'none' : storageOf(dirname(path)),
    };
  } finally {
    closeSync(file);
  }
}

/** Finish what an interrupted `--in-place` has begun, if there is such. */
export async function recover(
  { path: given, sidecar: directory }: { path: string; sidecar: string | undefined },
  context: Context,
): Promise<Outcome> {
  const record = (fields: object) => context.record({ type: 'atomic-write', path: given, ...fields });
  try {
    const target = resolveTarget(given, untouched);
    if (target.kind === 'channel')
      throw new SluiceError('is no regular file, and is never overwritten in place', { path: given, state: untouched });
    const { path } = target;
    const sidecar = await sidecarOf(path, directory);
    const nothing = () => {
      record({
        outcome: 'unchanged',
        bytes: Number(target.stat?.size ?? 0),
        durability: 'none',
        reason: 'there is nothing to recover',
      });
      return 'done' as const;
    };
    if (!isThere(sidecar)) return nothing();
    insistOurs(sidecar, target);
    // A sidecar holds a file's whole content: where the file itself is gone, it is made anew.
    const file = openSync(fsPath(path), constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      if ((await lockFile(file, 0)) === 'busy') {
        record({
          outcome: 'refused',
          bytes: 0,
          durability: 'none',
          reason: 'a live process is writing it at this moment',
        });
        return 'refused';
      }
      if (!isThere(sidecar)) return nothing();
      const bytes = fill(file, path, sidecar);
      await settle(file, path, sidecar);
      record({ outcome: 'replaced', bytes, durability: storageOf(dirname(path)) });
      return 'done';
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const told = failure(error, { path: given });
    context.fail(told);
    record({ outcome: 'failed', bytes: 0, durability: 'none', reason: told.message });
    return 'failed';
  }
}

/** Its name can be foretold: where others may make files, but not replace this one, it may be somebody else's. */
function insistOurs(sidecar: string, { path, stat }: Target): void {
  const found = lstatSync(fsPath(sidecar));
  const mayReplace = dirname(sidecar) === dirname(path) && (statSync(fsPath(dirname(path))).mode & 0o1000) === 0;
  const users = [0, process.geteuid?.(), stat ? Number(stat.uid) : 0];
  if (!found.isFile() || !(mayReplace || users.includes(found.uid)))
    throw new SluiceError('somebody else has made this sidecar', { path: sidecar, state: untouched });
}

function openForWriting(path: string): number {
  try {
    return openSync(fsPath(path), constants.O_WRONLY);
  } catch (error) {
    throw failure(error, { path, state: untouched });
  }
}

/**
 * The sidecar's content into the file, in one go: no signal is heard between. What the file has to grow by comes first,
 * so that a full disk is found before anything of the old content is gone. Gives the bytes.
 */
function fill(file: number, path: string, sidecar: string): number {
  const from = openSync(fsPath(sidecar), constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const size = fstatSync(from).size;
    const old = fstatSync(file).size;
    if (size > old) {
      try {
        copyRange(from, file, old, size);
      } catch (error) {
        ftruncateSync(file, old);
        removeQuietly(sidecar);
        throw failure(error, { path, state: untouched });
      }
    }
    try {
      copyRange(from, file, 0, Math.min(old, size));
      ftruncateSync(file, size);
      if (fstatSync(file).size !== size) throw new SluiceError('not all of it was written', { path });
    } catch (error) {
      throw failure(error, { path, state: incomplete(sidecar) });
    }
    return size;
  } finally {
    closeSync(from);
  }
}

const incomplete = (sidecar: string): string =>
  `it is incomplete; its new content is in ${sidecar}, and --recover puts it in place`;

function copyRange(from: number, to: number, start: number, end: number): void {
  const buffer = Buffer.allocUnsafeSlow(1 << 20);
  for (let at = start; at < end; ) {
    const count = readSync(from, buffer, 0, Math.min(buffer.length, end - at), at);
    if (count === 0) throw new SluiceError('the sidecar is shorter than it was');
    for (let done = 0; done < count; ) done += writeSync(to, buffer, done, count - done, at + done);
    at += count;
  }
}

/** Save the file, always, then remove the sidecar: in this order a crash finds one of them whole. */
async function settle(file: number, path: string, sidecar: string): Promise<void> {
  try {
    await fsyncFile(file);
  } catch (error) {
    throw failure(error, { path, state: incomplete(sidecar) });
  }
  unlinkSync(fsPath(sidecar));
  try {
    await fsyncDirectory(dirname(sidecar));
  } catch {
    // A sidecar that comes back says what the file says.
  }
}

/** A hard link would be overwritten with the file: a copy, with its permissions. */
async function keepCopy(path: string, name: string, durable: 'none' | 'durable' | 'strict'): Promise<void> {
  const old = new FileIO(path, 'r');
  try {
    const { mode, uid, gid } = fstatSync(old.fileno());
    const copy = new AtomicFile(name, { durable });
    try {
      await copyInto(old, copy.file);
      await copy.commit({ mode: mode & 0o7777, uid, gid });
    } catch (error) {
      copy.discard();
      throw error;
    }
  } finally {
    old.close();
  }
}

const kind = ({ code, syscall }: SluiceError) => ({ ...(code && { code }), ...(syscall && { syscall }) });
