// What is to be done with one entry that is no directory: what the source has, what the destination has, and the rules of
// `copy` or `sync`. Nothing is written here.

import { SluiceError } from '../io/failure.js';
import type { Verdict } from './action.js';
import { difference } from './compare.js';
import { describe, type Facts, mtimeNs, sameFile } from './facts.js';
import type { Rules } from './job.js';
import { places } from './place.js';
import type { Tree } from './tree.js';

/** Where to look. */
export interface Look {
  source: Tree;
  /** What the destination has; null where it is not there. */
  there: Tree | null;
  reference: Tree | null;
  rules: Rules;
}

const created: Verdict = { action: 'create', reason: 'new' };
const otherKind: Verdict = { action: 'update', reason: 'kind' };
const exists: Verdict = { action: 'update', reason: 'exists' };

/** null = it is the same, as far as can be seen without its content. Throws what forbids it. */
export function verdictOn(
  look: Look,
  directory: string,
  name: string,
  facts: Facts,
  there: Facts | null,
): Verdict | null {
  const { style } = look.rules;
  if (!there) return inReference(look, directory, name, facts, created.reason) ?? created;
  if (style.name === 'copy') return copyVerdict(facts, there, style);
  if (there.kind !== facts.kind) return inReference(look, directory, name, facts, otherKind.reason) ?? otherKind;
  const at = { source: look.source.at(directory), target: look.there!.at(directory), name };
  const differs = difference(facts, there, at, style.compare);
  if (!differs || differs.action === 'metadata') return differs;
  return inReference(look, directory, name, facts, differs.reason) ?? differs;
}

function copyVerdict(facts: Facts, there: Facts, { noClobber, update }: { noClobber: boolean; update: boolean }) {
  if (sameFile(facts, there))
    throw new SluiceError('source and destination are the same file', { state: 'it was left as it is' });
  if (there.kind === 'directory')
    throw new SluiceError(`is a directory, and cannot be replaced by ${describe[facts.kind]}`, {
      code: 'EISDIR',
      state: 'it was left as it is',
    });
  if (noClobber) return { action: 'skip', reason: 'exists' } as const;
  if (update && mtimeNs(facts) <= mtimeNs(there))
    return { action: 'skip', reason: 'is not older than the source' } as const;
  return exists;
}

/** A link to what an earlier tree has of it, if that is the same. */
function inReference(
  { source, reference, rules }: Look,
  directory: string,
  name: string,
  facts: Facts,
  reason: string,
): Verdict | null {
  if (!reference || rules.style.name !== 'sync' || facts.kind !== 'file') return null;
  try {
    const at = { source: source.at(directory), target: reference.at(directory), name };
    const there = places().stat(at.target, name);
    const same =
      there?.kind === 'file' && difference(facts, there, at, { ...rules.style.compare, checksum: false }) === null;
    return same ? { action: 'link', reason } : null;
  } catch {
    return null; // No such directory there.
  }
}

/** A directory that is in both trees: null = it has the attributes that it should have. */
export function directoryVerdict(
  { source, there, rules: { style } }: Look,
  path: string,
  facts: Facts,
  target: Facts,
): Verdict | null {
  if (style.name === 'copy') return null;
  // Opened only if they are looked at.
  const at = {
    get source() {
      return source.at(path);
    },
    get target() {
      return there!.at(path);
    },
    name: '.',
  };
  return difference(facts, target, at, style.compare);
}
