// Directories that a walk must not enter, since it would never come out.

import type { Failed } from './copy-entry.js';
import { type Facts, sameFile } from './facts.js';
import type { Node } from './node.js';

/** Met below `node`: the destination itself; or, where symlinks are followed, a directory that `node` lies in. */
export function leadsBack(
  node: Node,
  facts: Facts,
  destination: Facts | null,
  follow: boolean,
): 'to the destination' | Failed | null {
  if (destination && sameFile(facts, destination)) return 'to the destination';
  if (!follow) return null;
  for (let above: Node | null = node; above; above = above.parent) {
    if (!sameFile(above.source, facts)) continue;
    return {
      message: 'is a symlink to a directory it lies in',
      code: 'ELOOP',
      syscall: undefined,
      side: 'source',
      state: 'nothing was copied from it',
    };
  }
  return null;
}
