// Whose an entry is, who may use it, when it was changed, and its extended attributes: set on what was just made, in the
// order that never lets more people in than the end result does.

import { accessAcl } from '../io/acl.js';
import { type Attributes, applyAttributes, type Loss } from '../io/attributes.js';
import { isSystemError } from '../io/failure.js';
import { native } from '../io/native.js';
import { fsPath } from '../io/path.js';
import { readAccessAcl, readExtended, writeXattrs } from '../io/xattrs.js';
import { atimeNs, type Facts, mtimeNs } from './facts.js';
import { type Place, places } from './place.js';

/** What is kept of a source: plain data, workers get it too. */
export interface Keep {
  mode: boolean;
  /** The access ACL, which goes with the mode. */
  acl: boolean;
  owner: boolean;
  times: boolean;
  xattrs: boolean;
  /** The process's umask, asked for once: to ask is to change it for a moment. */
  umask: number;
  /** The effective user. */
  uid: number;
}

/** The mode that an entry is to get: the source's if it is kept, else that of what it replaces, else a new one's. */
export function modeOf(source: Facts, existing: Facts | null, keep: Keep): number {
  if (keep.mode) {
    // Not our own, and not to become its owner's: the bits would speak of somebody else.
    const foreign = !keep.owner && source.uid !== keep.uid && source.kind !== 'directory';
    return foreign ? source.mode & ~0o6000 : source.mode;
  }
  if (existing && existing.kind === source.kind) return existing.mode;
  return source.mode & (source.kind === 'directory' ? 0o1777 : 0o777) & ~keep.umask;
}

/**
 * Dress a file or directory by its descriptor. It is closed to others until its mode is set. `from` is where extended attributes and
 * the ACL come from: the source's descriptor, or the path of what is replaced. Returns what was lost; throws the system's
 * error for anything but a lack of permission or support.
 */
export function dressOpen(
  fd: number,
  source: Facts,
  existing: Facts | null,
  from: { source: number; replaced: string | null },
  keep: Keep,
): Loss[] {
  const kept = existing && existing.kind === source.kind ? existing : null;
  if (!kept && !keep.owner && !keep.acl && !keep.xattrs && !keep.times) {
    // Nothing but a mode: the usual case of a plain copy.
    places().changeOpenMode(fd, modeOf(source, existing, keep));
    return nothing;
  }
  const attributes: Attributes = { mode: modeOf(source, existing, keep) };
  const owner = keep.owner ? source : kept;
  if (owner) Object.assign(attributes, { uid: owner.uid, gid: owner.gid });
  if (keep.acl) attributes.acl = readAccessAcl(from.source);
  else if (from.replaced !== null && !keep.mode) attributes.acl = readAccessAcl(from.replaced);
  if (keep.xattrs) Object.assign(attributes, extendedOf(from.source));
  else if (from.replaced !== null) attributes.xattrs = readExtended(from.replaced)?.xattrs;
  if (keep.times) Object.assign(attributes, { atimeNs: atimeNs(source), mtimeNs: mtimeNs(source) });
  return applyAttributes(fd, owner ? places().statOpen(fd) : keepOwner, attributes);
}

const nothing: Loss[] = [];

/** A directory's own attributes, once all in it is done. `opened`: it has another mode for the time of the work. */
export function dressDirectory(
  at: { source: () => number; target: number },
  source: Facts,
  existing: Facts | null,
  keep: Keep,
  opened: boolean,
): Loss[] {
  if (!keep.mode && !keep.owner && !keep.times && !keep.xattrs) {
    const mode = modeOf(source, existing, keep);
    if (opened || (!existing && (mode & 0o700) !== 0o700)) places().changeOpenMode(at.target, mode);
    return nothing;
  }
  const from = { source: at.source(), replaced: null };
  const lost = dressOpen(at.target, source, existing, from, keep);
  if (keep.xattrs) takeAwayXattrs(at.target, readExtended(from.source)?.xattrs ?? new Map());
  return lost;
}

/** Stands for whatever owner there is, where none is to be given. */
const keepOwner = { uid: -1, gid: -1 };

function extendedOf(from: number | string): Attributes {
  const extended = readExtended(from);
  return extended ? { xattrs: extended.xattrs, unread: extended.unread } : { unreadable: true };
}

/** As `dressOpen`, by name: for links and special files, and for what stays in place. `from` is the source's path. */
export function dressNamed(at: Place, name: string, source: Facts, from: string, keep: Keep): Loss[] {
  const lost: Loss[] = [];
  let mode = modeOf(source, null, keep);
  if (keep.owner) {
    try {
      places().changeOwner(at, name, source.uid, source.gid);
    } catch (error) {
      if (!isSystemError(error, ...refused)) throw error;
      lost.push('owner');
      mode &= ~0o6000 & (~0o070 | ((mode & 0o007) << 3));
    }
  }
  if (keep.xattrs) lost.push(...carryXattrs(from, places().pathOf(at, name)));
  if (source.kind !== 'symlink') places().changeMode(at, name, mode);
  if (!keep.times) return lost;
  try {
    places().setTimes(at, name, atimeNs(source), mtimeNs(source));
    const { after1970 } = places().blur;
    if (after1970 > 0 && source.nanoseconds % 1000 !== 0) lost.push('timestamps');
  } catch (error) {
    if (!isSystemError(error, ...refused, 'EACCES')) throw error;
    lost.push('timestamps');
  }
  return lost;
}

const refused = ['EPERM', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'] as const;

/** All attributes of `from` given to `to`, neither followed, and those taken away that `from` has not. */
function carryXattrs(from: string, to: string): Loss[] {
  const extended = readExtended(from);
  if (!extended) return ['unread xattr set'];
  const all = new Map(extended.xattrs);
  if (extended.acl) all.set(accessAcl, extended.acl);
  const lost = writeXattrs(to, all) + extended.unread;
  takeAwayXattrs(to, all);
  return new Array(lost).fill('xattr');
}

/** Remove the extended attributes that are not among `wanted`, where that is allowed; the access ACL of a path too. */
export function takeAwayXattrs(target: number | string, wanted: ReadonlyMap<string, Buffer>): void {
  const there = readExtended(target);
  const names = [...(there?.xattrs.keys() ?? []), ...(there?.acl && typeof target === 'string' ? [accessAcl] : [])];
  for (const name of names) {
    if (wanted.has(name) || name.startsWith('security.')) continue;
    try {
      native()?.xattrs.remove(typeof target === 'string' ? fsPath(target) : target, name);
    } catch (error) {
      if (!isSystemError(error, ...refused, 'EACCES')) throw error;
    }
  }
}

/** Have two entries, not followed, the same extended attributes? True where nobody can know. */
export function sameXattrs(one: string, other: string): boolean {
  const [a, b] = [readExtended(one), readExtended(other)];
  if (!a || !b) return true;
  if (a.xattrs.size !== b.xattrs.size || !sameBytes(a.acl, b.acl)) return false;
  for (const [name, value] of a.xattrs) if (!sameBytes(value, b.xattrs.get(name) ?? null)) return false;
  return true;
}

const sameBytes = (a: Buffer | null, b: Buffer | null): boolean => (a && b ? a.equals(b) : a === b);
