// How a finished temp file gets its name: over the old file, beside it, or only where there is none; and an old file a
// second name. Each in one step for everybody who looks.

import { type BigIntStats, linkSync, lstatSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { failure, isSystemError, SluiceError } from './failure.js';
import { native } from './native.js';
import { fsPath } from './path.js';
import { tempName } from './temp-name.js';

/** What link(2) says where there are no hard links, or none of this file. */
const noLinks = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

/** `temp` becomes `path`, and the old file stays under `name`. Where it can have no second name, the two change places first. */
export function renameKeeping(temp: string, path: string, name: string): void {
  try {
    keepAs(path, name);
  } catch (error) {
    const calls = isSystemError(error, ...noLinks) ? native() : null;
    if (!calls) throw error;
    calls.files.exchange(fsPath(temp), fsPath(path));
    try {
      renameSync(fsPath(temp), fsPath(name));
    } catch (failed) {
      calls.files.exchange(fsPath(temp), fsPath(path));
      throw failed;
    }
    return;
  }
  renameSync(fsPath(temp), fsPath(path));
}

/**
 * `temp` becomes `path` only if the file that it takes the place of passes `look`, which throws if not: the two change
 * places, and back. So nobody's file is lost who comes between the last look and a rename. On return the old file is
 * under `temp`. Gives false, and does nothing, where the system cannot do that.
 */
export function exchangeLooking(temp: string, path: string, look: (old: BigIntStats) => void): boolean {
  const calls = native();
  if (!calls) return false;
  const at = () => lstatSync(fsPath(temp), { bigint: true });
  const exchange = () => {
    const put = at();
    calls.files.exchange(fsPath(temp), fsPath(path));
    return put;
  };
  let last: BigIntStats;
  try {
    last = exchange();
  } catch (error) {
    if (isSystemError(error, 'EINVAL', 'ENOSYS')) return false;
    throw error;
  }
  try {
    look(at());
  } catch (refused) {
    // What is not what we have put there came later than what we put back now, and belongs there.
    for (let put = exchange(); !isSame(at(), last); put = exchange()) last = put;
    throw refused;
  }
  return true;
}

const isSame = (one: BigIntStats, other: BigIntStats): boolean => one.dev === other.dev && one.ino === other.ino;

/** `temp` becomes `path` too, if that name is free; false if not. link(2) fails then, which rename(2) does not; where there are no hard links, Linux has another call. */
export function linkNew(temp: string, path: string): boolean {
  try {
    try {
      linkSync(fsPath(temp), fsPath(path));
    } catch (error) {
      const calls = isSystemError(error, ...noLinks) ? native() : null;
      if (!calls) throw error;
      calls.files.renameNoReplace(fsPath(temp), fsPath(path));
    }
    return true;
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) return false;
    throw error;
  }
}

/** Have `path`'s file under `name` too, replacing what is there in one step. */
export function keepAs(path: string, name: string): void {
  // In a sticky directory another's file could get a second name, but neither it nor the first could be moved, or removed.
  const [file, directory] = [lstatSync(fsPath(path)), statSync(fsPath(dirname(path)))];
  const user = process.geteuid?.() ?? 0;
  if ((directory.mode & 0o1000) !== 0 && ![0, file.uid, directory.uid].some((uid) => uid === user))
    throw new SluiceError('operation not permitted in a sticky directory', { code: 'EPERM', path });
  const link = tempName(name);
  linkSync(fsPath(path), fsPath(link));
  try {
    renameSync(fsPath(link), fsPath(name));
  } catch (error) {
    unlinkSync(fsPath(link));
    throw failure(error, { path: name });
  }
  // Two names of one file: rename(2) then does nothing, and the temp name stays.
  if (lstatSync(fsPath(link), { throwIfNoEntry: false })) unlinkSync(fsPath(link));
}
