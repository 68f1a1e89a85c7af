// Where a tree is copied to: the directory that is there, or a new one; and what cannot be meant refused, before anything is made.

import { basename, dirname, join } from 'node:path';
import { failure, isSystemError, SluiceError } from '../io/failure.js';
import { realPath } from '../io/path.js';
import { makeOrFind } from '../tree/entrance.js';
import type { NewDirectory } from '../tree/new-directory.js';
import { newDirectoryMode } from '../tree/new-mode.js';
import { type Place, places } from '../tree/place.js';
import type { Tree } from '../tree/tree.js';
import { unnamedRoot } from '../tree/unnamed-root.js';
import type { CopyOptions, Job } from './copy.js';

export interface Target {
  /** null where a dry run would make it. */
  root: Place | null;
  /** It was made just now; or gets its name later. */
  fresh: boolean | NewDirectory;
  close(): void;
}

/** `unnamed`: a new one may get its name later. The destination's directory: as the user named it links count, below that not. */
export function openTarget(job: Job, options: CopyOptions, source: Tree, unnamed: boolean): Target {
  const { destination } = job;
  const named = destination === options.destination;
  const parent = dirname(destination.replace(/(?<=.)\/+$/, ''));
  const name = basename(destination);
  const state = 'it was left as it is';
  let at: Place;
  try {
    at = places().openRoot(parent);
  } catch (error) {
    throw failure(error, { path: parent, state: 'nothing was copied' });
  }
  const opened = (root: Place | null, fresh: boolean): Target => ({
    root,
    fresh,
    close() {
      if (root) places().close(root);
    },
  });
  try {
    const special = name === '' || name === '.' || name === '..';
    const there = special ? null : places().stat(at, name);
    const isLink = there?.kind === 'symlink' && named;
    if (there && there.kind !== 'directory' && !(isLink && places().stat(at, name, true)?.kind === 'directory'))
      throw new SluiceError('is no directory, and cannot be replaced by one', {
        code: 'ENOTDIR',
        path: destination,
        state,
      });
    const fresh = !there && !special;
    if (fresh && options.dryRun) return opened(null, fresh);
    if (special) return opened(places().openRoot(destination), fresh);
    if (!fresh) return opened(places().openPlace(at, name, isLink), fresh);
    const closed = options.preserve.has('mode') || options.preserve.has('ownership');
    const mode = closed ? 0o700 : newDirectoryMode(places().statOpen(source.root.fd).mode, process.umask());
    if (unnamed) {
      const root = unnamedRoot(destination.replace(/(?<=.)\/+$/, ''), mode);
      return { root: root.made.place, fresh: root.made, close: root.close };
    }
    makeOrFind(at, name, mode);
    return opened(places().openPlace(at, name, false), fresh);
  } catch (error) {
    throw failure(error, { path: destination, state: 'nothing was copied into it' });
  } finally {
    places().close(at);
  }
}

/** A directory would never be done with, copied into itself. */
export function refuseIntoItself(source: string, destination: string): void {
  const from = realPath(source);
  let to = destination;
  let rest = '';
  for (;;) {
    try {
      to = join(realPath(to), rest);
      break;
    } catch (error) {
      if (!isSystemError(error, 'ENOENT', 'ENOTDIR')) throw failure(error, { path: destination });
      rest = join(basename(to), rest);
      to = dirname(to);
    }
  }
  if (to !== from && !to.startsWith(from === '/' ? '/' : `${from}/`)) return;
  throw new SluiceError(`cannot be copied into itself (${destination})`, { path: source, state: 'nothing was made' });
}
