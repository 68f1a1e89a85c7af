// What a process is at this moment: its descriptors one by one, what it waits for, and the pipeline that it stands in.

import { lstatSync, readlinkSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSystemError, SluiceError } from '../io/failure.js';
import { decodePath, encodePath, fsPath } from '../io/path.js';
import { type Inferred, inferred, isUnknown, type Known, unknown } from './certainty.js';
import { accessIn } from './openers.js';
import { type Pipeline, type PipeState, pipelineOf, type Stage } from './pipeline.js';
import type { Finding } from './pipeline-findings.js';
import { type Descriptor, fieldsOf, hasProc, statOf } from './proc.js';
import { type Entry, fillOf, ProcessTable } from './process-table.js';
import { countersOf, type IoCounters } from './upstream.js';
import { threadsOf, type Waiting, waitingOf } from './waiting.js';

export interface DescriptorFacts {
  fd: number;
  kind: 'file' | 'directory' | 'pipe' | 'fifo' | 'socket' | 'terminal' | 'null' | 'device' | 'anonymous' | 'unknown';
  /** Where it leads, as /proc names it. */
  target: string;
  targetBytes?: string;
  /** The file's name is gone; its bytes stay until everybody has closed it. */
  deleted: boolean;
  access: Known<'read' | 'write' | 'read-write' | 'path'>;
  append: Known<boolean>;
  nonBlocking: Known<boolean>;
  closeOnExec: Known<boolean>;
  /** Of files: where its next read or write goes, and how much of the file that is. */
  offset?: Known<number>;
  size?: number;
  progress?: Known<Inferred<number>>;
  /** Of pipes. */
  waiting?: Known<number>;
  capacity?: Known<number>;
  /** Who has the other end. */
  peers?: Known<{ pid: number; command: string; fd: number }[]>;
}

export interface ProcessFacts {
  type: 'process';
  pid: number;
  command: string;
  comm: string;
  program: Known<string>;
  state: string;
  parent: number;
  threads: number;
  user: Known<number>;
  /** What its main thread waits for. */
  waiting: Known<Waiting>;
  io: Known<IoCounters>;
  descriptors: Known<DescriptorFacts[]>;
  pipeline: Stage[];
  pipes: PipeState[];
  findings: Finding[];
  /** Processes that may not be looked into: a peer may be among them. */
  notPermitted: number;
}

const mostLooks = 3;
const soon = 5;
/** What looks like a deadlock is looked at again after so long (milliseconds). */
const again = 25;

const states: Record<string, string> = {
  R: 'running',
  S: 'sleeping',
  D: 'in uninterruptible sleep',
  T: 'stopped',
  t: 'stopped by a debugger',
  Z: 'ended, and not waited for',
  I: 'idle',
};

/** Throws where there's no such process. */
export async function processFacts(pid: number): Promise<ProcessFacts> {
  if (!hasProc()) throw new SluiceError(`processes are not told on ${process.platform}`, { code: 'ENOSYS' });
  if (!statOf(pid)) throw new SluiceError(`there is no process ${pid}`, { code: 'ESRCH' });
  const { table, entry, pipeline } = await settledLook(pid);
  const { stages, pipes, findings } = pipeline;
  const confirmed = await confirm(pid, stages, findings);
  const { stat } = entry;
  const status = fieldsOf(`/proc/${pid}/status`);
  return {
    type: 'process',
    pid,
    command: table.command(pid),
    comm: stat.comm,
    program: programOf(pid),
    state: states[stat.state] ?? stat.state,
    parent: stat.parent,
    threads: threadsOf(pid),
    user: status && !isUnknown(status) ? Number(status.get('Uid')?.split('\t')[1]) : unknown('not permitted'),
    waiting: waitingOf(pid),
    io: countersOf(pid) ?? unknown('it has ended'),
    descriptors: entry.descriptors
      ? entry.descriptors.map((descriptor) => descriptorFacts(pid, descriptor, table))
      : unknown('not permitted'),
    pipeline: stages,
    pipes,
    findings: confirmed,
    notPermitted: table.notPermitted,
  };
}

/** A stage that reads now and then, and has written nothing, may be at it just now: it is looked at a few times more. */
async function settledLook(pid: number): Promise<{ table: ProcessTable; entry: Entry; pipeline: Pipeline }> {
  for (let looks = 1; ; looks++) {
    const table = new ProcessTable();
    const entry = table.entries.get(pid);
    if (!entry) throw new SluiceError(`process ${pid} has ended`, { code: 'ESRCH' });
    const pipeline = pipelineOf(table, pid);
    const busy = pipeline.stages.some(
      ({ waiting, io, reads, writes }) =>
        !isUnknown(waiting) &&
        waiting.for === 'running' &&
        !isUnknown(io) &&
        io.written === 0 &&
        reads.length * writes.length > 0,
    );
    if (!busy || looks === mostLooks) return { table, entry, pipeline };
    await sleep(soon);
  }
}

/** One look at many processes is not one moment: a deadlock is one only if nothing has moved a little later. */
async function confirm(pid: number, stages: Stage[], findings: Finding[]): Promise<Finding[]> {
  if (!findings.some(({ kind }) => kind === 'deadlock')) return findings;
  await sleep(again);
  const later = pipelineOf(new ProcessTable(), pid);
  const deadlock = later.findings.find(({ kind }) => kind === 'deadlock');
  const still = findings.filter((finding) => {
    if (finding.kind !== 'deadlock') return true;
    return finding.pids.every((each) => {
      const [before, after] = [stages, later.stages].map((list) => list.find((stage) => stage.pid === each));
      return deadlock?.pids.includes(each) && JSON.stringify(before?.io) === JSON.stringify(after?.io);
    });
  });
  return still.length === findings.length ? findings : later.findings.filter(({ kind }) => kind !== 'deadlock');
}

function programOf(pid: number): Known<string> {
  try {
    return decodePath(readlinkSync(`/proc/${pid}/exe`, { encoding: 'buffer' }));
  } catch (error) {
    return unknown(
      isSystemError(error, 'ENOENT') ? 'it has none: it has ended, or is part of the kernel' : 'not permitted',
    );
  }
}

function descriptorFacts(pid: number, { fd, link }: Descriptor, table: ProcessTable): DescriptorFacts {
  const info = fieldsOf(`/proc/${pid}/fdinfo/${fd}`);
  const known = info && !isUnknown(info) ? info : undefined;
  const flags = known ? Number.parseInt(known.get('flags') ?? '0', 8) : undefined;
  const no = unknown(info === undefined ? 'it was closed meanwhile' : 'not permitted');
  const kind = kindOf(pid, fd, link);
  const facts: DescriptorFacts = {
    fd,
    kind: kind.kind,
    target: link,
    ...(!link.isWellFormed() && { targetBytes: encodePath(link).toString('base64') }),
    deleted: link.endsWith(' (deleted)') && !isNameOf(link, `/proc/${pid}/fd/${fd}`),
    access: flags === undefined ? no : accessIn(flags),
    append: flags === undefined ? no : (flags & 0o2000) !== 0,
    nonBlocking: flags === undefined ? no : (flags & 0o4000) !== 0,
    closeOnExec: flags === undefined ? no : (flags & 0o2000000) !== 0,
  };
  if (kind.kind === 'file') {
    const offset = known ? Number(known.get('pos')) : no;
    facts.offset = offset;
    facts.size = kind.size;
    // A program that reads by offset (pread, mmap) does not move it.
    facts.progress =
      isUnknown(offset) || kind.size === 0
        ? unknown(isUnknown(offset) ? offset.unknown : 'the file is empty')
        : inferred(Math.min(1, offset / kind.size), offset === 0 ? 0.5 : 0.9, 'its offset over the size of the file');
  }
  if (kind.kind === 'pipe' || kind.kind === 'fifo') {
    const pipe = table.pipe(link);
    if (pipe) {
      Object.assign(facts, fillOf(pipe));
      const writes = facts.access === 'write';
      const peers = (writes ? pipe.readers : pipe.writers).filter((end) => end.pid !== pid || end.fd !== fd);
      facts.peers = peers
        .filter((end) => end.pid !== process.pid)
        .map((end) => ({ pid: end.pid, command: table.command(end.pid), fd: end.fd }));
    }
  }
  if (kind.kind === 'socket') facts.peers = unknown('/proc does not tell who has the other end of a socket');
  return facts;
}

/** A file can be called `x (deleted)`, too. */
function isNameOf(name: string, descriptor: string): boolean {
  try {
    const [one, other] = [lstatSync(fsPath(name), { bigint: true }), statSync(descriptor, { bigint: true })];
    return one.ino === other.ino && one.dev === other.dev;
  } catch {
    return false;
  }
}

function kindOf(pid: number, fd: number, link: string): { kind: DescriptorFacts['kind']; size: number } {
  if (link.startsWith('pipe:[')) return { kind: 'pipe', size: 0 };
  if (link.startsWith('socket:[')) return { kind: 'socket', size: 0 };
  if (!link.startsWith('/')) return { kind: 'anonymous', size: 0 };
  if (/^\/dev\/(pts\/\d+|tty\w*|console)$/.test(link)) return { kind: 'terminal', size: 0 };
  try {
    // The descriptor itself, not whatever has its name by now.
    const stat = statSync(`/proc/${pid}/fd/${fd}`);
    if (stat.isFile()) return { kind: 'file', size: stat.size };
    if (stat.isDirectory()) return { kind: 'directory', size: 0 };
    if (stat.isFIFO()) return { kind: 'fifo', size: 0 };
    if (stat.isSocket()) return { kind: 'socket', size: 0 };
    return { kind: stat.isCharacterDevice() && stat.rdev === 0x103 ? 'null' : 'device', size: 0 };
  } catch {
    return { kind: 'unknown', size: 0 };
  }
}
