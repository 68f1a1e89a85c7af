// All processes at one moment, and the pipes between them.

import { closeSync, constants, lstatSync, openSync, statSync } from 'node:fs';
import { native } from '../io/native.js';
import { isUnknown, type Known, unknown } from './certainty.js';
import { argumentsOf, type Descriptor, descriptorsOf, type ProcessStat, processes, statOf } from './proc.js';
import { needsNative } from './storage-facts.js';

export interface Entry {
  pid: number;
  /** Read when it is asked for. */
  readonly stat: ProcessStat;
  /** Undefined: not permitted. */
  descriptors: Descriptor[] | undefined;
}

/** An end of a pipe that a process has open. */
export interface End {
  pid: number;
  fd: number;
}

export interface Pipe {
  /** `pipe:[123]`, or a FIFO's path. */
  name: string;
  readers: End[];
  writers: End[];
}

/** Who has these ends open, each once. */
export const pidsOf = (ends: End[]): number[] => [...new Set(ends.map(({ pid }) => pid))];

export class ProcessTable {
  readonly entries = new Map<number, Entry>();
  /** Processes whose descriptors may not be seen. */
  notPermitted = 0;
  readonly #holders = new Map<string, End[]>();
  readonly #pipes = new Map<string, Pipe>();
  #children: Map<number, number[]> | undefined;
  readonly #commands = new Map<number, string>();

  constructor() {
    for (const pid of processes()) {
      const descriptors = descriptorsOf(pid);
      if (descriptors === undefined) continue;
      const seen = isUnknown(descriptors) ? undefined : descriptors;
      if (!seen) this.notPermitted++;
      this.entries.set(pid, new LazyEntry(pid, seen));
      for (const { fd, link } of seen ?? []) {
        if (!isPipeName(link)) continue;
        const holders = this.#holders.get(link);
        if (holders) holders.push({ pid, fd });
        else this.#holders.set(link, [{ pid, fd }]);
      }
    }
  }

  /** Who holds the pipe of this name; undefined if it is none. */
  pipe(name: string): Pipe | undefined {
    if (!isPipeName(name)) return undefined;
    const known = this.#pipes.get(name);
    if (known) return known;
    const pipe: Pipe = { name, readers: [], writers: [] };
    for (const end of this.#holders.get(name) ?? []) {
      if (name.startsWith('/') && !isFifo(end)) return undefined;
      const access = accessOf(end);
      if (access.read) pipe.readers.push(end);
      if (access.write) pipe.writers.push(end);
    }
    this.#pipes.set(name, pipe);
    return pipe;
  }

  link(pid: number, fd: number): string | undefined {
    return this.entries.get(pid)?.descriptors?.find((each) => each.fd === fd)?.link;
  }

  children(pid: number): number[] {
    if (!this.#children) {
      this.#children = new Map();
      for (const { pid: child, stat } of this.entries.values()) {
        const siblings = this.#children.get(stat.parent);
        if (siblings) siblings.push(child);
        else this.#children.set(stat.parent, [child]);
      }
    }
    return this.#children.get(pid) ?? [];
  }

  command(pid: number): string {
    let command = this.#commands.get(pid);
    if (command === undefined) {
      command = argumentsOf(pid).join(' ') || (this.entries.get(pid)?.stat.comm ?? '?');
      this.#commands.set(pid, command);
    }
    return command;
  }
}

/** Most processes have nothing to do with the question: their descriptors are enough. */
class LazyEntry implements Entry {
  readonly pid: number;
  readonly descriptors: Descriptor[] | undefined;
  #stat: ProcessStat | undefined;

  constructor(pid: number, descriptors: Descriptor[] | undefined) {
    this.pid = pid;
    this.descriptors = descriptors;
  }

  get stat(): ProcessStat {
    this.#stat ??= statOf(this.pid) ?? { ...gone, pid: this.pid };
    return this.#stat;
  }
}

/** What is left to say of a process that ended while it was looked at. */
const gone = { comm: '?', state: 'X', parent: 0, group: 0, session: 0, kernel: false, started: 0 };

/** Anonymous pipes, and paths, which may be FIFOs' (in /dev/shm, too). What many have open, and is none, needs no look. */
const isPipeName = (link: string): boolean =>
  link.startsWith('pipe:[') ||
  (link.startsWith('/') && !/^\/(dev\/(null|zero|u?random|tty\w*|pts|ptmx|console|kmsg)|proc)(\/|$)/.test(link));

function isFifo({ pid, fd }: End): boolean {
  try {
    return statSync(`/proc/${pid}/fd/${fd}`).isFIFO();
  } catch {
    return false;
  }
}

/** The mode of the link in /proc/PID/fd says how the descriptor was opened. */
function accessOf({ pid, fd }: End): { read: boolean; write: boolean } {
  try {
    const { mode } = lstatSync(`/proc/${pid}/fd/${fd}`);
    return { read: (mode & 0o400) !== 0, write: (mode & 0o200) !== 0 };
  } catch {
    return { read: false, write: false };
  }
}

/** Bytes that wait in a pipe, and how many it can hold. It is opened for a moment, and nothing is read. */
export function fillOf(pipe: Pipe): { waiting: Known<number>; capacity: Known<number> } {
  const both = (reason: string) => ({ waiting: unknown(reason), capacity: unknown(reason) });
  const calls = native();
  if (!calls) return both(needsNative());
  // Without a reader, ours would be one for a moment, which a writer could take for somebody who listens.
  const end = pipe.readers[0];
  if (!end) return both('nobody reads from it');
  let fd: number;
  try {
    fd = openSync(`/proc/${end.pid}/fd/${end.fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return both('not permitted');
  }
  try {
    return { waiting: calls.pipes.waiting(fd), capacity: calls.pipes.capacity(fd) };
  } catch (error) {
    return both((error as Error).message);
  } finally {
    closeSync(fd);
  }
}
