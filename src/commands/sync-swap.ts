// `sync --swap`: a whole new tree beside the old one, and one system call that exchanges the two.

import { lstatSync, mkdirSync, renameSync, rmdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { failure, isSystemError, SluiceError } from '../io/failure.js';
import { native } from '../io/native.js';
import { fsPath, realPath } from '../io/path.js';
import { tempName } from '../io/temp-name.js';
import { whileUnfinished } from '../io/unfinished.js';
import { carryTree } from '../tree/carry.js';
import type { Extra } from '../tree/delete.js';
import type { Node } from '../tree/node.js';
import { type Place, places } from '../tree/place.js';
import { removeTree } from '../tree/remove-tree.js';
import { Tree } from '../tree/tree.js';
import { lockDirectory, removeLeftovers } from '../tree/unnamed-root.js';

export interface NewTree {
  readonly tree: Tree;
  /** What stays though the source has it not. The directories whose contents changed by that. */
  carry(old: Tree, extras: Extra[], gone: ReadonlySet<string>, fail: (error: unknown, path: string) => void): Node[];
  /** All of it reaches stable storage. */
  sync(): Promise<void>;
  /** The new tree is the destination from here on. */
  commit(): void;
  /** Removes what is beside the destination: the new tree if it was given up, else the old one. */
  discard(fail: (error: unknown) => void): void;
}

/** A new directory beside `path`, open, and locked by a descriptor of its own: that tells it from what killed runs left. */
function makeBeside(path: string): { beside: string; tree: Tree; lock: Place } {
  for (;;) {
    const beside = tempName(path);
    mkdirSync(fsPath(beside), 0o700);
    let tree: Tree | undefined;
    try {
      tree = new Tree(beside);
      const lock = places().openPlace(tree.root, '.', false);
      // Else another run took it for a leftover, in the moment before it was locked.
      if (lockDirectory(lock) !== 'by another' && places().statOpen(lock.fd).nlink > 0) return { beside, tree, lock };
      places().close(lock);
      tree.close();
    } catch (error) {
      tree?.close();
      if (isSystemError(error, 'ENOENT')) continue;
      rmdirSync(fsPath(beside));
      throw error;
    }
  }
}

/** Throws, with nothing made, where two directories cannot be exchanged. */
export function newTree(destination: string, old: Tree | null): NewTree {
  // A symlink keeps its place; the directory it leads to is exchanged.
  const path = old ? realPath(destination) : destination;
  removeLeftovers(path);
  if (old) mustExchange(path);
  const { beside, tree, lock } = makeBeside(path);
  let there = true;
  const remove = () => removeTree(beside);
  const finished = whileUnfinished(() => {
    try {
      remove();
    } catch {
      // Nobody is left to tell.
    }
  });
  return {
    tree,
    carry: (from, extras, gone, fail) => carryTree(from, tree, extras, gone, fail),
    async sync() {
      const files = native()?.files;
      if (files) await files.syncFilesystemAsync(tree.root.fd);
      else throw new SluiceError('cannot be made durable with --swap without native calls', { path: destination });
    },
    commit() {
      try {
        if (!old) renameSync(fsPath(beside), fsPath(path));
        else native()!.files.exchange(fsPath(beside), fsPath(path));
        there = old !== null;
      } catch (error) {
        throw failure(error, { path: destination, state: 'it was left as it is' });
      }
    },
    discard(fail) {
      tree.close();
      try {
        if (there) remove();
      } catch (error) {
        fail(error);
      } finally {
        places().close(lock);
        finished();
      }
    },
  };
}

/** Tried on two directories of our own, before any work is done. */
function mustExchange(path: string): void {
  const state = 'nothing was done';
  const calls = native();
  if (!calls) throw new SluiceError('--swap takes native calls, and there are none', { path, state });
  if (dirname(path) === path) throw new SluiceError('--swap cannot exchange a root directory', { path, state });
  const [one, other] = [tempName(path), tempName(path)];
  try {
    mkdirSync(fsPath(one), 0o700);
    mkdirSync(fsPath(other), 0o700);
    calls.files.exchange(fsPath(one), fsPath(other));
    if (statSync(fsPath(path)).dev !== statSync(fsPath(dirname(path))).dev)
      throw new SluiceError('is a mount point, which --swap cannot exchange', { path, state });
  } catch (error) {
    if (!isSystemError(error, 'EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP')) throw failure(error, { path, state });
    throw new SluiceError('--swap cannot be had: this file system exchanges no directories', {
      path,
      state,
      cause: error,
    });
  } finally {
    for (const each of [one, other]) if (lstatSync(fsPath(each), { throwIfNoEntry: false })) rmdirSync(fsPath(each));
  }
}
