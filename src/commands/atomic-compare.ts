// Is the file still what was read? Asked at the end by edits, appends and --if-match, under a lock that all of them take.

import { SluiceError } from '../io/failure.js';
import type { Version } from '../io/version.js';
import { untouched } from './atomic-run.js';

/** The file became another while it was being edited. */
export class Changed extends SluiceError {}

/** The file as it is now, held open; null where there is none. */
export const versionAt = async (path: string): Promise<Version | null> =>
  (await import('../io/version.js')).Version.open(path, untouched);

/** As long as a command may run that holds the lock, and then some. */
export const lockWait = 10 * 60_000;

/** Under a lock that the others who compare take too, so that nothing comes between the look and the rename. */
export async function insistCurrent(version: Version): Promise<void> {
  if (!(await version.isCurrent())) throw changed();
  await lockVersion(version);
  if (!(await version.isCurrent())) throw changed();
}

export const changed = (): Changed => new Changed('the file has changed meanwhile', { state: untouched });

export async function lockVersion(version: Version): Promise<void> {
  if ((await version.lock(lockWait)) === 'busy') throw new Changed('another process keeps the file locked');
}
