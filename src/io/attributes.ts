// Who owns a file, who may use it, and when it was changed: set on a descriptor, in the order that never lets more people
// in than the end result does.

import { fchmodSync, fchownSync, futimesSync } from 'node:fs';
import { aclUnderMode, groupRights } from './acl.js';
import { isSystemError } from './failure.js';
import { native } from './native.js';
import { writeAccessAcl, writeXattrs } from './xattrs.js';

export interface Attributes {
  /** All twelve bits. Given exactly: the umask is not applied. */
  mode?: number | undefined;
  uid?: number | undefined;
  gid?: number | undefined;
  /** Nanoseconds since 1970, negative before. Both or neither. */
  atimeNs?: bigint | undefined;
  mtimeNs?: bigint | undefined;
  /** The access ACL, brought under `mode`; null = there is to be none. Not given: the one that is there stays. */
  acl?: Buffer | null | undefined;
  /** Extended attributes to add. */
  xattrs?: ReadonlyMap<string, Buffer> | undefined;
  /** Extended attributes that should be among them but could not be read. */
  unread?: number | undefined;
  /** Whether there are any extended attributes to add, nobody can say. */
  unreadable?: boolean | undefined;
}

/** What could not be kept, by kind: counted and told at the end. */
export type Loss = 'owner' | 'mode' | 'timestamps' | 'xattr' | 'unread xattr set' | 'hard link' | 'device';

const setIdBits = 0o6000;

/**
 * Set `attributes` on an open file that is still closed to others (mode 0600). Owner first, since chown clears set-id
 * bits and capabilities; then extended attributes and the ACL; then the mode; times last. An owner or group that cannot be given costs the set-id bits, and the group's rights
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
  if (attributes.xattrs?.size) add(lost, 'xattr', writeXattrs(fd, attributes.xattrs));
  add(lost, 'xattr', attributes.unread ?? 0);
  if (attributes.unreadable) lost.push('unread xattr set');
  if (attributes.acl !== undefined) {
    const { acl } = attributes;
    // Set as the mode leaves it: at no moment is anyone let in whom the end result keeps out.
    if (!writeAccessAcl(fd, acl && (mode === undefined ? acl : aclUnderMode(acl, mode)))) {
      lost.push('xattr');
      // Without the ACL the group bits, which were its mask, are the group's own.
      if (mode !== undefined && acl) mode &= ~0o070 | (groupRights(acl) << 3);
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

/**
 * Sets both times. Node's futimes keeps microseconds, and of times before 1970 milliseconds: where that is not enough, native
 * calls. False if the file system refuses, or digits of the modification time were lost.
 */
function setTimes(fd: number, atimeNs: bigint, mtimeNs: bigint): boolean {
  const exact = (ns: bigint) => ns % (ns < 0n ? 1_000_000n : 1000n) === 0n;
  try {
    const calls = exact(atimeNs) && exact(mtimeNs) ? null : native();
    if (calls) {
      calls.times.set(fd, atimeNs, mtimeNs);
      return true;
    }
    futimesSync(fd, timeOf(atimeNs), timeOf(mtimeNs));
    return exact(mtimeNs);
  } catch (error) {
    if (isSystemError(error, 'EPERM', 'ENOTSUP', 'ENOSYS', 'EINVAL')) return false;
    throw error;
  }
}

/**
 * What futimes takes. Seconds as a double hold microseconds until the year 2112, but libuv cuts them off instead of rounding: half of
 * one more makes up for that. A negative number means "now" to Node, a Date does not.
 */
const timeOf = (ns: bigint): number | Date =>
  ns < 0n
    ? new Date(Number(ns / 1_000_000n))
    : ns % 1_000_000_000n === 0n
      ? Number(ns / 1_000_000_000n)
      : (Number(ns / 1000n) + 0.5) / 1e6;

function add(lost: Loss[], what: Loss, count: number): void {
  for (let i = 0; i < count; i++) lost.push(what);
}

/** The mode of a new file made like one with `mode`: no set-id bits, less the umask. */
export const newFileMode = (mode: number): number => mode & 0o777 & ~process.umask();
