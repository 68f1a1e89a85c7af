// Which processes have a file open, as a descriptor or as (part of) their program: one walk over /proc for any number of files.

import { readFileSync, statSync } from 'node:fs';
import { decodePath, fsPath } from '../io/path.js';
import { isUnknown, type Known, unknown } from './certainty.js';
import { argumentsOf, descriptorsOf, fieldsOf, hasProc, processes, statOf } from './proc.js';

export interface Opener {
  pid: number;
  command: string;
  /** Open descriptors, and how. Empty: it is only mapped. */
  descriptors: { fd: number; access: 'read' | 'write' | 'read-write' | 'path' }[];
  /** It is mapped into memory: its program, a library, or data. */
  mapped: boolean;
}

export interface Openers {
  processes: Opener[];
  /** Processes that may not be looked into: with any of them the list may lack some. */
  notPermitted: number;
}

/** By `identity` of the files asked for. This process itself is not told. */
export function openersOf(identities: ReadonlySet<string>): Known<Map<string, Openers>> {
  if (!hasProc()) return unknown(`not told on ${process.platform}`);
  const found = new Map([...identities].map((each) => [each, { processes: [], notPermitted: 0 } as Openers]));
  // Inode numbers as /proc/PID/maps has them, to look for before anything is taken apart.
  const inodes = new Map<string, string[]>();
  for (const each of identities) {
    const inode = each.split(':')[1]!;
    inodes.set(inode, [...(inodes.get(inode) ?? []), each]);
  }
  let denied = 0;
  for (const pid of processes()) {
    if (pid === process.pid) continue;
    const descriptors = descriptorsOf(pid);
    if (descriptors === undefined) continue;
    if (isUnknown(descriptors)) {
      denied++;
      continue;
    }
    for (const { fd, link } of descriptors) {
      if (!link.startsWith('/')) continue; // A pipe, a socket, something without a name.
      const identity = identityOf(`/proc/${pid}/fd/${fd}`);
      const openers = identity === undefined ? undefined : found.get(identity);
      if (openers) opener(openers, pid).descriptors.push({ fd, access: accessOf(pid, fd) });
    }
    for (const identity of mappedBy(pid, inodes)) opener(found.get(identity)!, pid).mapped = true;
  }
  for (const openers of found.values()) openers.notPermitted = denied;
  return found;
}

export const identityKey = (stat: { dev: bigint; ino: bigint }): string => `${stat.dev}:${stat.ino}`;

function identityOf(path: string | Buffer): string | undefined {
  try {
    return identityKey(statSync(path, { bigint: true }));
  } catch {
    return undefined;
  }
}

function opener(openers: Openers, pid: number): Opener {
  let entry = openers.processes.at(-1);
  if (entry?.pid !== pid) {
    entry = { pid, command: argumentsOf(pid).join(' ') || (statOf(pid)?.comm ?? ''), descriptors: [], mapped: false };
    openers.processes.push(entry);
  }
  return entry;
}

/** The identities among `inodes` that the process has mapped. */
function mappedBy(pid: number, inodes: ReadonlyMap<string, string[]>): Set<string> {
  const mapped = new Set<string>();
  let maps: Buffer;
  try {
    maps = readFileSync(`/proc/${pid}/maps`);
  } catch {
    return mapped;
  }
  for (const [inode, identities] of inodes)
    for (let at = maps.indexOf(` ${inode} `); at >= 0; at = maps.indexOf(` ${inode} `, at + 1)) {
      const end = maps.indexOf(10, at);
      const line = maps.subarray(maps.lastIndexOf(10, at) + 1, end < 0 ? maps.length : end).toString('latin1');
      const identity = identityOfMapping(pid, line, inode, identities);
      if (identity !== undefined) mapped.add(identity);
    }
  return mapped;
}

/**
 * `from-to rights offset major:minor inode name`. A file system with devices of its own for stat (btrfs, overlay) shows another
 * one here: then the name is asked.
 */
function identityOfMapping(pid: number, line: string, inode: string, identities: string[]): string | undefined {
  const [, device, found, name] = /^\S+ \S+ \S+ (\S+) (\d+) +(.*)$/.exec(line) ?? [];
  if (found !== inode) return undefined;
  const [major, minor] = device!.split(':').map((part) => BigInt(Number.parseInt(part, 16)));
  const dev = (minor! & 0xffn) | ((major! & 0xfffn) << 8n) | ((minor! & ~0xffn) << 12n) | ((major! & ~0xfffn) << 32n);
  const identity = `${dev}:${inode}`;
  if (identities.includes(identity)) return identity;
  const path = decodePath(Buffer.from(name!.replace(/\\012/g, '\n'), 'latin1'));
  const named = path.startsWith('/') ? identityOf(fsPath(`/proc/${pid}/root${path}`)) : undefined;
  return named !== undefined && identities.includes(named) ? named : undefined;
}

/** By the flags in fdinfo: octal, as open(2) has them. */
export function accessOf(pid: number | 'self', fd: number): 'read' | 'write' | 'read-write' | 'path' {
  const fields = fieldsOf(`/proc/${pid}/fdinfo/${fd}`);
  const flags = fields === undefined || isUnknown(fields) ? 0 : Number.parseInt(fields.get('flags') ?? '0', 8);
  return accessIn(flags);
}

export const accessIn = (flags: number): 'read' | 'write' | 'read-write' | 'path' =>
  flags & 0o10000000 ? 'path' : (['read', 'write', 'read-write', 'read-write'] as const)[flags & 3]!;
