// Extended attributes, ACLs among them: compared, and carried over. Only native calls know of them.

import { isSystemError } from '../io/failure.js';
import { native } from '../io/native.js';
import { type Place, places } from './place.js';

type Target = number | string;

const unsupported = ['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'] as const;

/** Names that are the system's own to keep, different on every copy. */
const notOurs = /^(system\.(?!posix_acl)|security\.(selinux|ima|evm|apparmor)|trusted\.overlay|btrfs\.)/;

function namesOf(target: Target): string[] {
  const calls = native();
  if (!calls) return [];
  try {
    return calls.xattrs
      .list(target)
      .filter((name) => !notOurs.test(name))
      .sort();
  } catch (error) {
    if (isSystemError(error, ...unsupported)) return [];
    throw error;
  }
}

/** Have two entries, not followed, the same attributes? True where they cannot be known. */
export function sameXattrs(one: Place, oneName: string, other: Place, otherName: string): boolean {
  const calls = native();
  if (!calls) return true;
  const [a, b] = [places().pathOf(one, oneName), places().pathOf(other, otherName)];
  const names = namesOf(a);
  const others = namesOf(b);
  if (names.length !== others.length || names.some((name, i) => name !== others[i])) return false;
  return names.every((name) => {
    const [x, y] = [calls.xattrs.get(a, name), calls.xattrs.get(b, name)];
    return x !== null && y !== null && x.equals(y);
  });
}

/**
 * Give `to` the attributes of `from` (descriptors, or paths whose last symlink is not followed), and take away those that
 * `from` has not. Returns how many could not be kept.
 */
export function carryXattrs(from: Target, to: Target, exact = true): number {
  const calls = native();
  if (!calls) return 0;
  const names = namesOf(from);
  let lost = 0;
  const refused = [...unsupported, 'EPERM', 'EACCES', 'EINVAL', 'ENOSPC', 'E2BIG', 'ERANGE'] as const;
  for (const name of names) {
    const value = calls.xattrs.get(from, name);
    if (value === null) continue;
    try {
      calls.xattrs.set(to, name, value);
    } catch (error) {
      if (!isSystemError(error, ...refused)) throw error;
      lost++;
    }
  }
  if (!exact) return lost;
  for (const name of namesOf(to)) {
    if (names.includes(name)) continue;
    try {
      calls.xattrs.remove(to, name);
    } catch (error) {
      if (!isSystemError(error, ...refused)) throw error;
    }
  }
  return lost;
}
