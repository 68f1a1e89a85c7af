// A symlink copied as one: made beside its destination with all that it is to keep, then renamed into place.

import { type BigIntStats, linkSync, lstatSync, readlinkSync, renameSync, symlinkSync } from 'node:fs';
import { applyLinkAttributes } from '../io/attributes.js';
import { failure, isSystemError, SluiceError } from '../io/failure.js';
import { fsPath } from '../io/path.js';
import { keepAs } from '../io/placing.js';
import { removeQuietly } from '../io/remove-quietly.js';
import { tempName } from '../io/temp-name.js';
import { whileUnfinished } from '../io/unfinished.js';
import type { Job, Run } from './copy.js';
import { attributesOf } from './copy-source.js';
import { countLosses, skip, told, untouched } from './copy-told.js';

export async function copyLink(job: Job, run: Run): Promise<void> {
  const { source, destination } = job;
  const { noClobber, update, backup, durable } = run.options;
  const details = { path: destination, state: untouched };
  const there = existing(destination);
  if (there?.isDirectory())
    throw new SluiceError('is a directory, and cannot be replaced by a symlink', { code: 'EISDIR', ...details });
  const current = update && there && job.stat!.mtimeNs <= there.mtimeNs;
  if (there && (noClobber || current)) {
    skip(job, noClobber ? 'exists' : 'is not older than the source', run);
    return;
  }
  const temp = tempName(destination);
  const done = whileUnfinished(() => removeQuietly(temp));
  try {
    if (durable === 'strict') await (await import('../io/durability.js')).insistOnDurability(destination, untouched);
    symlinkSync(readlinkSync(fsPath(source), { encoding: 'buffer' }), fsPath(temp));
    countLosses(applyLinkAttributes(temp, attributesOf(source, job.stat!, run.options)), run.totals);
    if (noClobber && !claim(temp, destination)) {
      skip(job, 'exists', run);
      return;
    }
    if (backup !== undefined && there) keepAs(destination, destination + backup);
    if (!noClobber) renameSync(fsPath(temp), fsPath(destination));
  } catch (error) {
    throw failure(error, details);
  } finally {
    removeQuietly(temp);
    done();
  }
  run.totals.symlinks++;
  const durability = durable === 'none' ? undefined : await confirmed(destination, run);
  run.context.record({ type: 'copied', source, destination, bytes: 0, method: 'symlink', durability });
}

function existing(destination: string): BigIntStats | undefined {
  try {
    return lstatSync(fsPath(destination), { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    throw failure(error, { path: destination, state: untouched });
  }
}

/** False if the name is taken: link(2) finds out without a race. */
function claim(temp: string, destination: string): boolean {
  try {
    linkSync(fsPath(temp), fsPath(destination));
    return true;
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) return false;
    throw error;
  }
}

async function confirmed(destination: string, run: Run): Promise<string> {
  const { confirmDirectory } = await import('../io/durability.js');
  return told(await confirmDirectory(destination), destination, run);
}
