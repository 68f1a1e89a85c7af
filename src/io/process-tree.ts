// A signal for a process and for all that it has started.

import { readdirSync, readFileSync } from 'node:fs';

/** Children before their parents. Those that have ended meanwhile, or are not ours, are left out. */
export function killTree(pid: number, signal: NodeJS.Signals): void {
  for (const each of [...descendants(pid), pid]) {
    try {
      process.kill(each, signal);
    } catch {
      // Gone already.
    }
  }
}

/** Every process below `pid`. Empty where /proc does not tell. */
function descendants(pid: number): number[] {
  const found: number[] = [];
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`))
      for (const child of readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').split(' ').filter(Boolean))
        found.push(...descendants(Number(child)), Number(child));
  } catch {
    // It has ended meanwhile, or this is not Linux.
  }
  return found;
}
