// A name that is no longer wanted.

import { unlinkSync } from 'node:fs';
import { fsPath } from './path.js';

/** Never throws: what stays is of no harm, or the next step finds it. */
export function removeQuietly(path: string): void {
  try {
    unlinkSync(fsPath(path));
  } catch {
    // Gone already, or in a directory that has become read-only.
  }
}
