// Is a descriptor a terminal? Asked at every start, and answered without what takes longer than a small copy.

import { fstatSync } from 'node:fs';
import { createRequire } from 'node:module';

/** False too for what is closed. */
export function isTerminal(fd: number): boolean {
  try {
    const { rdev, mode } = fstatSync(fd);
    // A character device, but not one of major number 1: /dev/null and its like.
    if ((mode & 0o170000) !== 0o020000 || rdev >> 8 === 1) return false;
  } catch {
    return false;
  }
  // node:tty brings all of node:net with it: it is loaded for real candidates only.
  return (createRequire(import.meta.url)('node:tty') as typeof import('node:tty')).isatty(fd);
}
