// What only the destination has, taken away: counted first, so that guards can speak; then removed, or moved to a trash
// directory, contents before the directories they are in. Nothing is followed, and what the filters keep stays.

import { isSystemError } from '../io/failure.js';
import { nameMax, shortened } from '../io/temp-name.js';
import type { Action, Work } from './action.js';
import { copyEntry, copyLarge, type EntrySettings, smallFile } from './copy-entry.js';
import type { Facts } from './facts.js';
import type { Scope } from './filter.js';
import { holding } from './holding.js';
import type { Node } from './node.js';
import { places } from './place.js';
import { below, nameOf, parentOf, type Tree } from './tree.js';

/** An entry that is to go. */
export interface Extra {
  /** The directory that has it, which stays. */
  node: Node;
  name: string;
  facts: Facts;
  scope: Scope;
  reason: string;
  /** What goes in its place then. */
  work?: Work;
}

export interface Doomed {
  extra: Extra;
  action: Action;
  facts: Facts;
}

/** What stays. */
export interface Sparing {
  deleteExcluded: boolean;
  /** This directory; null: none. */
  spare: string | null;
  /** Directories of other filesystems than this one; null: none. */
  device: number | null;
}

/**
 * Everything that goes, contents first. What the filters keep stays, and what else is spared, and the directories above it.
 * When it is carried out meanwhile, each entry must be gone before the next is asked for.
 */
export function* doomed(
  target: Tree,
  extras: Extra[],
  { deleteExcluded, spare, device }: Sparing,
  fail: (error: unknown, path: string) => void,
  opening: (path: string, facts: Facts) => void = () => {},
): Generator<Doomed, void> {
  for (const extra of extras) yield* one(extra, extra.node.path, extra.name, extra.facts, extra.scope);

  function* one(extra: Extra, directory: string, name: string, facts: Facts, scope: Scope): Generator<Doomed, boolean> {
    const path = below(directory, name);
    if (path === spare) return false;
    if (facts.kind === 'directory') {
      if (device !== null && facts.dev !== device) return false;
      let empty = !spare?.startsWith(`${path}/`);
      const inner = scope.enter(name, undefined);
      const names: string[] = [];
      try {
        opening(path, facts);
        places().list(target.at(path), (each) => names.push(each));
      } catch (error) {
        // Taken away by somebody else.
        if (isSystemError(error, 'ENOENT')) return true;
        fail(error, path);
        return false;
      }
      for (const each of names.sort()) {
        let there: Facts | null;
        try {
          there = places().stat(target.at(path), each);
        } catch (error) {
          fail(error, below(path, each));
          empty = false;
          continue;
        }
        if (!there) continue;
        if (!deleteExcluded && inner.excludes(each, there.kind === 'directory')) empty = false;
        else if (!(yield* one(extra, path, each, there, inner))) empty = false;
      }
      if (!empty) return false;
    }
    const { reason } = extra;
    yield { extra, action: { action: 'delete', path, reason, bytes: 0, kind: facts.kind }, facts };
    return true;
  }
}

/** Carries single deletions out. */
export class Remover {
  readonly #target: Tree;
  readonly #trash: Tree | null;
  readonly #entry: EntrySettings;
  /** Directories that have another name in the trash, since something else has theirs. */
  readonly #renamed = new Map<string, string>();

  constructor(target: Tree, trash: Tree | null, entry: EntrySettings) {
    this.#target = target;
    this.#trash = trash;
    this.#entry = entry;
  }

  /** A directory of ours that keeps us out is opened first: it is about to go, or gets its mode back. */
  open(path: string, facts: Facts): void {
    const { uid } = this.#entry.keep;
    if (uid === 0 || facts.uid !== uid || (facts.mode & 0o700) === 0o700 || path === '') return;
    places().changeMode(this.#target.at(parentOf(path)), nameOf(path), facts.mode | 0o700);
  }

  /** Throws where the entry is still there. */
  async remove({ path }: Action, facts: Facts): Promise<void> {
    const name = nameOf(path);
    const isDirectory = facts.kind === 'directory';
    try {
      if (this.#trash && !isDirectory) await this.#move(path, facts);
      else if (isDirectory) {
        if (this.#trash) this.#prepare(path);
        this.#target.forget(path);
        places().removeDirectory(this.#target.at(parentOf(path)), name);
      } else places().unlink(this.#target.at(parentOf(path)), name);
    } catch (error) {
      if (!isSystemError(error, 'ENOENT')) throw error;
    }
  }

  async #move(path: string, facts: Facts): Promise<void> {
    const trash = this.#trash!;
    const home = this.#prepare(parentOf(path));
    const name = nameOf(path);
    const as = this.#free(home, name);
    try {
      places().rename(this.#target.at(parentOf(path)), name, trash.at(home), as);
    } catch (error) {
      if (!isSystemError(error, 'EXDEV')) throw error;
      await this.#copyThere(path, facts, home, as);
      places().unlink(this.#target.at(parentOf(path)), name);
    }
  }

  /** A name that nothing in this directory of the trash has: `name`, or one made from it. */
  #free(home: string, name: string): string {
    let as = name;
    for (let i = 1; places().stat(this.#trash!.at(home), as); i++) {
      const suffix = `.~${i}~`;
      as = `${shortened(name, nameMax - suffix.length)}${suffix}`;
    }
    return as;
  }

  /** To another filesystem: with all that it is. */
  async #copyThere(path: string, facts: Facts, home: string, as: string): Promise<void> {
    const keep = {
      ...this.#entry.keep,
      mode: true,
      acl: true,
      times: true,
      xattrs: true,
      owner: this.#entry.keep.uid === 0,
    };
    const entry: EntrySettings = { ...this.#entry, keep, stage: false, noClobber: true, follow: false };
    const way = { source: this.#target.at(parentOf(path)), target: this.#trash!.at(home) };
    const name = nameOf(path);
    const work = { name, action: 'create', reason: 'trash', source: facts, target: null, as } as const;
    const buffer = Buffer.allocUnsafeSlow(smallFile + 1);
    if (!copyEntry(way, work, entry, buffer)) await holding(way, (held) => copyLarge(held, work, entry, () => {}));
  }

  /** Where the directory `path` is in the trash: made, with those above it, as they are in the destination. */
  #prepare(path: string): string {
    const trash = this.#trash!;
    if (path === '') return '';
    const above = this.#prepare(parentOf(path));
    const known = this.#renamed.get(path);
    const name = known ?? nameOf(path);
    const kind = places().stat(trash.at(above), name)?.kind;
    if (kind === 'directory') return below(above, name);
    const as = kind === undefined ? name : this.#free(above, name);
    if (as !== nameOf(path)) this.#renamed.set(path, as);
    const there = places().stat(this.#target.at(parentOf(path)), nameOf(path));
    places().makeDirectory(trash.at(above), as, ((there?.mode ?? 0o700) & 0o777) | 0o700);
    return below(above, as);
  }
}
