// The two sides of a `sync`, opened; and what cannot be meant refused, before anything is made.

import { mkdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { failure, isSystemError, SluiceError } from '../io/failure.js';
import { decodePath, fsPath } from '../io/path.js';
import { sameFile } from '../tree/facts.js';
import { places } from '../tree/place.js';
import { Tree } from '../tree/tree.js';
import type { SyncOptions } from './sync-options.js';

export interface Sides {
  source: Tree;
  /** null where it does not exist, and is not to be made. */
  target: Tree | null;
  /** The target was only just made. */
  fresh: boolean;
  /** Of --link-dest. */
  reference: Tree | undefined;
  /** Of --trash. */
  trash: Tree | null;
  close(): void;
}

export const real = (path: string): string => decodePath(realpathSync(fsPath(path), { encoding: 'buffer' }));

const isThere = (path: string): boolean => statSync(fsPath(path), { throwIfNoEntry: false }) !== undefined;

/** `make`: DEST may be made (its parent not). Throws a failure that says why not; code ERR_UNREADABLE_SOURCE where deletions are at stake. */
export function openSides(options: SyncOptions, make: boolean): Sides {
  const { destination: to, linkDest, trash: bin } = options;
  const opened: Tree[] = [];
  const open = (path: string): Tree => {
    const tree = new Tree(path);
    opened.push(tree);
    return tree;
  };
  try {
    const source = openSource(options, open);
    const there = isThere(to);
    refuseOverlap(options, there);
    if (there && !statSync(fsPath(to)).isDirectory())
      throw new SluiceError('is not a directory', { code: 'ENOTDIR', path: to, state: 'nothing was done' });
    let target: Tree | null = null;
    try {
      if (!there && make) mkdirSync(fsPath(to), 0o700);
      if (there || make) target = open(to);
    } catch (error) {
      throw failure(error, { path: to, state: 'nothing was done' });
    }
    const reference = linkDest === undefined ? undefined : openReference(linkDest, to, open);
    let trash: Tree | null = null;
    if (bin !== undefined && make) {
      try {
        mkdirSync(fsPath(bin), { recursive: true, mode: 0o700 });
        trash = open(bin);
        for (const tree of [source, target!])
          if (sameFile(places().statOpen(tree.root.fd), places().statOpen(trash.root.fd)))
            throw new SluiceError(`is ${tree.path} itself: nothing can be moved there`, {
              path: bin,
              state: 'nothing was done',
            });
      } catch (error) {
        throw failure(error, { path: bin, state: 'nothing was done' });
      }
    }
    return { source, target, fresh: !there, reference, trash, close };
  } catch (error) {
    close();
    throw error;
  }

  function close(): void {
    for (const tree of opened.splice(0)) tree.close();
  }
}

function openSource(options: SyncOptions, open: (path: string) => Tree): Tree {
  const { source: from, destination: to } = options;
  try {
    const source = open(from);
    places().list(source.root, () => {});
    return source;
  } catch (error) {
    const state = `${to} was left as it is`;
    const atStake = options.delete && !isSystemError(error, 'ENOENT', 'ENOTDIR');
    if (!atStake) throw failure(error, { path: from, state });
    const { message, syscall } = failure(error);
    throw new SluiceError(`cannot be read: ${message}`, {
      code: 'ERR_UNREADABLE_SOURCE',
      ...(syscall !== undefined && { syscall }),
      path: from,
      state,
    });
  }
}

function refuseOverlap({ source: from, destination: to, swap }: SyncOptions, there: boolean): void {
  const state = 'nothing was done';
  const source = real(from);
  const parent = dirname(resolve(to));
  if (!there && !isThere(parent))
    throw new SluiceError('no such directory to make it in', { code: 'ENOENT', path: to, state });
  const target = there ? real(to) : join(real(parent), basename(resolve(to)));
  if (source === target) throw new SluiceError(`source and destination (${to}) are the same`, { path: from, state });
  if (swap && target.startsWith(source === '/' ? '/' : `${source}/`))
    throw new SluiceError(`lies in the source (${from}), and so would the new tree that --swap builds`, {
      path: to,
      state,
    });
  if (source.startsWith(target === '/' ? '/' : `${target}/`))
    throw new SluiceError(`lies in the destination (${to}), which would take it for contents`, { path: from, state });
}

/** As named; else, as rsync has it, relative to DEST. */
function openReference(path: string, destination: string, open: (path: string) => Tree): Tree {
  try {
    return open(isThere(path) || !isThere(join(destination, path)) ? path : join(destination, path));
  } catch (error) {
    throw failure(error, { path, state: 'nothing was done' });
  }
}
