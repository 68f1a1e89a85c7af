// What is wrong with a pipeline: who is in a deadlock, who sits on output, who is slow. Conclusions, each with its certainty.

import { basename } from 'node:path';
import { isUnknown } from './certainty.js';
import { deadlocked, type Wait } from './deadlock.js';
import type { PipeState, Stage } from './pipeline.js';
import type { ProcessTable } from './process-table.js';
import { anyRemedy, remedyFor } from './remedies.js';

export interface Finding {
  kind: 'deadlock' | 'holding' | 'slowest' | 'idle';
  pids: number[];
  certainty: number;
  inferred: true;
  text: string;
  fix: string | null;
}

export function findingsOf(stages: Stage[], pipes: PipeState[], table: ProcessTable): Finding[] {
  const findings: Finding[] = [];
  const name = (pid: number) => {
    const stage = stages.find((each) => each.pid === pid);
    return `${stage?.program ?? table.entries.get(pid)?.stat.comm ?? '?'} (${pid})`;
  };
  const waits: Wait[] = stages.map(({ pid, waitsFor }) => ({ pid, on: waitsFor }));
  const stuck = deadlocked(waits).filter((pid) => stages.find((each) => each.pid === pid)?.role === 'stage');
  if (stuck.length > 0) {
    const parts = stuck.map((pid) => {
      const { waiting, waitsFor } = stages.find((each) => each.pid === pid)!;
      const doing = !isUnknown(waiting) && waiting.for === 'write' ? 'waits to write to' : 'waits to read from';
      return waitsFor.length === 1 && waitsFor[0] === pid
        ? `${name(pid)} waits for itself: it has the other end of the pipe open`
        : `${name(pid)} ${doing} ${waitsFor.map(name).join(' or ')}`;
    });
    findings.push({
      kind: 'deadlock',
      pids: stuck,
      certainty: table.notPermitted === 0 ? 0.95 : 0.85,
      inferred: true,
      text: `deadlock: ${parts.join('; ')}`,
      fix: null,
    });
  }
  for (const { pid, program, command, holding } of stages) {
    if (!holding) continue;
    const known = remedyFor(command.split(' '), program);
    findings.push({
      kind: 'holding',
      pids: [pid],
      certainty: holding.certainty,
      inferred: true,
      text: `${name(pid)} sits on its output: ${holding.because}${known?.needsAll ? ` (${known.note})` : ''}`,
      fix: known ? known.fix : anyRemedy(basename(program)),
    });
  }
  if (stuck.length > 0) return findings;
  const slow = slowest(stages, pipes);
  if (slow.readers.length > 0)
    findings.push({
      kind: 'slowest',
      pids: slow.readers,
      certainty: 0.8,
      inferred: true,
      text: `${slow.writers.map(name).join(' and ')} ${slow.writers.length === 1 ? 'waits' : 'wait'} for ${slow.readers.map(name).join(' or ')} to read: the pipe is full`,
      fix: null,
    });
  return findings;
}

/** At the end of a chain of stages that wait to write: who does not read, and the stage right before, which waits for it. */
function slowest(stages: Stage[], pipes: PipeState[]): { writers: number[]; readers: number[] } {
  const known = new Map(stages.map((stage) => [stage.pid, stage]));
  const waitsToWrite = (pid: number) => {
    const waiting = known.get(pid)?.waiting;
    return waiting !== undefined && !isUnknown(waiting) && waiting.for === 'write';
  };
  const isFull = (pid: number) =>
    pipes.some(
      ({ writers, waiting, capacity }) =>
        writers.includes(pid) && !isUnknown(waiting) && !isUnknown(capacity) && waiting >= capacity,
    );
  const writers: number[] = [];
  const readers = new Set<number>();
  for (const { pid, waitsFor } of stages) {
    if (!waitsToWrite(pid) || !isFull(pid) || waitsFor.some(waitsToWrite)) continue;
    const reading = waitsFor.filter((each) => known.get(each)?.role !== 'wrapper');
    if (waitsFor.length > 0) writers.push(pid);
    for (const each of reading.length > 0 ? reading : waitsFor) readers.add(each);
  }
  return { writers, readers: [...readers] };
}
