// Temp files in a tree: is somebody still at work on them? What a process has open is looked up in /proc.

import { readdirSync, statSync } from 'node:fs';
import type { Facts } from './facts.js';

let open: Set<string> | undefined;

/** Does any process that we may look at have this file open? Asked of /proc once a run. */
export function hasWriter({ dev, ino }: Facts): boolean {
  open ??= openFiles();
  return open.has(`${dev}:${ino}`);
}

function openFiles(): Set<string> {
  const found = new Set<string>();
  for (const pid of list('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    for (const fd of list(`/proc/${pid}/fd`)) {
      try {
        const stat = statSync(`/proc/${pid}/fd/${fd}`);
        if (stat.isFile()) found.add(`${stat.dev}:${stat.ino}`);
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
