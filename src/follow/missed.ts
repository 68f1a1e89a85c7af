// Files that came and went between two looks: a rotated log's, that are found under names with numbers.

import { closeSync } from 'node:fs';
import type { OpenFile } from './operand.js';
import type { Reading } from './reading.js';
import { closeOlder, type OlderFile, openOlder } from './rotations.js';

/** What had `name` after the file of `last` and before `current`, oldest first; none where that is not certain. Close them. */
export function openMissed(name: string, last: Reading, current: OpenFile): OpenFile[] {
  const older = openOlder(name, current.stat, ({ stat }) => last.is(stat));
  const found = older.pop();
  // Numbers may also count upwards, the highest being the newest: what was made before `last` was not missed.
  const between = ({ compressed, stat }: OlderFile) => !compressed && stat.birthtimeNs > last.file.stat.birthtimeNs;
  const known = found !== undefined && last.is(found.stat) && older.every(between);
  if (found) closeOlder([found]);
  if (!known) {
    closeOlder(older);
    return [];
  }
  return older.reverse().map(({ fd, stat }) => ({ fd, stat, seekable: true, start: 0, close: () => closeSync(fd) }));
}
