// Is what the destination has what the source has? The rules of `sync`, entry by entry.

import { closeSync, constants, readSync } from 'node:fs';
import type { Verb } from './action.js';
import { sameXattrs } from './dress.js';
import { type Facts, mtimeNs } from './facts.js';
import { type Place, places } from './place.js';

export interface CompareSettings {
  /** Compare content instead of size and time. */
  checksum: boolean;
  /** Milliseconds by which times may differ and still be the same. */
  window: number;
  /** Owners are compared (and set): as root. */
  owners: boolean;
  xattrs: boolean;
  /** The effective user, for the set-id bits of somebody else's files. */
  uid: number;
}

export interface Difference {
  action: Verb;
  reason: string;
}

/** Two entries of one kind, without their content; null = nothing to do. Content is compared by the caller where `checksum` asks for it. */
export function difference(
  source: Facts,
  target: Facts,
  at: { source: Place; target: Place; name: string },
  settings: CompareSettings,
): Difference | null {
  const { checksum } = settings;
  const sameTime = sameTimes(source, target, settings.window);
  switch (source.kind) {
    case 'file':
      if (source.size !== target.size) return { action: 'update', reason: 'size' };
      if (!sameTime && !checksum) return { action: 'update', reason: 'mtime' };
      break;
    case 'symlink':
      if (places().readLink(at.source, at.name) !== places().readLink(at.target, at.name))
        return { action: 'update', reason: 'link target' };
      break;
    case 'character':
    case 'block':
      if (source.rdev !== target.rdev) return { action: 'update', reason: 'device number' };
      break;
    default:
  }
  if (source.kind !== 'symlink' && modeFor(source, settings) !== target.mode)
    return { action: 'metadata', reason: 'mode' };
  if (settings.owners && (source.uid !== target.uid || source.gid !== target.gid))
    return { action: 'metadata', reason: 'owner' };
  if (!sameTime) return { action: 'metadata', reason: 'mtime' };
  if (settings.xattrs && !sameXattrs(places().pathOf(at.source, at.name), places().pathOf(at.target, at.name)))
    return { action: 'metadata', reason: 'xattrs' };
  return null;
}

/** The mode that the destination is to have: set-id bits only where the owner stays the one that they speak of. */
export function modeFor(source: Facts, { owners, uid }: Pick<CompareSettings, 'owners' | 'uid'>): number {
  return owners || source.uid === uid || source.kind === 'directory' ? source.mode : source.mode & ~0o6000;
}

function sameTimes(source: Facts, target: Facts, window: number): boolean {
  if (source.seconds === target.seconds && source.nanoseconds === target.nanoseconds) return true;
  const apart = mtimeNs(source) - mtimeNs(target);
  const { after1970, before1970 } = places().blur;
  const blur = Math.max(source.seconds < 0 ? before1970 : after1970, window * 1e6);
  return (apart < 0n ? -apart : apart) <= BigInt(Math.round(blur));
}

const step = 1 << 18;
let room: [Buffer, Buffer] | undefined;

/** Have two files of one size the same bytes? Yields from time to time. */
export function* sameContent(source: Place, target: Place, name: string, follow: boolean): Generator<void, boolean> {
  room ??= [Buffer.allocUnsafeSlow(step), Buffer.allocUnsafeSlow(step)];
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const one = places().open(source, name, flags, 0, follow);
  try {
    const other = places().open(target, name, flags);
    try {
      for (let steps = 1; ; steps++) {
        const [a, b] = [fill(one, room[0]), fill(other, room[1])];
        if (a !== b || Buffer.compare(room[0].subarray(0, a), room[1].subarray(0, b)) !== 0) return false;
        if (a < step) return true;
        if (steps % 16 === 0) yield;
      }
    } finally {
      closeSync(other);
    }
  } finally {
    closeSync(one);
  }
}

/** Bytes read: fewer than the buffer holds only at the end. */
function fill(fd: number, buffer: Buffer): number {
  let at = 0;
  while (at < buffer.length) {
    const count = readSync(fd, buffer, at, buffer.length - at, null);
    if (count === 0) break;
    at += count;
  }
  return at;
}
