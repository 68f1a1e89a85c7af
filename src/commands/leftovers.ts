// Temp files that nobody has cleaned up, since SIGKILL and power cuts leave no time to: what they were to become, and
// whether somebody is still writing them.

import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  unlinkSync,
} from 'node:fs';
import { isRemote } from '../io/durability.js';
import { failure } from '../io/failure.js';
import { native } from '../io/native.js';
import { decodePath, fsPath } from '../io/path.js';
import { tempBase } from '../io/temp-name.js';
import { isUnknown } from '../probe/certainty.js';
import { identityKey, type Openers, openersOf } from '../probe/openers.js';
import { argumentsOf, descriptorsOf, processes } from '../probe/proc.js';
import { removeTree } from '../tree/remove-tree.js';
import type { Context, Outcome } from './context.js';

interface Found {
  path: string;
  target: string;
  stat: BigIntStats;
}

export function leftovers({ directory, remove }: { directory: string; remove: boolean }, context: Context): Outcome {
  let found: Found[];
  try {
    found = tempFilesIn(directory);
  } catch (error) {
    context.fail(failure(error, { path: directory }));
    return 'failed';
  }
  const writers = openersOf(new Set(found.map(({ stat }) => identityKey(stat))));
  const remote = isRemote(directory);
  let outcome: Outcome = 'done';
  for (const { path, target, stat } of found) {
    const openers = isUnknown(writers) ? undefined : writers.get(identityKey(stat));
    const writer = remote && !openers?.processes.length ? 'unknown' : writerOf(path, stat, openers);
    let removed = false;
    if (remove && writer === 'gone') {
      try {
        if (stat.isDirectory()) removeTree(path);
        else unlinkSync(fsPath(path));
        removed = true;
      } catch (error) {
        context.fail(failure(error, { path, state: 'it was not removed' }));
        outcome = 'failed';
      }
    }
    const ageSeconds = Math.max(0, Math.round(Date.now() / 1000 - Number(stat.mtimeNs / 1_000_000n) / 1000));
    context.record({
      type: 'leftover',
      path,
      target,
      bytes: Number(stat.size),
      ageSeconds,
      writer,
      ...(remove && { removed }),
    });
  }
  return outcome;
}

function tempFilesIn(directory: string): Found[] {
  const found: Found[] = [];
  const entries = opendirSync(fsPath(directory), { encoding: 'buffer' as BufferEncoding });
  const parent = directory.endsWith('/') ? directory : `${directory}/`;
  try {
    for (let entry = entries.readSync(); entry; entry = entries.readSync()) {
      const name = decodePath(entry.name as unknown as Buffer);
      const base = tempBase(name);
      if (base === undefined) continue;
      const stat = lstatSync(fsPath(parent + name), { bigint: true, throwIfNoEntry: false });
      // A directory of a tree that was on its way has such a name too.
      if (stat?.isFile() || stat?.isDirectory()) found.push({ path: parent + name, target: parent + base, stat });
    }
  } finally {
    entries.closeSync();
  }
  return found.sort((one, other) => (one.path < other.path ? -1 : 1));
}

/** A writer has its temp file open until it is in place. The kernel knows best; else /proc does, as far as it may be read. */
function writerOf(path: string, stat: BigIntStats, openers: Openers | undefined): 'gone' | 'live' | 'unknown' {
  if (openers && openers.processes.length > 0) return 'live';
  const written = isWritten(path, stat);
  if (written !== undefined) return written ? 'live' : 'gone';
  if (!openers) return 'unknown';
  return openers.notPermitted === 0 || !hiddenWriters() ? 'gone' : 'unknown';
}

/** What the kernel says; undefined: without native calls, or of another's file, it says nothing. */
function isWritten(path: string, { ino }: BigIntStats): boolean | undefined {
  const calls = native();
  if (!calls) return undefined;
  let fd: number | undefined;
  try {
    fd = openSync(fsPath(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    return fstatSync(fd, { bigint: true }).ino === ino ? calls.files.hasWriters(fd) : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Of the processes whose files we may not see, could any be a writer? Only Node runs us, and what a command line says is no secret. */
function hiddenWriters(): boolean {
  for (const pid of processes()) {
    if (!isUnknown(descriptorsOf(pid))) continue;
    const words = argumentsOf(pid);
    // No words at all: a kernel thread, which writes no files of ours.
    if (words.some((word) => /sluice|node|bun|deno|electron/.test(word))) return true;
  }
  return false;
}
