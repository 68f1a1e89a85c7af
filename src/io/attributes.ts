// Who owns a file, who may use it, and when it was changed: set on a descriptor, in the order that never lets more people
// in than the end result does.

import { fchmodSync, fchownSync, futimesSync } from 'node:fs';
import { isSystemError } from './failure.js';

export interface Attributes {
  /** All twelve bits. Given exactly: the umask is not applied. */
  mode?: number | undefined;
  uid?: number | undefined;
  gid?: number | undefined;
  /** Nanoseconds since 1970, negative before. Both or neither. */
  atimeNs?: bigint | undefined;
  mtimeNs?: bigint | undefined;
}

/** What could not be kept, by kind: counted and told at the end. */
export type Loss = 'owner' | 'mode' | 'timestamps' | 'xattr' | 'hard link';

const setIdBits = 0o6000;

/**
 * Set `attributes` on an open file that is still closed to others (mode 0600). Owner first, since chown clears set-id
 * bits; then the mode; times last. An owner or group that cannot be given costs the set-id bits, and the group's rights
 * where the group is another one, so that nobody gains any. Returns what was lost; throws the system's error for
 * anything but a lack of permission or support.
 */
export function applyAttributes(fd: number, current: { uid: number; gid: number }, attributes: Attributes): Loss[] {
  const lost: Loss[] = [];
  const { uid = current.uid, gid = current.gid, atimeNs, mtimeNs } = attributes;
  let { mode } = attributes;
  if (uid !== current.uid || gid !== current.gid) {
    const kept = changeOwner(fd, current, uid, gid);
    if (!kept.uid || !kept.gid) {
      lost.push('owner');
      if (mode !== undefined) {
        mode &= ~setIdBits;
        if (!kept.gid) mode &= ~0o070 | ((mode & 0o007) << 3);
      }
    }
  }
  if (mode !== undefined) {
    try {
      fchmodSync(fd, mode);
    } catch (error) {
      if (!isSystemError(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error;
      lost.push('mode');
    }
  }
  if (atimeNs !== undefined && mtimeNs !== undefined && !setTimes(fd, atimeNs, mtimeNs)) lost.push('timestamps');
  return lost;
}

/** Both at once; else the group alone, which a member of it may give. */
function changeOwner(
  fd: number,
  current: { uid: number; gid: number },
  uid: number,
  gid: number,
): { uid: boolean; gid: boolean } {
  for (const [asUid, asGid] of [
    [uid, gid],
    [current.uid, gid],
  ] as const) {
    if (asUid === current.uid && asGid === current.gid) break;
    try {
      fchownSync(fd, asUid, asGid);
      return { uid: asUid === uid, gid: true };
    } catch (error) {
      if (!isSystemError(error, 'EPERM', 'EINVAL', 'ENOTSUP', 'ENOSYS')) throw error;
    }
  }
  return { uid: uid === current.uid, gid: gid === current.gid };
}

/** Sets both times to the microsecond, which is what Node can. False if the file system refuses, or digits were lost. */
function setTimes(fd: number, atimeNs: bigint, mtimeNs: bigint): boolean {
  try {
    // Seconds as a double: 52 bits hold microseconds until the year 2112. Through a Date a negative number would be
    // rounded to milliseconds; as a number Node takes it for "now".
    futimesSync(fd, timeOf(atimeNs), timeOf(mtimeNs));
    return mtimeNs % 1000n === 0n && mtimeNs >= 0n;
  } catch (error) {
    if (isSystemError(error, 'EPERM', 'ENOTSUP', 'ENOSYS', 'EINVAL')) return false;
    throw error;
  }
}

const timeOf = (ns: bigint): number | Date => (ns < 0n ? new Date(Number(ns / 1_000_000n)) : Number(ns / 1000n) / 1e6);

/** The mode of a new file made like one with `mode`: no set-id bits, less the umask. */
export const newFileMode = (mode: number): number => mode & 0o777 & ~process.umask();
