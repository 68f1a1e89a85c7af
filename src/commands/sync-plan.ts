// `sync --plan` and `--apply`: a plan in a file, a line an action, with a digest of all that was looked at on both sides. It is
// carried out only if planning again gives the same.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { AtomicFile } from '../io/atomic-file.js';
import { failure, SluiceError } from '../io/failure.js';
import { absolutePath, encodePath, fsPath } from '../io/path.js';
import { resolveFile } from '../io/target.js';
import type { Action } from '../tree/action.js';
import type { Facts } from '../tree/facts.js';
import type { Context, JsonRecord, Outcome } from './context.js';
import { sync } from './sync.js';
import type { SyncOptions } from './sync-options.js';

/** Of the file's form: raised when older readers would misread it. */
const version = 1;

interface Planned {
  outcome: Outcome;
  digest: string;
}

/** Plan; `line` gets each action. Nothing is told but what goes wrong. */
async function planOnce(options: SyncOptions, context: Context, line: (action: Action) => void): Promise<Planned> {
  const state = createHash('sha256');
  const seen = (side: string, path: string, facts: Facts) => {
    const { kind, mode, uid, gid, size, ino, seconds, nanoseconds, changedSeconds, changedNanoseconds } = facts;
    state.update(
      `${side} ${path}\0${kind} ${mode} ${uid} ${gid} ${kind === 'directory' ? '' : size} ${ino} ${seconds}.${nanoseconds} ${changedSeconds}.${changedNanoseconds}\n`,
    );
  };
  const outcome = await sync(options, { do: 'tell', planned: line, seen }, context);
  return { outcome, digest: state.digest('hex') };
}

export async function savePlan(options: SyncOptions, file: string, context: Context): Promise<Outcome> {
  const absolute: SyncOptions = {
    ...options,
    source: absolutePath(options.source),
    destination: absolutePath(options.destination),
    trash: options.trash && absolutePath(options.trash),
    linkDest: options.linkDest && absolutePath(options.linkDest),
  };
  const head = JSON.stringify({ type: 'plan', version, options: absolute });
  if (file === '-') return printPlan(absolute, head, context);
  const lines = [head];
  let bytes = 0;
  const atomic = new AtomicFile(resolveFile(file, 'no plan was made'));
  try {
    const flush = () => {
      const chunk = encodePath(`${lines.join('\n')}\n`);
      for (let at = 0; at < chunk.length; ) at += atomic.file.write(chunk.subarray(at)) ?? 0;
      bytes += chunk.length;
      lines.length = 0;
    };
    const { outcome, digest } = await planOnce(absolute, context, (action) => {
      lines.push(lineOf(action));
      if (lines.length >= 1000) flush();
    });
    lines.push(endOf(digest));
    flush();
    if (outcome !== 'done') {
      atomic.discard();
      return outcome;
    }
    await atomic.commit();
    context.debug(() => `${file}: ${bytes} bytes`);
    return 'done';
  } catch (error) {
    atomic.discard();
    throw failure(error, { path: file });
  }
}

/** To stdout, line by line: one without its end is no plan. */
async function printPlan(options: SyncOptions, head: string, context: Context): Promise<Outcome> {
  const quiet: Context = { ...silent, fail: (error) => context.fail(error), warn: (...what) => context.warn(...what) };
  context.print(head);
  const { outcome, digest } = await planOnce(options, quiet, (action) => context.print(lineOf(action)));
  if (outcome === 'done') context.print(endOf(digest));
  return outcome;
}

const endOf = (digest: string): string => JSON.stringify({ type: 'end', state: digest });

const lineOf = ({ action, path, reason, bytes, to }: Action): string =>
  JSON.stringify({ type: 'action', action, path: path || '.', reason, bytes, ...(to !== undefined && { to }) });

export async function applyPlan(file: string, context: Context): Promise<Outcome> {
  const { options, lines, state } = readPlan(file);
  const quiet: Context = {
    ...silent,
    fail: (error) => context.fail(error),
  };
  let next = 0;
  let same = true;
  const { outcome, digest } = await planOnce(options, quiet, (action) => {
    if (lines[next++] !== lineOf(action)) same = false;
  });
  if (outcome === 'failed') return outcome;
  if (!same || next !== lines.length || digest !== state) {
    context.fail(
      new SluiceError('is no longer what is to be done: one side has changed since', {
        code: 'ERR_PLAN_OUTDATED',
        path: file,
        state: 'nothing was done',
      }),
    );
    return 'refused';
  }
  return sync(options, { do: 'run' }, context);
}

const silent: Context = {
  record(_record: JsonRecord) {},
  print() {},
  warn() {},
  fail() {},
  debug() {},
  progress: () => false,
};

function readPlan(file: string): { options: SyncOptions; lines: string[]; state: string } {
  try {
    const lines = readFileSync(file === '-' ? 0 : fsPath(file), 'utf8')
      .trimEnd()
      .split('\n');
    const head = JSON.parse(lines.shift()!) as { type: string; version: number; options: SyncOptions };
    const end = JSON.parse(lines.pop()!) as { type: string; state: string };
    if (head.type !== 'plan' || head.version !== version || end.type !== 'end') throw new Error('not a plan');
    return { options: head.options, lines, state: end.state };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall) throw failure(error, { path: file, state: 'nothing was done' });
    throw new SluiceError('is not a plan, or not a whole one', { path: file, state: 'nothing was done' });
  }
}
