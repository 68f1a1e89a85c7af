// The mode that a new entry gets where no mode is kept: the source's less the umask; in a directory with a default ACL, which
// counts in the umask's place, less what that denies. And who may have an ACL at all, where nobody can read them.

import { modeUnderDefaultAcl } from '../io/acl.js';
import { native } from '../io/native.js';
import { modeHere } from '../io/new-file-mode.js';
import { hasAclIn } from '../io/unseen-acl.js';
import { readDefaultAcl } from '../io/xattrs.js';
import { type Place, places } from './place.js';

const limits = new WeakMap<Place, number>();

/** The permission bits that an entry made in this directory can have at most. Asked for once while it is open. */
export function limitIn(directory: Place, umask: number): number {
  let limit = limits.get(directory);
  if (limit === undefined) {
    const acl = readDefaultAcl(directory.fd);
    if (acl) limit = modeUnderDefaultAcl(acl);
    else if (acl === null) limit = 0o777 & ~umask;
    else limit = modeHere(places().pathOf(directory, 'new'), 0o777, umask);
    limits.set(directory, limit);
  }
  return limit;
}

/** For mkdir(2), which brings it under the umask or the default ACL. As with cp the umask has a word on writing in any case. */
export const newDirectoryMode = (source: number, umask: number): number => (source & 0o1777 & ~(umask & 0o022)) | 0o700;

const marks = new WeakMap<Place, { any: boolean; own: boolean }>();

/** ACLs without native calls: may an entry of this directory have one (`any`), and what is made in it (`own`)? True where nobody knows. */
export function unseenAcls(directory: Place): { any: boolean; own: boolean } {
  if (native() || process.platform !== 'linux') return none;
  let found = marks.get(directory);
  if (!found) {
    const { any = true, own = true } = hasAclIn(directory.fd);
    found = { any, own };
    marks.set(directory, found);
  }
  return found;
}

const none = { any: false, own: false };
