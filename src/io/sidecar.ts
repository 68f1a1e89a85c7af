// Where the new content of a file lies, whole and saved, while the file is overwritten as it lies there. What is found
// under this name is complete: it gets there by an AtomicFile.

import { lstatSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { encodePath, fsPath, realPath } from './path.js';
import { shortened } from './temp-name.js';

const mark = '.sluice-in-place';

/** Beside the file: the same name wherever the directory is mounted, so that a rescue system finds it too. */
export const sidecarBeside = (path: string): string =>
  `${dirname(path)}/.${shortened(basename(path), 254 - mark.length)}${mark}`;

/** In a directory where others' may lie too. */
export async function sidecarIn(directory: string, path: string): Promise<string> {
  const { createHash } = await import('node:crypto');
  const name = basename(path);
  const parent = realPath(dirname(path));
  const which = createHash('sha256')
    .update(encodePath(`${parent}/${name}`))
    .digest('hex')
    .slice(0, 16);
  return `${directory}/.${shortened(name, 254 - mark.length - 17)}${mark}-${which}`;
}

export const isThere = (path: string): boolean => lstatSync(fsPath(path), { throwIfNoEntry: false }) !== undefined;
