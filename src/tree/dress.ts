// Whose an entry is, who may use it, when it was changed, and its extended attributes: set on what was just made, in the
// order that never lets more people in than the end result does.

import { constants } from 'node:fs';
import { accessAcl } from '../io/acl.js';
import { type Attributes, applyAttributes, type Loss } from '../io/attributes.js';
import { isSystemError } from '../io/failure.js';
import { native } from '../io/native.js';
import { fsPath } from '../io/path.js';
import { carefulMode, modeUnderUnseenAcl } from '../io/unseen-acl.js';
import { readAccessAcl, readExtended, writeXattrs } from '../io/xattrs.js';
import { atimeNs, type Facts, mtimeNs } from './facts.js';
import { limitIn, newDirectoryMode, unseenAcls } from './new-mode.js';
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

/** Where something comes from and goes to. */
interface Way {
  source: Place;
  target: Place;
}

/** The mode that an entry in the directory `at` is to get: the source's if it is kept, else that of what it replaces, else a new one's. */
export function modeOf(source: Facts, existing: Facts | null, at: Place, keep: Keep): number {
  if (keep.mode) {
    // Not our own, and not to become its owner's: the bits would speak of somebody else.
    const foreign = !keep.owner && source.uid !== keep.uid && source.kind !== 'directory';
    return foreign ? source.mode & ~0o6000 : source.mode;
  }
  if (existing && existing.kind === source.kind) return existing.mode;
  const limit = limitIn(at, keep.umask);
  return source.kind === 'directory'
    ? newDirectoryMode(source.mode, keep.umask) & source.mode & (limit | 0o1000)
    : source.mode & limit;
}

/**
 * Dress a file or directory by its descriptor. It is closed to others until its mode is set. `from` is where extended attributes and
 * the ACL come from: the source, and the path of what is replaced. Returns what was lost; throws the system's
 * error for anything but a lack of permission or support.
 */
export function dressOpen(
  fd: number,
  source: Facts,
  existing: Facts | null,
  from: { source: number | string; replaced: string | null },
  way: Way,
  keep: Keep,
): Loss[] {
  const kept = existing && existing.kind === source.kind ? existing : null;
  if (!kept && !keep.owner && !keep.acl && !keep.xattrs && !keep.times) {
    // Nothing but a mode: the usual case of a plain copy.
    places().changeOpenMode(fd, modeOf(source, existing, way.target, keep));
    return nothing;
  }
  const attributes: Attributes & { mode: number } = { mode: modeOf(source, existing, way.target, keep) };
  if (source.kind === 'directory') attributes.mode |= inherited(fd, existing, keep);
  const owner = keep.owner ? source : kept;
  if (owner) Object.assign(attributes, { uid: owner.uid, gid: owner.gid });
  if (keep.acl) attributes.acl = readAccessAcl(from.source);
  else if (from.replaced !== null && !keep.mode) attributes.acl = readAccessAcl(from.replaced);
  const guarded = guardUnseen(attributes, from, way, source.kind, keep);
  if (keep.xattrs) Object.assign(attributes, extendedOf(from.source));
  else if (from.replaced !== null) attributes.xattrs = readExtended(from.replaced)?.xattrs;
  if (keep.times) Object.assign(attributes, { atimeNs: atimeNs(source), mtimeNs: mtimeNs(source) });
  const lost = applyAttributes(fd, owner ? places().statOpen(fd) : keepOwner, attributes);
  return guarded ? [...lost, 'xattr'] : lost;
}

const nothing: Loss[] = [];

/** The set-group-id bit that a new directory has from the one it is in, where no mode is kept. */
const inherited = (fd: number, existing: Facts | null, keep: Keep): number =>
  keep.mode || existing ? 0 : places().statOpen(fd).mode & 0o2000;

/** Without native calls the mode's group bits may be an ACL's mask, which nobody can read. True if some of them were left out for that. */
function guardUnseen(
  attributes: Attributes & { mode: number },
  from: { source: number | string; replaced: string | null },
  way: Way,
  kind: Facts['kind'],
  keep: Keep,
): boolean {
  const careful = carefulMode(attributes.mode);
  const aclModel = keep.acl ? from.source : keep.mode ? null : from.replaced;
  if (native() || careful === attributes.mode || aclModel === null) return false;
  const inherits = unseenAcls(way.target).own;
  const seen = unseenAcls(keep.acl ? way.source : way.target);
  if (kind !== 'directory') {
    if (inherits || seen.any) Object.assign(attributes, { aclModel, inherits });
    return false;
  }
  // Of one that keeps us out nobody can see it.
  if (!inherits && !seen.own && typeof from.source === 'number') return false;
  attributes.mode = careful;
  return true;
}

/** A directory as the source has it: open; or, where it keeps us out, its path, and the directory that it is in. */
export interface Model {
  place: Place;
  self: number | string;
}

/** A directory's own attributes, once all in it is done. `opened`: it has another mode for the time of the work. */
export function dressDirectory(
  at: { source: () => Model; target: Place },
  source: Facts,
  existing: Facts | null,
  keep: Keep,
  opened: boolean,
): Loss[] {
  const { fd } = at.target;
  if (!keep.mode && !keep.owner && !keep.times && !keep.xattrs) {
    if (!opened && (existing || (source.mode & ~keep.umask & 0o700) === 0o700)) return nothing;
    places().changeOpenMode(fd, modeOf(source, existing, at.target, keep) | inherited(fd, existing, keep));
    return nothing;
  }
  const { place, self } = at.source();
  const way = { source: place, target: at.target };
  const lost = dressOpen(fd, source, existing, { source: self, replaced: null }, way, keep);
  if (keep.xattrs) takeAwayXattrs(fd, readExtended(self)?.xattrs ?? new Map());
  return lost;
}

/** Stands for whatever owner there is, where none is to be given. */
const keepOwner = { uid: -1, gid: -1 };

function extendedOf(from: number | string): Attributes {
  const extended = readExtended(from);
  return extended ? { xattrs: extended.xattrs, unread: extended.unread } : { unreadable: true };
}

/** As `dressOpen`, by name: for links and special files, and for what stays in place. `as`: the entry's name in the target, or a temp name. */
export function dressNamed(way: Way, name: string, as: string, source: Facts, keep: Keep): Loss[] {
  const lost: Loss[] = [];
  const at = way.target;
  const from = places().pathOf(way.source, name);
  let mode = modeOf(source, null, at, keep);
  if (keep.owner) {
    try {
      places().changeOwner(at, as, source.uid, source.gid);
    } catch (error) {
      if (!isSystemError(error, ...refused)) throw error;
      lost.push('owner');
      mode = carefulMode(mode) & ~0o6000;
    }
  }
  if (keep.xattrs) lost.push(...carryXattrs(from, places().pathOf(at, as)));
  if (keep.acl && source.kind === 'file' && carefulMode(mode) !== mode && unseenAcls(way.source).any) {
    const under = modeOfUnseen(way, from, as, mode);
    mode = under.mode;
    if (!under.whole) lost.push('xattr');
  }
  if (source.kind !== 'symlink') places().changeMode(at, as, mode);
  if (!keep.times) return lost;
  try {
    places().setTimes(at, as, atimeNs(source), mtimeNs(source));
    const { after1970 } = places().blur;
    if (after1970 > 0 && source.nanoseconds % 1000 !== 0) lost.push('timestamp');
  } catch (error) {
    if (!isSystemError(error, ...refused, 'EACCES')) throw error;
    lost.push('timestamp');
  }
  return lost;
}

const refused = ['EPERM', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'] as const;

/** The ACL, where it can be carried by other programs, or a mode that does without. */
function modeOfUnseen(way: Way, from: string, name: string, mode: number): { mode: number; whole: boolean } {
  let fd: number;
  try {
    fd = places().open(way.target, name, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return { mode: carefulMode(mode), whole: false };
  }
  try {
    return modeUnderUnseenAcl(from, fd, mode, true, unseenAcls(way.target).any);
  } finally {
    places().closeFile(fd);
  }
}

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
