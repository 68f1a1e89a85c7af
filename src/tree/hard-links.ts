// Further names of one file: made in one step, and remembered, so that names of one file in the source become names of one
// file in the destination.

import { isSystemError } from '../io/failure.js';
import { tempNameOf } from '../io/temp-name.js';
import type { Verdict } from './action.js';
import type { Done } from './copy-entry.js';
import type { Facts } from './facts.js';
import type { Later } from './job.js';
import { places } from './place.js';
import { nameOf, parentOf, type Tree } from './tree.js';

/** Make `path` in `tree` a hard link to `to` in `other`, replacing what is there in one step. */
export function linkEntry(other: Tree, to: string, tree: Tree, path: string): Done {
  const name = nameOf(path);
  const done: Done = { bytes: 0, method: 'link', lost: [] };
  // Held by itself: the tree may close it when it opens the other directory.
  const from = places().openPlace(other.at(parentOf(to)), '.', false);
  try {
    return tryLink(name) ? done : replace();
  } finally {
    places().close(from);
  }

  function tryLink(as: string): boolean {
    try {
      places().link(from, nameOf(to), tree.at(parentOf(path)), as);
      return true;
    } catch (error) {
      if (isSystemError(error, 'EEXIST')) return false;
      throw error;
    }
  }

  function replace(): Done {
    const temp = tempNameOf(name);
    places().link(from, nameOf(to), tree.at(parentOf(path)), temp);
    try {
      // An empty directory in its place: rename replaces those by directories only.
      if (places().stat(tree.at(parentOf(path)), name)?.kind === 'directory')
        places().removeDirectory(tree.at(parentOf(path)), name);
      places().rename(tree.at(parentOf(path)), temp, tree.at(parentOf(path)), name);
    } finally {
      // Two names of one file already: rename does nothing then.
      if (places().stat(tree.at(parentOf(path)), temp)) places().unlink(tree.at(parentOf(path)), temp);
    }
    return done;
  }
}

/** A filesystem without hard links, too many of them, or two filesystems: a copy must do. */
export const refusesLinks = (error: unknown): boolean =>
  isSystemError(error, 'EPERM', 'EMLINK', 'EXDEV', 'ENOTSUP', 'EOPNOTSUPP');

const identity = ({ dev, ino }: Facts): string => `${dev}:${ino}`;

/** Which names belong together. Asked in the walk's order, so that the first name is the same in every run. */
export class LinkGroups {
  readonly #links: boolean;
  readonly #anew: boolean;
  /** By the source's file: the first name met, and its file in the destination where that stays as it is. */
  readonly #groups = new Map<string, { path: string; target: string | null }>();
  /** Which source file stands behind a file of the destination that has several names. */
  readonly #behind = new Map<string, string>();

  /** `links`: names of one file stay names of one file. `anew`: a whole new tree is built. */
  constructor(links: boolean, anew: boolean) {
    this.#links = links;
    this.#anew = anew;
  }

  /** Of a name that has to wait for a directory to go: the name that it becomes a link to, if there is one by now. */
  behindOthers(path: string, source: Facts): string | undefined {
    const own = identity(source);
    const group = this.#groups.get(own);
    if (!group) this.#groups.set(own, { path, target: null });
    return group?.path;
  }

  /** What is to be done with one name of a file with several, on either side; null = it is the same. */
  settle(path: string, later: Later): (Verdict & { to?: string }) | null {
    const { source, target, verdict } = later;
    if (verdict?.action === 'skip') return verdict;
    if (!this.#links) return this.#apart(verdict, later);
    const own = identity(source);
    const group = source.nlink > 1 ? this.#groups.get(own) : undefined;
    if (group) {
      if (target && group.target === identity(target)) return null;
      return { action: 'link', reason: target ? 'hard link' : 'new', to: group.path };
    }
    let settled = verdict;
    if (target && target.nlink > 1 && verdict?.action !== 'update') {
      const other = this.#behind.get(identity(target));
      if (other === undefined) this.#behind.set(identity(target), own);
      // One file in the destination, two in the source.
      else if (other !== own) settled = { action: 'update', reason: 'hard link' };
    }
    settled = this.#apart(settled, later);
    if (source.nlink > 1) {
      // Where a whole new tree is built, one with new metadata is another file.
      const stays = !settled || (settled.action === 'metadata' && !this.#anew);
      this.#groups.set(own, { path, target: stays && target ? identity(target) : null });
    }
    return settled;
  }

  /** A file's other names may be a snapshot's, or stand for other files of the source: it is not changed in place. */
  #apart(verdict: Verdict | null, { source, target }: Later): Verdict | null {
    if (verdict?.action !== 'metadata' || target!.nlink === (this.#links ? source.nlink : 1)) return verdict;
    return { action: 'update', reason: verdict.reason };
  }
}
