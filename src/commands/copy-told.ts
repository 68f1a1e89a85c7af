// What is said and counted of one source's way, whatever that way was.

import type { Loss } from '../io/attributes.js';
import type { ContentResult } from '../io/content.js';
import type { Confirmed } from '../io/durability.js';
import { failure, isSystemError, type SluiceError } from '../io/failure.js';
import type { Job, Run, Totals } from './copy.js';
import { sourceName } from './copy-source.js';

export const untouched = 'destination left as it was';

export function skip(job: Job, reason: string, { context, totals }: Run): void {
  const { source, destination } = job.shown ?? job;
  totals.skipped++;
  context.record({ type: 'skipped', source, destination, reason });
}

export function countLosses(lost: Loss[], totals: Totals): void {
  for (const each of lost) totals.lost.set(each, (totals.lost.get(each) ?? 0) + 1);
}

/** Warn of what durability was asked for and could not be had; the word for the record. */
export function told({ durability, unconfirmed }: Confirmed, path: string, { context, totals }: Run): string {
  if (unconfirmed) {
    totals.unconfirmed++;
    const { message, code = 'ERR_DURABILITY', syscall, state } = unconfirmed;
    context.warn(`${message} (${code}, ${syscall}) — ${state}`, { path, code });
  } else if (durability === 'volatile')
    context.warn('volatile: this file system keeps nothing over a power cut', { path, code: 'ERR_VOLATILE' });
  return durability;
}

/** A failure names the side that it came from: reading is the source's. */
export function blamed(error: unknown, job: Job, destination: string, state: string): SluiceError {
  const reading = isSystemError(error) && /^p?readv?(64)?$/.test(error.syscall ?? '');
  return failure(error, { path: reading ? sourceName(job.source) : destination, state });
}

/** The word for the record, where durability was asked for. */
export const saved = (confirmed: Confirmed | { durability: 'none' }, path: string, run: Run): string | undefined =>
  confirmed.durability === 'none' ? undefined : told(confirmed, path, run);

export function finished(
  job: Job,
  { bytes, method }: ContentResult,
  sum: string | undefined,
  run: Run,
  durability?: string,
): void {
  const { source, destination } = job.shown ?? job;
  const { checksum } = run.options;
  run.totals.files++;
  run.totals.bytes += bytes;
  const digests = checksum !== undefined && { [checksum]: sum };
  run.context.record({ type: 'copied', source, destination, bytes, method, ...digests, durability });
  if (checksum !== undefined) run.context.print(sumLine(sum!, destination));
}

/** A line as sha256sum writes it, and reads it with `-c`: a name with a newline or backslash is escaped, and marked. */
function sumLine(sum: string, path: string): string {
  const special: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r' };
  const escaped = path.replace(/[\\\n\r]/g, (character) => special[character]!);
  return `${escaped === path ? '' : '\\'}${sum}  ${escaped}`;
}
