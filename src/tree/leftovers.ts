// Temp files in a tree: is somebody still at work on them? What other processes have open is looked up in /proc.

import { readdirSync, statSync } from 'node:fs';
import { type Facts, sameFile } from './facts.js';
import { places } from './place.js';
import { nameOf, parentOf, type Tree } from './tree.js';

/** Asks once for all that it is asked about: to be made when the answer is wanted. */
export class Leftovers {
  readonly #tree: Tree;
  #open: Set<string> | undefined;

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  /**
   * Is the temp file that was met at `path` still there, and its writer gone? Not where a process has it open, or one of the
   * directories it is in: a closed file may wait for its name. Another user's is his to remove, unless we are root: we cannot
   * see what he does.
   */
  has(path: string, met: Facts): boolean {
    const uid = process.geteuid?.() ?? 0;
    if (uid !== 0 && met.uid !== uid) return false;
    try {
      const there = places().stat(this.#tree.at(parentOf(path)), nameOf(path));
      if (!there || !sameFile(there, met)) return false;
      this.#open ??= openElsewhere();
      if (this.#open.has(identity(there))) return false;
      for (let directory = path; directory !== ''; ) {
        directory = parentOf(directory);
        if (this.#open.has(identity(places().statOpen(this.#tree.at(directory).fd)))) return false;
      }
      return true;
    } catch {
      return false; // Its directory is gone, or no longer one.
    }
  }
}

const identity = ({ dev, ino }: { dev: number; ino: number }): string => `${dev}:${ino}`;

/** Files and directories that other processes have open, as far as we may look. */
function openElsewhere(): Set<string> {
  const found = new Set<string>();
  for (const pid of list('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    for (const fd of list(`/proc/${pid}/fd`)) {
      try {
        const stat = statSync(`/proc/${pid}/fd/${fd}`);
        if (stat.isFile() || stat.isDirectory()) found.add(identity(stat));
      } catch {
        // Closed meanwhile.
      }
    }
  }
  return found;
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // Ended meanwhile, somebody else's, or a system without /proc.
  }
}
