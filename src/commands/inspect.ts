// `sluice inspect`: what a file, a stream, a pipe or a process is. Nothing it looks at is changed.
// Each kind of look is loaded when it is taken: the start counts for half of most of them.

import { setTimeout as sleep } from 'node:timers/promises';
import { failure, isSystemError } from '../io/failure.js';
import type { OpenOptions } from '../io/open.js';
import { isTerminal } from '../io/terminal.js';
import { whileUnfinished } from '../io/unfinished.js';
import type { FileFacts, Located } from '../probe/file-facts.js';
import type { Context, Outcome } from './context.js';

export interface InspectFilesOptions {
  paths: string[];
  /** Read only the head. */
  quick: boolean;
}

/** A record each; what cannot be read is an error, and the others go on. */
export async function inspectFiles({ paths, quick }: InspectFilesOptions, context: Context): Promise<Outcome> {
  const { fileFacts, locate } = await import('../probe/file-facts.js');
  const { identityKey, openersOf } = await import('../probe/openers.js');
  const located: Located[] = [];
  let failed = false;
  for (const path of paths) {
    try {
      located.push(locate(path));
    } catch (error) {
      failed = true;
      context.fail(failure(error, { path }));
    }
  }
  const openers = openersOf(new Set(located.map(({ stat }) => identityKey(stat))));
  let bytes = 0;
  for (const each of located) {
    const onBytes = (count: number, totalBytes: number) => {
      bytes += count;
      context.progress({ bytes, totalBytes: located.length === 1 ? totalBytes : undefined, name: each.path });
    };
    try {
      const { facts, error } = await fileFacts(each, { quick, openers, onBytes });
      context.record(facts as FileFacts & { [key: string]: unknown });
      if (error) {
        failed = true;
        context.fail(error);
      }
    } catch (error) {
      failed = true;
      context.fail(failure(error, { path: each.path }));
    }
  }
  return failed ? 'failed' : 'done';
}

/** stdin, stdout and stderr, a record each. */
export async function inspectStreams(context: Context): Promise<Outcome> {
  const { streamFacts } = await import('../probe/stream-facts.js');
  for (const facts of streamFacts()) context.record({ ...facts });
  return 'done';
}

/** stdin to stdout, unchanged; a report at the end, and whenever SIGUSR1 asks for one. */
export async function inspectPipe(context: Context): Promise<Outcome> {
  const { PipeMeter } = await import('../probe/pipe-meter.js');
  const { pipeReport } = await import('../probe/pipe-report.js');
  let finished = () => {};
  let report = () => {};
  try {
    const meter = new PipeMeter({
      // On a terminal that shows the bytes themselves a live line would only be in their way.
      ...(!isTerminal(1) && { onBytes: () => context.progress({ bytes: meter.statistics.bytes }) }),
      debug: (text) => context.debug(text),
    });
    report = () => context.record({ ...pipeReport(meter) });
    process.on('SIGUSR1', report);
    // Told to stop: what has been learnt is said before.
    finished = whileUnfinished(report);
    await meter.run();
    report();
  } catch (error) {
    if (!isSystemError(error)) throw error;
    const writing = error.syscall === 'write' || error.syscall === 'splice';
    throw failure(error, { path: writing ? 'standard output' : 'standard input' });
  } finally {
    finished();
    process.removeListener('SIGUSR1', report);
  }
  return 'done';
}

export interface InspectProcessesOptions {
  pids: number[];
  /** Milliseconds from one look to the next; undefined: one look. */
  every: number | undefined;
}

/** A record each; with `every` again and again, until all have ended. */
export async function inspectProcesses({ pids, every }: InspectProcessesOptions, context: Context): Promise<Outcome> {
  const { processFacts } = await import('../probe/process-facts.js');
  let failed = false;
  for (let first = true; ; first = false) {
    let alive = 0;
    for (const pid of pids) {
      try {
        context.record({ ...(await processFacts(pid)) });
        alive++;
      } catch (error) {
        // That it ends while it is watched is what one watches for.
        if (!first && failure(error).code === 'ESRCH') continue;
        failed = true;
        context.fail(failure(error));
      }
    }
    if (every === undefined || alive === 0) return failed ? 'failed' : 'done';
    await sleep(every);
  }
}

/** The layers of open(), without opening anything. Throws what open() refuses. */
export async function inspectStack(
  { path, mode, ...options }: { path: string; mode: string } & OpenOptions,
  context: Context,
): Promise<Outcome> {
  const { stackFacts } = await import('../probe/stack-facts.js');
  context.record({ ...stackFacts(path, mode, options) });
  return 'done';
}
