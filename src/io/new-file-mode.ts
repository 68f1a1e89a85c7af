// The mode that a new file gets where it is made.

import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { newFileMode } from './attributes.js';
import { fsPath } from './path.js';
import { removeQuietly } from './remove-quietly.js';
import { tempName } from './temp-name.js';

const { O_WRONLY, O_CREAT, O_EXCL, O_DIRECTORY = 0, O_NOFOLLOW = 0 } = constants;
/** Linux's O_TMPFILE, which Node has no name for: a file without a name. */
const nameless = process.platform === 'linux' ? O_WRONLY | O_DIRECTORY | 0o20000000 : undefined;

/**
 * The mode of a new file at `path`. In a directory with a default ACL that says who may use it, and the umask counts for nothing: a
 * file of no content shows what the system makes of it. `umask`: the process's, where it is known: to ask for it is to change it for a moment.
 */
export function modeHere(path: string, newMode: number, umask?: number): number {
  const mode = umask === undefined ? newFileMode(newMode) : newMode & 0o777 & ~umask;
  if ((mode & 0o077) === 0) return mode;
  // One without a name is enough to see that there is no such ACL. Some systems forget the umask of it, so another mode
  // is not believed.
  if (nameless !== undefined && modeMade(dirname(path), nameless, newMode) === mode) return mode;
  const probe = tempName(path);
  const made = modeMade(probe, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, newMode);
  if (made !== undefined) removeQuietly(probe);
  return made ?? mode;
}

function modeMade(path: string, flags: number, newMode: number): number | undefined {
  try {
    const fd = openSync(fsPath(path), flags, newMode & 0o777);
    try {
      return fstatSync(fd).mode & 0o777;
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}
