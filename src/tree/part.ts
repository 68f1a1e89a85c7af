// A directory's names, sorted, in parts of a size that is worth a thread's while; beside each part what the destination has
// in the same stretch of names.

import type { Kind } from './facts.js';
import type { Part } from './job.js';
import { type Place, places } from './place.js';

/** Entries in a part. */
const most = 512;

/** Lists `source` and, where asked for, what `there` opens; a destination that cannot be listed is told to `unlisted`. At least one part. */
export function openPart(
  source: Place,
  there: (() => Place) | null,
  unlisted: (error: unknown) => void,
): { parts: [Part, ...Part[]]; source: number; destination: number } {
  const kinds = new Map<string, Kind>();
  const names: string[] = [];
  places().list(source, (name, kind) => {
    names.push(name);
    if (kind !== 'file') kinds.set(name, kind);
  });
  names.sort();
  let others: string[] | null = null;
  if (there) {
    const found: string[] = [];
    try {
      places().list(there(), (name) => found.push(name));
      others = found.sort();
    } catch (error) {
      unlisted(error);
    }
  }
  const counted = { source: names.length, destination: others?.length ?? 0 };
  if (names.length <= most) return { parts: [{ names, kinds, there: others }], ...counted };
  const parts: Part[] = [];
  let from = 0;
  for (let i = 0; i < names.length; i += most) {
    const own = names.slice(i, i + most);
    const next = names[i + most];
    const inPart = new Map<string, Kind>();
    if (kinds.size > 0)
      for (const name of own) {
        const kind = kinds.get(name);
        if (kind !== undefined) inPart.set(name, kind);
      }
    let end = from;
    if (others) while (end < others.length && (next === undefined || others[end]! < next)) end++;
    parts.push({ names: own, kinds: inPart, there: others?.slice(from, end) ?? null });
    from = end;
  }
  return { parts: parts as [Part, ...Part[]], ...counted };
}
