// What is said and counted of one source's way, whatever that way was.

import type { Loss } from '../io/attributes.js';
import type { Confirmed } from '../io/durability.js';
import type { Job, Run, Totals } from './copy.js';

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
