// A pipeline as stages: who writes to whom, who waits for whom, who has read and not written, who only holds pipes open.

import { type Inferred, isUnknown, type Known, unknown } from './certainty.js';
import { hasEnded, holdingOf } from './holding.js';
import { type Finding, findingsOf } from './pipeline-findings.js';
import { fillOf, type Pipe, type ProcessTable, pidsOf } from './process-table.js';
import { type Remedy, remedyFor } from './remedies.js';
import { countersOf } from './upstream.js';
import { type Waiting, waitingOf } from './waiting.js';

export interface Stage {
  pid: number;
  program: string;
  command: string;
  /** A wrapper has ends of pipes open, and leaves them to a child. */
  role: 'stage' | 'wrapper';
  waiting: Known<Waiting>;
  /** Processes that could let it go on. */
  waitsFor: number[];
  /** The pipes that it reads from and writes to, by name. */
  reads: string[];
  writes: string[];
  /** All bytes that it ever read and wrote (files too), and calls that wrote. */
  io: Known<{ read: number; written: number; writes: number }>;
  /** It has read this much that it has not written on. */
  holding: Inferred<{ bytes: number }> | null;
}

export interface PipeState {
  name: string;
  writers: number[];
  readers: number[];
  waiting: Known<number>;
  capacity: Known<number>;
}

export interface Pipeline {
  stages: Stage[];
  pipes: PipeState[];
  findings: Finding[];
}

export function pipelineOf(table: ProcessTable, pid: number): Pipeline {
  const { pids, pipes } = connected(table, pid);
  const fills = new Map([...pipes.values()].map((pipe) => [pipe.name, fillOf(pipe)]));
  const counters = new Map([...pids].map((each) => [each, countersOf(each)]));
  const waits = new Map([...pids].map((each) => [each, waitingOf(each)]));
  const stages = [...pids].map((each) => stageOf(each, table, pipes, counters, waits));
  for (const stage of stages) stage.holding = holdingOf(stage, stages, pipes, fills);
  const states = [...pipes.values()].map((pipe) => ({
    name: pipe.name,
    writers: pidsOf(pipe.writers),
    readers: pidsOf(pipe.readers),
    ...fills.get(pipe.name)!,
  }));
  const ordered = inOrder(stages);
  return { stages: ordered, pipes: states, findings: findingsOf(ordered, states, table) };
}

const crowd = 16;

/**
 * From one process along pipes: by all of its own, by stdin, stdout and stderr of the others, so that a program that has
 * many unrelated children does not bring them all in. A shell that waits brings in its children.
 */
function connected(table: ProcessTable, start: number): { pids: Set<number>; pipes: Map<string, Pipe> } {
  const pids = new Set<number>();
  const pipes = new Map<string, Pipe>();
  const queue = [start];
  const visit = (pid: number) => {
    if (pids.has(pid) || pid === process.pid || !table.entries.has(pid)) return;
    pids.add(pid);
    queue.push(pid);
  };
  visit(start);
  for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
    for (const { fd, link } of table.entries.get(pid)!.descriptors ?? []) {
      if (fd > 2 && (pid !== start || isInherited(table, pid, fd, link))) continue;
      const pipe = table.pipe(link);
      if (!pipe || pipes.has(link)) continue;
      // What so many have open under a high number is no pipeline's: a job server, a log.
      if (fd > 2 && pipe.readers.length + pipe.writers.length > crowd) continue;
      pipes.set(link, pipe);
      for (const end of [...pipe.readers, ...pipe.writers]) if (end.pid !== process.pid) visit(end.pid);
    }
    if (pid === start || pids.has(table.entries.get(pid)!.stat.parent)) {
      const waiting = waitingOf(pid);
      if (!isUnknown(waiting) && waiting.for === 'child')
        for (const child of table.children(pid)) if (hasOwnPipe(table, child)) visit(child);
    }
  }
  return { pids, pipes };
}

/** Its stdin or stdout is a pipe that was made for it: it is part of a pipeline. */
const hasOwnPipe = (table: ProcessTable, pid: number): boolean =>
  (table.entries.get(pid)?.descriptors ?? []).some(
    ({ fd, link }) => fd < 2 && link.startsWith('pipe:[') && !isInherited(table, pid, fd, link),
  );

/** Its parent has the same under the same number: it was handed down, and is not for its use. */
const isInherited = (table: ProcessTable, pid: number, fd: number, link: string): boolean =>
  table.link(table.entries.get(pid)!.stat.parent, fd) === link;

function stageOf(
  pid: number,
  table: ProcessTable,
  pipes: ReadonlyMap<string, Pipe>,
  counters: ReadonlyMap<number, ReturnType<typeof countersOf>>,
  waits: ReadonlyMap<number, Known<Waiting>>,
): Stage {
  const entry = table.entries.get(pid)!;
  const waiting = waits.get(pid)!;
  const io = counters.get(pid);
  const reads = [...pipes.values()]
    .filter(({ readers }) => readers.some((end) => end.pid === pid))
    .map(({ name }) => name);
  const writes = [...pipes.values()]
    .filter(({ writers }) => writers.some((end) => end.pid === pid))
    .map(({ name }) => name);
  const command = table.command(pid);
  return {
    pid,
    program: remedy(table, pid)?.program ?? entry.stat.comm,
    command,
    role: isWrapper(table, pid, waiting, pipes, io) ? 'wrapper' : 'stage',
    waiting,
    waitsFor: waitsFor(table, pid, waiting),
    reads,
    writes,
    io:
      io === undefined
        ? unknown(hasEnded)
        : isUnknown(io)
          ? io
          : { read: io.read, written: io.written, writes: io.writes },
    holding: null,
  };
}

const remedy = (table: ProcessTable, pid: number): Remedy | undefined =>
  remedyFor(table.command(pid).split(' '), table.entries.get(pid)!.stat.comm);

/** It has written nothing, waits for something other than its pipes, and a child has the same ends open. */
function isWrapper(
  table: ProcessTable,
  pid: number,
  waiting: Known<Waiting>,
  pipes: ReadonlyMap<string, Pipe>,
  io: ReturnType<typeof countersOf>,
): boolean {
  if (io !== undefined && !isUnknown(io) && io.written > 0) return false;
  const elsewhere = !isUnknown(waiting) && ['child', 'signal', 'time', 'lock'].includes(waiting.for);
  if (!elsewhere) return false;
  const children = new Set(table.children(pid));
  if (!isUnknown(waiting) && waiting.for === 'child' && children.size > 0) return true;
  return [...pipes.values()].some((pipe) => {
    const ends = [...pipe.readers, ...pipe.writers];
    return ends.some((end) => end.pid === pid) && ends.some((end) => children.has(end.pid));
  });
}

/** Those who could let it go on: the writers of what it reads from, the readers of what it writes to, its children. */
function waitsFor(table: ProcessTable, pid: number, waiting: Known<Waiting>): number[] {
  if (isUnknown(waiting)) return [];
  if (waiting.for === 'child') return table.children(pid);
  if ((waiting.for !== 'read' && waiting.for !== 'write') || waiting.fd === undefined) return [];
  const link = table.link(pid, waiting.fd);
  const pipe = link === undefined ? undefined : table.pipe(link);
  if (!pipe) return [];
  const others = pidsOf(waiting.for === 'read' ? pipe.writers : pipe.readers);
  // Its own copy of the other end cannot help it, unless there is nobody else.
  const rest = others.filter((each) => each !== pid);
  return rest.length > 0 ? rest : others;
}

/** Writers before readers; what is in a circle stays in the order of its process numbers. */
function inOrder(stages: Stage[]): Stage[] {
  const left = new Map(stages.sort((one, other) => one.pid - other.pid).map((stage) => [stage.pid, stage]));
  const ordered: Stage[] = [];
  while (left.size > 0) {
    const written = new Set([...left.values()].filter(({ role }) => role === 'stage').flatMap(({ writes }) => writes));
    const next =
      [...left.values()].find(
        ({ role, reads, writes }) =>
          role === 'wrapper' || !reads.some((name) => written.has(name) && !writes.includes(name)),
      ) ?? left.values().next().value!;
    left.delete(next.pid);
    ordered.push(next);
  }
  return ordered;
}
