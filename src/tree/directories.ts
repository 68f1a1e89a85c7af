// The target's directories while entries in them come and go: opened where their mode keeps us out, given their own attributes
// when the last entry is done, and made durable at the end.

import type { Loss } from '../io/attributes.js';
import { fsyncFile } from '../io/durability.js';
import { isSystemError } from '../io/failure.js';
import { type EntrySettings, type Failed, failedAs } from './copy-entry.js';
import { dressDirectory, type Model } from './dress.js';
import type { Trees } from './hands.js';
import type { Node } from './node.js';
import { places } from './place.js';
import type { Runner } from './runner.js';
import { nameOf, parentOf, type Tree } from './tree.js';

export interface DirectoryEvents {
  failed(failed: Failed, path: string): void;
  lost(what: Loss): void;
}

export class Directories {
  readonly #trees: Trees;
  readonly #entry: EntrySettings;
  readonly #anew: boolean;
  readonly #runner: Runner;
  readonly #events: DirectoryEvents;
  /** Relative paths of those with new names in them, or with other attributes. */
  readonly #changed = new Set<string>();

  /** `anew`: a whole new tree is built. */
  constructor(trees: Trees, entry: EntrySettings, anew: boolean, runner: Runner, events: DirectoryEvents) {
    this.#trees = trees;
    this.#entry = entry;
    this.#anew = anew;
    this.#runner = runner;
    this.#events = events;
  }

  /** Entries in it are going to change. */
  openUp(node: Node): void {
    if (!node.opened) node.opened = this.#runner.openUp(node.path, node.target, 0o700);
  }

  /** Names in it have changed. */
  changed(node: Node): void {
    this.#changed.add(node.path);
    if (node.target) node.touched = true;
  }

  /** The same, of one that has its attributes, or that gets them otherwise. */
  changedAt(path: string): void {
    this.#changed.add(path);
  }

  /** Something in this directory has ended; with the last of it the directory gets its own attributes. */
  release(node: Node): void {
    for (let each: Node | null = node; each; each = each.parent) {
      if (--each.pending > 0) return;
      this.dress(each);
    }
  }

  dress(node: Node): void {
    const { source, target } = this.#trees;
    if (!target || (!node.touched && !node.opened)) return;
    this.#changed.add(node.path);
    try {
      const existing = this.#anew ? null : node.target;
      const at = { source: () => modelIn(source, node.path), target: target.at(node.path) };
      const lost = dressDirectory(at, node.source, existing, this.#entry.keep, node.opened);
      for (const what of lost) this.#events.lost(what);
    } catch (error) {
      this.#events.failed(failedAs(error), node.path);
    }
  }

  /** The names in every directory that was changed reach stable storage. Calls `failed` for those that do not. */
  async sync(failed: (failed: Failed, path: string) => void): Promise<void> {
    for (const path of this.#changed) {
      try {
        await fsyncFile(this.#trees.target!.at(path).fd);
      } catch (error) {
        failed({ ...failedAs(error), state: 'what is in it may not survive a power cut' }, path);
      }
    }
    this.#changed.clear();
  }
}

/** That it could not be read was told when it was to be listed: what can be seen from outside is kept all the same. */
function modelIn(source: Tree, path: string): Model {
  try {
    const place = source.at(path);
    return { place, self: place.fd };
  } catch (error) {
    if (!isSystemError(error, 'EACCES')) throw error;
    const place = source.at(parentOf(path));
    return { place, self: places().pathOf(place, nameOf(path)) };
  }
}
