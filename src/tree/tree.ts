// One side of a copy: a directory held open as its root, and the directories below it by relative path, each reached
// component by component from an open one. Few are kept open at a time, so that a tree of any depth needs few descriptors.

import { readFileSync } from 'node:fs';
import { isSystemError } from '../io/failure.js';
import { type Place, places } from './place.js';

/** Directories kept open a tree. A walk needs its own and, to go back up, its parents; those further up are opened again. */
const keptOpen = (): number => (fewDescriptors() ? 2 : 6);

let few: boolean | undefined;

/** Are we allowed so few descriptors that each counts (and a thread, which takes some for itself, is too many)? */
export function fewDescriptors(): boolean {
  few ??= limit() < 128;
  return few;
}

function limit(): number {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
    return line ? Number(line[1]) : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

export class Tree {
  /** The root as the user named it. */
  readonly path: string;
  readonly root: Place;
  readonly #follow: boolean;
  readonly #ownsRoot: boolean;
  /** By relative path, least recently used first. */
  readonly #open = new Map<string, Place>();

  readonly #held = new Set<Place>();
  /** What was asked for last, which is what will be asked for next. */
  #lastPath: string | undefined;
  #last: Place | null = null;

  /** Opens `path`, following symlinks to it; below it they are followed only with `follow`. */
  constructor(path: string, follow = false, root?: Place) {
    this.path = path;
    this.root = root ?? places().openRoot(path);
    this.#ownsRoot = root === undefined;
    this.#follow = follow;
  }

  /** The open directory at this relative path ('' is the root). Good until the next call: nothing else may be kept of it. */
  at(relative: string): Place {
    if (relative === '') return this.root;
    if (relative === this.#lastPath) return this.#last!;
    let place = this.#open.get(relative);
    if (place) {
      this.#open.delete(relative);
      this.#open.set(relative, place);
    } else place = this.#reach(relative);
    this.#lastPath = relative;
    this.#last = place;
    return place;
  }

  /** The name for people: below the root as the user named it. */
  shown(relative: string): string {
    if (relative === '') return this.path;
    return this.path.endsWith('/') ? this.path + relative : `${this.path}/${relative}`;
  }

  /** `place` is the directory at this path, whatever name it has, until it is released or taken. */
  hold(relative: string, place: Place): void {
    this.#lastPath = undefined;
    this.#open.set(relative, place);
    this.#held.add(place);
    this.#trim(keptOpen(), place);
  }

  /** From here on what was held is kept open like any other. */
  release(relative: string): void {
    this.#held.delete(this.#open.get(relative)!);
  }

  /** What was held stays open, and is no longer ours. */
  take(relative: string): void {
    this.#lastPath = undefined;
    this.release(relative);
    this.#open.delete(relative);
  }

  /** Forget what is open at and below `relative`: it is about to be renamed or removed. */
  forget(relative: string): void {
    this.#lastPath = undefined;
    for (const [path, place] of this.#open) {
      if (path !== relative && !path.startsWith(`${relative}/`)) continue;
      this.#open.delete(path);
      places().close(place);
    }
  }

  close(): void {
    for (const place of this.#open.values()) places().close(place);
    this.#open.clear();
    if (this.#ownsRoot) places().close(this.root);
  }

  #reach(relative: string): Place {
    // From the nearest directory above that is open.
    let from = relative.lastIndexOf('/');
    while (from > 0 && !this.#open.has(relative.slice(0, from))) from = relative.lastIndexOf('/', from - 1);
    let place = from > 0 ? this.#open.get(relative.slice(0, from))! : this.root;
    let start = from > 0 ? from + 1 : 0;
    while (start <= relative.length) {
      const slash = relative.indexOf('/', start);
      const end = slash < 0 ? relative.length : slash;
      const next = this.#openNamed(place, relative.slice(start, end));
      this.#open.set(relative.slice(0, end), next);
      place = next;
      start = end + 1;
      this.#trim(keptOpen(), place);
    }
    return place;
  }

  #openNamed(place: Place, name: string): Place {
    try {
      return places().openPlace(place, name, this.#follow);
    } catch (error) {
      if (!isSystemError(error, 'EMFILE', 'ENFILE')) throw error;
      this.#trim(0, place);
      return places().openPlace(place, name, this.#follow);
    }
  }

  #trim(most: number, needed: Place): void {
    this.#lastPath = undefined;
    for (const [path, place] of this.#open) {
      if (this.#open.size <= most) return;
      if (place === needed || this.#held.has(place)) continue;
      this.#open.delete(path);
      places().close(place);
    }
  }
}

/** `name` in the directory at relative path `directory`. */
export const below = (directory: string, name: string): string => (directory === '' ? name : `${directory}/${name}`);

export function parentOf(relative: string): string {
  const slash = relative.lastIndexOf('/');
  return slash < 0 ? '' : relative.slice(0, slash);
}

export const nameOf = (relative: string): string => relative.slice(relative.lastIndexOf('/') + 1);
