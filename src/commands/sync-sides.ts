// The two sides of a `sync`, opened; and what cannot be meant refused, before anything is made.

import { lstatSync, mkdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { failure, isSystemError, SluiceError } from '../io/failure.js';
import { fsPath, realPath, trimmedPath } from '../io/path.js';
import { isNamedLater } from '../tree/entrance.js';
import { atimeNs, mtimeNs } from '../tree/facts.js';
import type { NewDirectory } from '../tree/new-directory.js';
import { places } from '../tree/place.js';
import { Tree } from '../tree/tree.js';
import { unnamedRoot } from '../tree/unnamed-root.js';
import { entrySettingsOf, type SyncOptions } from './sync-options.js';

export interface Sides {
  source: Tree;
  /** null where it does not exist, and is not to be made. */
  target: Tree | null;
  /** The target was only just made; or gets its name later. */
  fresh: boolean | NewDirectory;
  /** Of --link-dest. */
  reference: Tree | undefined;
  /** Of --trash. */
  trash: Tree | null;
  /** Where it is, or would be, in the target; null: elsewhere. */
  trashWithin: string | null;
  close(): void;
}

const isThere = (path: string): boolean => statSync(fsPath(path), { throwIfNoEntry: false }) !== undefined;
const isSymlink = (path: string): boolean =>
  lstatSync(fsPath(path), { throwIfNoEntry: false })?.isSymbolicLink() ?? false;

/** The real path that this one has, or would have if it were made. */
function realOnceMade(path: string): string {
  let above = trimmedPath(path);
  let rest = '';
  for (; !isThere(above) && dirname(above) !== above; above = dirname(above)) rest = join(basename(above), rest);
  return join(realPath(above), rest).replace(/(?<=.)\/$/, '');
}

const isIn = (path: string, directory: string): boolean => path.startsWith(directory === '/' ? '/' : `${directory}/`);

/** `make`: DEST may be made (its parent not). Throws a failure that says why not; code ERR_UNREADABLE_SOURCE where deletions are at stake. */
export function openSides(options: SyncOptions, make: boolean): Sides {
  const { destination: to, linkDest, trash: bin } = options;
  const opened: { close(): void }[] = [];
  const open = (path: string): Tree => {
    const tree = new Tree(path);
    opened.push(tree);
    return tree;
  };
  try {
    const source = openSource(options, open);
    const there = isThere(to);
    refuseOverlap(options, there);
    const state = 'nothing was done';
    if (there && !statSync(fsPath(to)).isDirectory())
      throw new SluiceError('is not a directory', { code: 'ENOTDIR', path: to, state });
    const trashWithin = bin === undefined ? null : placeOfTrash(bin, options);
    let target: Tree | null = null;
    let fresh: Sides['fresh'] = !there;
    try {
      if (!there && make && canBeNamedLater(options)) [target, fresh] = makeUnnamed(to, opened);
      else {
        // Made by somebody else meanwhile it is as good.
        if (!there && make) mkdirSync(fsPath(to), { recursive: true, mode: 0o700 });
        if (there || make) target = open(to);
      }
    } catch (error) {
      throw failure(error, { path: to, state });
    }
    const reference = linkDest === undefined ? undefined : openReference(linkDest, to, open);
    let trash: Tree | null = null;
    try {
      if (bin !== undefined && make) {
        makeTrash(bin);
        trash = open(bin);
      }
    } catch (error) {
      throw failure(error, { path: bin!, state });
    }
    return { source, target, fresh, reference, trash, trashWithin, close };
  } catch (error) {
    close();
    throw error;
  }

  function close(): void {
    for (const each of opened.splice(0).reverse()) each.close();
  }
}

/** In the source it would be met under a name that is not its own; a trash may be to be made in it. */
function canBeNamedLater(options: SyncOptions): boolean {
  const { source: from, destination: to, linkDest, trash } = options;
  const byItself = linkDest !== undefined || trash !== undefined;
  return !byItself && isNamedLater(entrySettingsOf(options), false) && !isIn(realOnceMade(to), realPath(from));
}

/** The target, which gets its name when the first files in it are whole. */
function makeUnnamed(to: string, opened: { close(): void }[]): [Tree, NewDirectory] {
  const unnamed = unnamedRoot(trimmedPath(to), 0o700);
  const tree = new Tree(to, false, unnamed.made.place);
  opened.push(unnamed, tree);
  return [tree, unnamed.made];
}

/** Its path in DEST, if it is there; null if it is elsewhere. Throws where it cannot be. */
function placeOfTrash(path: string, { source: from, destination: to }: SyncOptions): string | null {
  const state = 'nothing was done';
  const [trash, source, target] = [realOnceMade(path), realPath(from), realOnceMade(to)];
  for (const [side, name] of [
    [source, from],
    [target, to],
  ] as const)
    if (trash === side) throw new SluiceError(`is ${name} itself: nothing can be moved there`, { path, state });
  if (isIn(trash, target)) {
    const within = trash.slice(target === '/' ? 1 : target.length + 1);
    if (!isThere(join(source, within))) return within;
    throw new SluiceError(`is where the source has ${join(from, within)}: what is moved there would mix with it`, {
      path,
      state,
    });
  }
  if (isIn(trash, source))
    throw new SluiceError(`lies in the source (${from}), which would take what is moved there for contents`, {
      path,
      state,
    });
  return null;
}

/** The directory that gets it looks as before: in DEST its time is compared. */
function makeTrash(path: string): void {
  let above = trimmedPath(path);
  if (isThere(above)) return;
  do above = dirname(above);
  while (!isThere(above) && dirname(above) !== above);
  const place = places().openRoot(above);
  try {
    const facts = places().statOpen(place.fd);
    mkdirSync(fsPath(path), { recursive: true, mode: 0o700 });
    places().setOpenTimes(place.fd, atimeNs(facts), mtimeNs(facts));
  } catch (error) {
    // Somebody else's: then it has a new time.
    if (!isThere(path)) throw error;
  } finally {
    places().close(place);
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
  const source = realPath(from);
  const parent = dirname(trimmedPath(to));
  if (!there && !isThere(parent))
    throw new SluiceError('no such directory to make it in', { code: 'ENOENT', path: to, state });
  if (!there && isSymlink(to))
    throw new SluiceError('is a symlink that leads nowhere', { code: 'ENOENT', path: to, state });
  const target = realOnceMade(to);
  if (source === target) throw new SluiceError(`source and destination (${to}) are the same`, { path: from, state });
  if (swap && isIn(target, source))
    throw new SluiceError(`lies in the source (${from}), and so would the new tree that --swap builds`, {
      path: to,
      state,
    });
  if (isIn(source, target))
    throw new SluiceError(`lies in the destination (${to}), which would take it for contents`, { path: from, state });
}

/** As named; else, as rsync has it, relative to DEST. */
function openReference(path: string, destination: string, open: (path: string) => Tree): Tree {
  try {
    if (isThere(path)) return open(path);
    const relative = join(realOnceMade(destination), path);
    return open(isThere(relative) ? relative : path);
  } catch (error) {
    throw failure(error, { path, state: 'nothing was done' });
  }
}
