// Extended attributes of a file as a whole, read from one and written to another, with a count of what did not come along.

import { accessAcl, defaultAcl } from './acl.js';
import { isSystemError } from './failure.js';
import { type Native, native } from './native.js';
import { fsPath } from './path.js';

export interface Extended {
  /** All but the access ACL; a directory's default ACL is among them. */
  xattrs: ReadonlyMap<string, Buffer>;
  /** The access ACL, null if the mode says it all. */
  acl: Buffer | null;
  /** Attributes that are there but could not be read. */
  unread: number;
}

/**
 * What is never copied, as in libattr's xattr.conf: it belongs to the filesystem that made it, or is a signature over the inode.
 */
const skipped = /^(security\.evm|trusted\.SGI_|xfsroot\.|afs\.|user\.Beagle\.|system\.posix_acl_access$)/;

/** Refusals: by the filesystem, by lack of a privilege, by size. Anything else is thrown. */
const refusals = [
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EPERM',
  'EACCES',
  'EINVAL',
  'E2BIG',
  'ERANGE',
  'ENOSPC',
  'EDQUOT',
];

/**
 * The extended attributes of an open file, or of a path (a link's own). None where the filesystem has none; undefined without native
 * calls: nobody knows then.
 */
export function readExtended(target: number | string): Extended | undefined {
  const calls = native();
  if (!calls) return undefined;
  const where = typeof target === 'string' ? fsPath(target) : target;
  const xattrs = new Map<string, Buffer>();
  let unread = 0;
  let names: string[] = [];
  try {
    names = calls.xattrs.list(where);
  } catch (error) {
    if (!isSystemError(error, ...refusals)) throw error;
  }
  for (const name of names) {
    if (skipped.test(name)) continue;
    try {
      const value = calls.xattrs.get(where, name);
      if (value) xattrs.set(name, value);
    } catch (error) {
      if (!isSystemError(error, ...refusals)) throw error;
      unread++;
    }
  }
  return { xattrs, acl: readAcl(calls, where), unread };
}

/** The access ACL alone of an open file or path; null if the mode says it all; undefined without native calls. */
export function readAccessAcl(target: number | string): Buffer | null | undefined {
  const calls = native();
  return calls ? readAcl(calls, typeof target === 'string' ? fsPath(target) : target) : undefined;
}

/** The default ACL of an open directory; null if it has none; undefined without native calls. */
export function readDefaultAcl(fd: number): Buffer | null | undefined {
  const calls = native();
  return calls ? readAcl(calls, fd, defaultAcl) : undefined;
}

function readAcl(calls: Native, where: number | string | Buffer, name = accessAcl): Buffer | null {
  try {
    return calls.xattrs.get(where, name);
  } catch (error) {
    if (!isSystemError(error, ...refusals)) throw error;
    return null;
  }
}

/** Adds or replaces these attributes. How many were refused; one that has its value already never is. */
export function writeXattrs(target: number | string, xattrs: ReadonlyMap<string, Buffer>): number {
  const calls = native();
  if (!calls) return xattrs.size;
  const where = typeof target === 'string' ? fsPath(target) : target;
  let refused = 0;
  for (const [name, value] of xattrs) {
    try {
      // A label that the system has given (security.selinux) is often the right one, and not ours to set.
      if (name.startsWith('security.') && calls.xattrs.get(where, name)?.equals(value)) continue;
      calls.xattrs.set(where, name, value);
    } catch (error) {
      if (!isSystemError(error, ...refusals)) throw error;
      refused++;
    }
  }
  return refused;
}

/** Sets the access ACL; null takes away the one that a directory's default ACL has given. False if it was refused. */
export function writeAccessAcl(fd: number, acl: Buffer | null): boolean {
  const calls = native();
  if (!calls) return acl === null;
  try {
    if (acl) calls.xattrs.set(fd, accessAcl, acl);
    else calls.xattrs.remove(fd, accessAcl);
    return true;
  } catch (error) {
    if (!isSystemError(error, ...refusals)) throw error;
    return acl === null;
  }
}
