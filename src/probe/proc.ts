// Processes as /proc shows them. A process can end, or be somebody else's, at any moment: every answer can be "not there"
// (undefined) or "not permitted".

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { isSystemError } from '../io/failure.js';
import { decodePath } from '../io/path.js';
import { type Unknown, unknown } from './certainty.js';

/** One line of /proc/PID/stat, as far as it is used. */
export interface ProcessStat {
  pid: number;
  /** At most 15 bytes of its name. */
  comm: string;
  /** R running, S asleep, D in uninterruptible sleep, T stopped, Z ended and not waited for. */
  state: string;
  parent: number;
  group: number;
  session: number;
  /** It is a thread of the kernel's own. */
  kernel: boolean;
  /** Started so many clock ticks after boot: with the pid it names a process for good. */
  started: number;
}

export interface Descriptor {
  fd: number;
  /** What /proc says it leads to: a path, `pipe:[123]`, `socket:[123]`, `anon_inode:[eventpoll]`. */
  link: string;
}

export const hasProc = (): boolean => process.platform === 'linux';

/** PF_KTHREAD. */
const kernelThread = 0x20_0000;

/** All processes there are at this moment (threads are not among them). */
export function processes(): number[] {
  try {
    return readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 0);
  } catch {
    return [];
  }
}

/** Undefined: it has ended. */
export function statOf(pid: number): ProcessStat | undefined {
  const line = read(`/proc/${pid}/stat`);
  if (line === undefined) return undefined;
  const open = line.indexOf('(');
  const close = line.lastIndexOf(')');
  const fields = line.slice(close + 2).split(' ');
  return {
    pid,
    comm: line.slice(open + 1, close),
    state: fields[0]!,
    parent: Number(fields[1]),
    group: Number(fields[2]),
    session: Number(fields[3]),
    kernel: (Number(fields[6]) & kernelThread) !== 0,
    started: Number(fields[19]),
  };
}

/** Its arguments, the program's name first; empty for kernel threads and for what has ended. */
export function argumentsOf(pid: number): string[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(`/proc/${pid}/cmdline`);
  } catch {
    return [];
  }
  // A program that writes its own title may leave the rest of its room zero.
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  const parts: string[] = [];
  if (end === 0) return parts;
  const text = bytes.subarray(0, end);
  for (let from = 0; from <= end; ) {
    let to = text.indexOf(0, from);
    if (to < 0) to = end;
    parts.push(decodePath(text.subarray(from, to)));
    from = to + 1;
  }
  return parts;
}

/** Its descriptors in order; `unknown` if it is not ours to look into; undefined if it has ended. */
export function descriptorsOf(pid: number): Descriptor[] | Unknown | undefined {
  let names: string[];
  try {
    names = readdirSync(`/proc/${pid}/fd`);
  } catch (error) {
    return isSystemError(error, 'EACCES', 'EPERM') ? unknown('not permitted') : undefined;
  }
  const found: Descriptor[] = [];
  for (const name of names) {
    try {
      const bytes = readlinkSync(`/proc/${pid}/fd/${name}`, 'latin1');
      const link = /[\x80-\xff]/.test(bytes) ? decodePath(Buffer.from(bytes, 'latin1')) : bytes;
      found.push({ fd: Number(name), link });
    } catch (error) {
      if (isSystemError(error, 'EACCES', 'EPERM')) return unknown('not permitted');
      // Closed meanwhile.
    }
  }
  return found.sort((one, other) => one.fd - other.fd);
}

/** `Name:\tvalue` lines (status, fdinfo, io) by name; undefined: gone; `unknown`: not permitted. */
export function fieldsOf(path: string): Map<string, string> | Unknown | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch (error) {
    return isSystemError(error, 'EACCES', 'EPERM') ? unknown('not permitted') : undefined;
  }
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0 && !fields.has(line.slice(0, colon))) fields.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return fields;
}

/** What reading a small file of /proc gives; undefined if that is refused or there is none. */
export function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
