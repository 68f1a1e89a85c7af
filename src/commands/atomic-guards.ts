// What must hold before a file is replaced: conditions on the file, on what would replace it, and commands that look at it.

import { type BigIntStats, fstatSync, lstatSync } from 'node:fs';
import type { AtomicFile } from '../io/atomic-file.js';
import { SluiceError } from '../io/failure.js';
import { fsPath } from '../io/path.js';
import { notSealed } from '../io/seal.js';
import type { Version } from '../io/version.js';

export interface Guards {
  allowEmpty: boolean;
  /** Percent of the old size that may go. */
  maxShrink: number | undefined;
  /** sha256 that the file must have, in lower-case hexadecimal; `none`: there must be no file. */
  ifMatch: string | undefined;
  noClobber: boolean;
  /** Shell commands that look at the finished file; `{}` in them is its name. */
  checks: string[];
}

/** A condition was not met, and the file is as it was. */
export class Refused extends SluiceError {}

/** Before anything is read. `there` is the file, `version` too where its digest is asked for. */
export async function beforeInput(guards: Guards, there: BigIntStats | null, version: Version | null): Promise<void> {
  const { noClobber, ifMatch } = guards;
  if (there && noClobber) throw new Refused('the file exists');
  if (ifMatch === undefined) return;
  if (ifMatch === 'none') {
    if (there) throw new Refused('the file exists, and --if-match none says that it must not');
    return;
  }
  if (!version) throw new Refused('there is no file that --if-match could match');
  const digest = await version.digest();
  if (digest !== ifMatch) throw new Refused(`the file's digest is ${digest}, not what --if-match gives`);
}

/** When all of the content is in the temp file. */
export async function beforeReplacing(guards: Guards, atomic: AtomicFile, there: BigIntStats | null): Promise<void> {
  const size = fstatSync(atomic.file.fileno(), { bigint: true }).size;
  const old = there?.isFile() ? there.size : 0n;
  if (size === 0n && old > 0n && !guards.allowEmpty)
    throw new Refused(`the input is empty, and the file has ${old} bytes (--allow-empty would empty it)`);
  const { maxShrink } = guards;
  // Percents may have a fraction: a thousandth of one is kept.
  if (maxShrink !== undefined && size < old && (old - size) * 100_000n > old * BigInt(Math.round(maxShrink * 1000)))
    throw new Refused(`it would shrink from ${old} to ${size} bytes, by more than ${maxShrink} %`);
  for (const check of guards.checks) await runCheck(check, atomic);
}

async function runCheck(check: string, atomic: AtomicFile): Promise<void> {
  const { checkFile } = await import('../io/check-command.js');
  const before = fstatSync(atomic.file.fileno(), { bigint: true });
  const { status, signal } = await checkFile(check, atomic.temp);
  if (signal !== undefined) throw new Refused(`the check '${check}' was killed by ${signal}`);
  if (status !== 0) throw new Refused(`the check '${check}' failed (exit status ${status})`);
  // What was checked must be what is put in place, and what was written.
  const after = lstatSync(fsPath(atomic.temp), { bigint: true, throwIfNoEntry: false });
  const same = after && after.ino === before.ino && after.dev === before.dev && after.mtimeNs === before.mtimeNs;
  if (!same || after.size !== before.size)
    throw new Refused(`the check '${check}' changed the file that it was to look at`);
}

/** The refusal that this error of the input stands for, if it is one. */
export function sealRefusal(error: unknown, seal: string | undefined): Refused | undefined {
  if (seal === undefined || !(error instanceof SluiceError) || error.code !== notSealed) return undefined;
  return new Refused(`the input does not end with the line '${seal}': it is not complete`);
}
