// A directory that is being worked on: what must still end in it, and what of it has been told.

import type { Facts } from './facts.js';
import type { Found, Later, Report } from './job.js';
import { below } from './tree.js';

/** One job's place in the order of telling. */
export interface Slot {
  /** Once all of it is in place. */
  report: Report | null;
}

export class Node {
  readonly path: string;
  readonly parent: Node | null;
  readonly source: Facts;
  /** The directory as it was in the destination; null = it is new. */
  readonly target: Facts | null;
  /** What was in its place and is none. */
  readonly instead: Facts | null;
  /** Its attributes have to be set once everything in it is done. */
  touched = false;
  /** The mode that it got for the time of the work, where its own would have kept us out. */
  opened = false;
  /** What must still end before its attributes can be set: the survey, other jobs, directories below. */
  pending = 1;
  /** Parts of it that are still to be surveyed. */
  unsurveyed = 1;
  /** In the order of telling. */
  slots: Slot[] = [];
  /** Names of files with several, waiting for their turn in the walk's order. */
  linked: Later[] = [];
  /** Directories below, in order: found, then walked. */
  found: Found[] = [];
  children: Node[] = [];

  constructor(parent: Node | null, { name, source, target, instead }: Found) {
    this.path = parent ? below(parent.path, name) : '';
    this.parent = parent;
    this.source = source;
    this.target = target;
    this.instead = instead;
    if (parent) parent.pending++;
  }

  /** Before or behind `other` in the walk: a directory, those below it, those beside it, each by name. */
  comesBefore(other: Node): boolean {
    return this.#place() < other.#place();
  }

  #order: string | undefined;
  #place(): string {
    // NUL is in no name, and lower than all that is.
    this.#order ??= this.path.replaceAll('/', '\0');
    return this.#order;
  }

  addSlot(): Slot {
    const slot: Slot = { report: null };
    this.slots.push(slot);
    this.pending++;
    return slot;
  }
}
