// The program that writes into our stdin: found by the pipe's inode, and watched through the counters that the kernel keeps
// of its reads and writes.

import type { BigIntStats } from 'node:fs';
import { isUnknown, type Known, unknown } from './certainty.js';
import { holdersOf, type Peer } from './pipe-holders.js';
import { argumentsOf, fieldsOf, read, statOf } from './proc.js';
import { type Remedy, remedyFor } from './remedies.js';

/** /proc/PID/io: bytes and calls since the process began, files and pipes alike. */
export interface IoCounters {
  read: number;
  written: number;
  reads: number;
  writes: number;
}

export interface Upstream {
  pid: number;
  command: string;
  program: string;
  remedy: Remedy | undefined;
  /** It was told not to buffer, by an argument or its environment. */
  unbuffered: string | undefined;
}

/** Counters of a process now: undefined where it has ended, `unknown` where that's not permitted. */
export function countersOf(pid: number): IoCounters | ReturnType<typeof unknown> | undefined {
  const fields = fieldsOf(`/proc/${pid}/io`);
  if (fields === undefined || isUnknown(fields)) return fields;
  return {
    read: Number(fields.get('rchar')),
    written: Number(fields.get('wchar')),
    reads: Number(fields.get('syscr')),
    writes: Number(fields.get('syscw')),
  };
}

const hadEnded = 'it had ended before it could be looked at';

/** Who writes: of several holders the one that does, which a shell that only waits for it does not. */
export function upstreamOf(pipe: BigIntStats): {
  writers: Known<Peer[]>;
  readers: Known<Peer[]>;
  upstream: Known<Upstream>;
} {
  const holders = holdersOf(pipe);
  if (isUnknown(holders)) return { writers: holders, readers: holders, upstream: holders };
  const { writers, readers, notPermitted } = holders;
  if (writers.length === 0) {
    const reason = notPermitted > 0 ? 'not permitted: it belongs to somebody else, or has ended' : hadEnded;
    return { writers, readers, upstream: unknown(reason) };
  }
  const pids = [...new Set(writers.map(({ pid }) => pid))];
  // A process whose child holds the same end has most likely only started it, unless it is the one that writes.
  const parents = new Set(pids.map((pid) => statOf(pid)?.parent));
  const chosen = pids
    .map((pid) => ({ pid, written: writtenIn(countersOf(pid)), leaf: parents.has(pid) ? 0 : 1 }))
    .sort((one, other) => other.written - one.written || other.leaf - one.leaf)[0]!.pid;
  return { writers, readers, upstream: describe(chosen) ?? unknown(hadEnded) };
}

const writtenIn = (counters: ReturnType<typeof countersOf>): number =>
  counters === undefined || isUnknown(counters) ? -1 : counters.written;

/** Undefined: it has ended. */
function describe(pid: number): Upstream | undefined {
  const args = argumentsOf(pid);
  const comm = statOf(pid)?.comm;
  // What has ended, and is not waited for, has a name still, but no arguments.
  if (comm === undefined || args.length === 0) return undefined;
  const remedy = remedyFor(args, comm);
  const program = remedy?.program ?? comm;
  return { pid, command: args.join(' '), program, remedy, unbuffered: unbufferedBy(pid, program, args) };
}

/** The switch by which it was told to write at once. */
function unbufferedBy(pid: number, program: string, args: string[]): string | undefined {
  const has = (pattern: RegExp) => args.find((argument, i) => i > 0 && pattern.test(argument));
  const environment = () => read(`/proc/${pid}/environ`)?.split('\0') ?? [];
  if (/grep$|^rg$/.test(program)) return has(/^--line-buffered$/);
  if (/sed$/.test(program)) return has(/^(--unbuffered|--line-buffered|-[a-zA-Z]*u[a-zA-Z]*|-l)$/);
  if (program === 'mawk' || program === 'awk') return has(/^interactive$|^-Wi/);
  if (/^python/.test(program))
    return has(/^-[a-zA-Z]*u[a-zA-Z]*$/) ?? environment().find((each) => /^PYTHONUNBUFFERED=./.test(each));
  if (program === 'perl')
    return args.some((argument) => /\$\|\s*=\s*1|\$\|\+\+|autoflush/.test(argument)) ? '$| = 1' : undefined;
  if (program === 'jq') return has(/^--unbuffered$/);
  if (program === 'tcpdump') return has(/^-[a-zA-Z]*l/);
  return environment().find((each) => /^_STDBUF_O=[L0]/.test(each));
}
