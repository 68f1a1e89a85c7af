// Whose an entry is, who may use it, when it was changed, and its extended attributes: set on what was just made, in the
// order that never lets more people in than the end result does.

import { fchmodSync, fchownSync } from 'node:fs';
import type { Loss } from '../io/attributes.js';
import { isSystemError } from '../io/failure.js';
import { type Facts, mtimeNs } from './facts.js';
import { type Place, places, type Time } from './place.js';
import { carryXattrs } from './xattrs.js';

/** What is kept of a source: plain data, workers get it too. */
export interface Keep {
  mode: boolean;
  owner: boolean;
  /** Modification times; `accessed` too. */
  times: boolean;
  accessed: boolean;
  xattrs: boolean;
  /** The process's umask, asked for once: to ask is to change it for a moment. */
  umask: number;
  /** The effective user. */
  uid: number;
}

/** The attributes that an entry is to get: the source's as far as they are kept, else those of what it replaces. */
export function modeOf(source: Facts, existing: Facts | null, keep: Keep): number {
  if (keep.mode) {
    // Not our own, and not to become its owner's: the bits would speak of somebody else.
    const foreign = !keep.owner && source.uid !== keep.uid && source.kind !== 'directory';
    return foreign ? source.mode & ~0o6000 : source.mode;
  }
  if (existing && existing.kind === source.kind) return existing.mode;
  return source.mode & (source.kind === 'directory' ? 0o1777 : 0o777) & ~keep.umask;
}

function ownerOf(source: Facts, existing: Facts | null, keep: Keep): { uid: number; gid: number } | null {
  if (keep.owner) return source;
  return existing && existing.kind === source.kind ? existing : null;
}

const timesOf = (source: Facts, keep: Keep): [Time, Time] => [
  keep.accessed ? source.accessed : undefined,
  mtimeNs(source),
];

/**
 * Dress a file or directory by its descriptor. It is closed to others (0600, 0700) until the mode is set. `from` is where
 * extended attributes come from: the source's descriptor, or the path of what is replaced. Returns what was lost; throws
 * the system's error for anything but a lack of permission or support.
 */
export function dressOpen(
  fd: number,
  source: Facts,
  existing: Facts | null,
  from: number | string | null,
  keep: Keep,
): Loss[] {
  const lost: Loss[] = [];
  let mode = modeOf(source, existing, keep);
  const owner = ownerOf(source, existing, keep);
  if (owner) mode = own(fd, owner, mode, lost);
  if (from !== null) for (let count = carryXattrs(from, fd); count > 0; count--) lost.push('xattr');
  fchmodSync(fd, mode);
  if (keep.times) setTimes(() => places().setOpenTimes(fd, ...timesOf(source, keep)), source, lost);
  return lost;
}

/** As `dressOpen`, by name: for links and special files, and for what stays in place. `from` is a path. */
export function dressNamed(at: Place, name: string, source: Facts, from: string | null, keep: Keep): Loss[] {
  const lost: Loss[] = [];
  let mode = modeOf(source, null, keep);
  if (keep.owner) {
    try {
      places().changeOwner(at, name, source.uid, source.gid);
    } catch (error) {
      if (!isSystemError(error, ...refused)) throw error;
      lost.push('owner');
      mode = unowned(mode, false);
    }
  }
  if (from !== null)
    for (let count = carryXattrs(from, places().pathOf(at, name)); count > 0; count--) lost.push('xattr');
  if (source.kind !== 'symlink') places().changeMode(at, name, mode);
  if (keep.times) setTimes(() => places().setTimes(at, name, ...timesOf(source, keep)), source, lost);
  return lost;
}

const refused = ['EPERM', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'] as const;

/** Both at once; else the group alone, which a member of it may give. Returns the mode that is safe then. */
function own(fd: number, { uid, gid }: { uid: number; gid: number }, mode: number, lost: Loss[]): number {
  const now = places().statOpen(fd);
  if (now.uid === uid && now.gid === gid) return mode;
  try {
    fchownSync(fd, uid, gid);
    return mode;
  } catch (error) {
    if (!isSystemError(error, ...refused)) throw error;
  }
  lost.push('owner');
  if (now.gid === gid) return unowned(mode, true);
  try {
    fchownSync(fd, now.uid, gid);
    return unowned(mode, true);
  } catch (error) {
    if (!isSystemError(error, ...refused)) throw error;
  }
  return unowned(mode, false);
}

/** Somebody else's file now: no set-id bits; and where the group is another one, no more for it than for all. */
const unowned = (mode: number, sameGroup: boolean): number =>
  sameGroup ? mode & ~0o6000 : mode & ~0o6000 & (~0o070 | ((mode & 0o007) << 3));

function setTimes(set: () => void, source: Facts, lost: Loss[]): void {
  try {
    set();
    const { after1970, before1970 } = places().blur;
    const unit = (source.seconds < 0 ? before1970 : after1970 && 1000) || 1;
    if (source.nanoseconds % unit !== 0) lost.push('timestamps');
  } catch (error) {
    if (!isSystemError(error, ...refused, 'EACCES')) throw error;
    lost.push('timestamps');
  }
}
