// Who has the ends of a pipe open: found in /proc by the pipe's inode.

import { statSync } from 'node:fs';
import { isUnknown, type Known, unknown } from './certainty.js';
import { accessIn } from './openers.js';
import { argumentsOf, descriptorsOf, fieldsOf, hasProc, processes, statOf } from './proc.js';

export interface Peer {
  pid: number;
  command: string;
  fd: number;
}

export interface Holders {
  readers: Peer[];
  writers: Peer[];
  /** Processes that may not be looked into; with any of them the lists may lack some. */
  notPermitted: number;
}

/** All holders of the pipe (or FIFO) with this identity but this process. */
export function holdersOf(pipe: { dev: bigint; ino: bigint }): Known<Holders> {
  if (!hasProc()) return unknown(`not told on ${process.platform}`);
  const holders: Holders = { readers: [], writers: [], notPermitted: 0 };
  const anonymous = `pipe:[${pipe.ino}]`;
  for (const pid of processes()) {
    if (pid === process.pid) continue;
    const descriptors = descriptorsOf(pid);
    if (descriptors === undefined) continue;
    if (isUnknown(descriptors)) {
      holders.notPermitted++;
      continue;
    }
    for (const { fd, link } of descriptors) {
      if (link !== anonymous && !(link.startsWith('/') && isSame(`/proc/${pid}/fd/${fd}`, pipe))) continue;
      const peer = { pid, command: argumentsOf(pid).join(' ') || (statOf(pid)?.comm ?? ''), fd };
      const fields = fieldsOf(`/proc/${pid}/fdinfo/${fd}`);
      const access = accessIn(
        fields === undefined || isUnknown(fields) ? 0 : Number.parseInt(fields.get('flags') ?? '0', 8),
      );
      if (access === 'read' || access === 'read-write') holders.readers.push(peer);
      if (access === 'write' || access === 'read-write') holders.writers.push(peer);
    }
  }
  return holders;
}

/** A FIFO's name leads to its inode, and asking for it opens nothing. */
function isSame(path: string, pipe: { dev: bigint; ino: bigint }): boolean {
  try {
    const stat = statSync(path, { bigint: true });
    return stat.isFIFO() && stat.ino === pipe.ino && stat.dev === pipe.dev;
  } catch {
    return false;
  }
}
