// Who owns a file, who may use it, and when it was changed: set on a descriptor, in the order that never lets more people
// in than the end result does.

import { fchmodSync, fchownSync, futimesSync, lchownSync, lutimesSync } from 'node:fs';
import { aclUnderMode, groupRights } from './acl.js';
import { isSystemError } from './failure.js';
import { native } from './native.js';
import { fsPath } from './path.js';
import { carefulMode, modeUnderUnseenAcl } from './unseen-acl.js';
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
  /** The file, open or by its path, whose ACL is to stay, where there are no native calls to read it with. */
  aclModel?: number | string | undefined;
  /** Without native calls: the file's directory has a default ACL, so that the file has one, too. */
  inherits?: boolean | undefined;
  /** Extended attributes to add. */
  xattrs?: ReadonlyMap<string, Buffer> | undefined;
  /** Extended attributes that should be among them but could not be read. */
  unread?: number | undefined;
  /** Whether there are any extended attributes to add, nobody can say. */
  unreadable?: boolean | undefined;
}

/** What could not be kept, by kind: counted and told at the end. */
export type Loss = 'owner' | 'mode' | 'timestamp' | 'xattr' | 'unread xattr set' | 'hard link' | 'device';

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
        if (!kept.gid) mode = carefulMode(mode);
      }
    }
  }
  loseXattrs(lost, fd, attributes);
  if (attributes.acl !== undefined) {
    const { acl } = attributes;
    // Set as the mode leaves it: at no moment is anyone let in whom the end result keeps out.
    if (!writeAccessAcl(fd, acl && (mode === undefined ? acl : aclUnderMode(acl, mode)))) {
      lost.push('xattr');
      // Without the ACL the group bits, which were its mask, are the group's own.
      if (mode !== undefined && acl) mode &= ~0o070 | (groupRights(acl) << 3);
    }
  }
  if (attributes.acl === undefined && attributes.aclModel !== undefined && mode !== undefined && !native()) {
    const under = modeUnderUnseenAcl(attributes.aclModel, fd, mode, !lost.includes('owner'), attributes.inherits);
    if (!under.whole) lost.push('xattr');
    mode = under.mode;
  }
  if (mode !== undefined) {
    try {
      fchmodSync(fd, mode);
    } catch (error) {
      if (!isSystemError(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error;
      lost.push('mode');
    }
  }
  if (atimeNs !== undefined && mtimeNs !== undefined && !setTimes(fd, atimeNs, mtimeNs)) lost.push('timestamp');
  return lost;
}

/** The same for a symlink itself, by its path: owner, extended attributes, times. A link has no mode of its own. */
export function applyLinkAttributes(path: string, attributes: Attributes): Loss[] {
  const lost: Loss[] = [];
  const { uid, gid, atimeNs, mtimeNs } = attributes;
  if (uid !== undefined && gid !== undefined) {
    try {
      lchownSync(fsPath(path), uid, gid);
    } catch (error) {
      if (!isSystemError(error, 'EPERM', 'EINVAL', 'ENOTSUP', 'ENOSYS')) throw error;
      lost.push('owner');
    }
  }
  loseXattrs(lost, path, attributes);
  if (atimeNs !== undefined && mtimeNs !== undefined && !setTimes(path, atimeNs, mtimeNs)) lost.push('timestamp');
  return lost;
}

function loseXattrs(lost: Loss[], target: number | string, { xattrs, unread, unreadable }: Attributes): void {
  const refused = xattrs?.size ? writeXattrs(target, xattrs) : 0;
  for (let i = 0; i < refused + (unread ?? 0); i++) lost.push('xattr');
  if (unreadable) lost.push('unread xattr set');
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
 * Sets both times of an open file, or of a path (a link's own). Node's futimes keeps microseconds, and of times before 1970 milliseconds: where that is not enough, native
 * calls. False if the file system refuses, or digits of the modification time were lost.
 */
function setTimes(target: number | string, atimeNs: bigint, mtimeNs: bigint): boolean {
  const exact = (ns: bigint) => ns % (ns < 0n ? 1_000_000n : 1000n) === 0n;
  try {
    const calls = exact(atimeNs) && exact(mtimeNs) ? null : native();
    if (calls) {
      calls.times.set(target, atimeNs, mtimeNs);
      return true;
    }
    if (typeof target === 'number') futimesSync(target, timeOf(atimeNs), timeOf(mtimeNs));
    else lutimesSync(fsPath(target), timeOf(atimeNs), timeOf(mtimeNs));
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

/** The mode of a new file made like one with `mode`: no set-id bits, less the umask. */
export const newFileMode = (mode: number): number => mode & 0o777 & ~process.umask();
