// `--resume`: an interrupted large copy goes on from its kept partial file. The partial's name holds the identity of the
// source, so that another source, or the same one changed, never meets it; and what it holds is compared before it's used.

import type { Hash } from 'node:crypto';
import { type BigIntStats, closeSync, constants, fstatSync, ftruncateSync, lstatSync, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { AtomicFile, type AtomicOptions } from '../io/atomic-file.js';
import { isSystemError, SluiceError } from '../io/failure.js';
import type { FileIO } from '../io/file-io.js';
import { lockFile } from '../io/file-lock.js';
import { fsPath } from '../io/path.js';
import { shortened } from '../io/temp-name.js';
import type { Context } from './context.js';

interface Partial {
  atomic: AtomicFile;
  /** Bytes that need not be copied again: known after `catchUp`. */
  kept: number;
  /** Others may have the partial's name again. To be called once the file is in place, or given up. */
  release(): void;
  /** Move both files behind what they have in common, and the digest with them. */
  catchUp(source: FileIO, hash: Hash | undefined): Promise<void>;
}

/** The partial file for this source and target, opened or made; it stays when the copy is interrupted. */
export async function openPartial(
  path: string,
  source: BigIntStats,
  options: AtomicOptions,
  context: Context,
): Promise<Partial> {
  const { createHash } = await import('node:crypto');
  const identity = `${source.dev} ${source.ino} ${source.size} ${source.mtimeNs}`;
  const key = createHash('sha256').update(identity).digest('hex').slice(0, 16);
  const suffix = `.sluice-${key}.partial`;
  const name = `${dirname(path)}/.${shortened(basename(path), 254 - suffix.length)}${suffix}`;
  const { atomic, lock } = await claim(path, name, options, context);
  const partial: Partial = {
    atomic,
    kept: 0,
    release: () => closeSync(lock),
    async catchUp(from, hash) {
      const there = fstatSync(atomic.file.fileno()).size;
      partial.kept = await commonLength(from, atomic.file, Math.min(there, Number(source.size)), hash);
      ftruncateSync(atomic.file.fileno(), partial.kept);
      atomic.file.seek(partial.kept);
      from.seek(partial.kept);
      if (there > 0) context.debug(() => `${path}: resuming after ${partial.kept} of ${source.size} bytes`);
    },
  };
  return partial;
}

/**
 * The partial file, ours alone until `lock` is closed, which has to be after the rename: another copy of the same source
 * would else write into the file that has just been put in place.
 */
async function claim(
  path: string,
  name: string,
  options: AtomicOptions,
  context: Context,
): Promise<{ atomic: AtomicFile; lock: number }> {
  for (;;) {
    const atomic = new AtomicFile(path, { ...options, partial: name });
    let lock: number | undefined;
    try {
      const ours = fstatSync(atomic.file.fileno());
      const state = 'destination left as it was';
      if (ours.uid !== process.geteuid?.() || ours.nlink > 1)
        throw new SluiceError('its partial file is not ours alone', { code: 'EPERM', path: name, state });
      lock = openSync(fsPath(name), constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
      const locked = await lockFile(lock, 0);
      if (locked === 'busy')
        throw new SluiceError('another copy is going on with the same partial file', { code: 'EBUSY', path, state });
      if (locked === 'unlocked') context.debug(() => `${path}: nothing here can lock the partial file`);
      const there = lstatSync(fsPath(name), { throwIfNoEntry: false });
      if (there?.ino === ours.ino && fstatSync(lock).ino === ours.ino) return { atomic, lock };
    } catch (error) {
      if (lock !== undefined) closeSync(lock);
      atomic.discard();
      if (isSystemError(error, 'ENOENT')) continue; // Put in place by another, between two of our looks.
      throw error;
    }
    closeSync(lock);
    atomic.discard();
  }
}

/** Bytes, in whole steps, that two files have in common from their start. A crash may have left zeros at the end. */
async function commonLength(source: FileIO, partial: FileIO, most: number, hash: Hash | undefined): Promise<number> {
  const step = 1 << 20;
  const [ours, theirs] = [Buffer.allocUnsafeSlow(step), Buffer.allocUnsafeSlow(step)];
  for (let at = 0; at < most; at += step) {
    const length = Math.min(step, most - at);
    const same = fill(source, theirs, length) && fill(partial, ours, length);
    if (!same || Buffer.compare(ours.subarray(0, length), theirs.subarray(0, length)) !== 0) return at;
    hash?.update(theirs.subarray(0, length));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return most;
}

function fill(file: FileIO, buffer: Buffer, length: number): boolean {
  for (let at = 0; at < length; ) {
    const count = file.readInto(buffer.subarray(at, length));
    if (!count) return false;
    at += count;
  }
  return true;
}
