// Names of files with several: settled in the walk's order, and made, changed or parted when all that they depend on is in place.

import type { Loss } from '../io/attributes.js';
import type { Action, Work } from './action.js';
import { type Done, type Failed, failedAs } from './copy-entry.js';
import type { Trees } from './hands.js';
import { LinkGroups, linkEntry, refusesLinks } from './hard-links.js';
import { asWork, type Later } from './job.js';
import type { Node } from './node.js';
import { below } from './tree.js';

/** What they ask of the engine. */
export interface NamesHost {
  /** A job of it. */
  place(node: Node, work: Work): void;
  /** The directory is going to change. */
  change(node: Node): void;
  /** Something in the directory has ended. */
  release(node: Node): void;
  /** A name that is the same on both sides. */
  same(): void;
  done(action: Action, done: Pick<Done, 'bytes' | 'method'> & { skipped: boolean }): void;
  failed(failed: Failed, path: string): void;
  lost(what: Loss): void;
}

interface Waiting {
  node: Node;
  work: Work;
}

const otherTree = { action: 'create', reason: 'same' } as const;

export class FurtherNames {
  readonly #trees: Trees;
  readonly #anew: boolean;
  readonly #host: NamesHost;
  readonly #groups: LinkGroups;
  /** Made when all else is in place. */
  #late: (Waiting & { to: string })[] = [];
  /** In the place of a directory that has to go first. */
  readonly #blocked: Waiting[] = [];
  /** Names of one file in the destination that are to be files of their own: replaced when all were looked at. */
  #parting: Waiting[] = [];

  /** `links`: names of one file stay names of one file. `anew`: a whole new tree is built. */
  constructor(trees: Trees, links: boolean, anew: boolean, host: NamesHost) {
    this.#trees = trees;
    this.#anew = anew;
    this.#host = host;
    this.#groups = new LinkGroups(links, anew);
  }

  /** Its turn in the walk's order has come: which of its names are the first of their files is settled. */
  settle(node: Node): void {
    const { linked, path } = node;
    node.linked = [];
    for (const later of linked) {
      const settled = this.#groups.settle(below(path, later.name), later);
      if (!settled) {
        this.#host.same();
        if (this.#anew) this.#carry(node, later);
        continue;
      }
      const work = asWork(later, settled);
      if (settled.to !== undefined) this.linkLater(node, work, settled.to);
      else if (later.target && later.target.nlink > 1 && settled.action !== 'metadata') {
        node.pending++;
        this.#parting.push({ node, work });
      } else this.#host.place(node, work);
    }
    this.#host.release(node);
  }

  /** A link to `to`, which will be in place. The directory waits for it. */
  linkLater(node: Node, work: Work, to: string): void {
    node.pending++;
    this.#late.push({ node, work, to });
  }

  /** In the way is a directory with contents; `settleBlocked` says whether it is a link to another name. */
  blocked(node: Node, work: Work): void {
    this.#blocked.push({ node, work });
  }

  /** Of names of one file that are in no one's way any is the first; of those that have to wait, the others are links to it. */
  settleBlocked(): void {
    for (const { node, work } of this.#blocked) {
      const to = this.#groups.behindOthers(below(node.path, work.name), work.source);
      if (to !== undefined) Object.assign(work, { action: 'link', to });
    }
  }

  /** What waited for all others to be looked at, or to be in place. False: nothing waits. */
  async goOn(pace: () => Promise<unknown> | undefined): Promise<boolean> {
    if (this.#parting.length > 0) this.#part();
    else if (this.#late.length > 0) await this.#link(pace);
    else return false;
    return true;
  }

  /** Replaced earlier, they would have changed how many names others have, which are looked at still. */
  #part(): void {
    const parting = this.#parting;
    this.#parting = [];
    for (const { node, work } of parting) {
      this.#host.place(node, work);
      this.#host.release(node);
    }
  }

  /** Further names of files that are in place by now. */
  async #link(pace: () => Promise<unknown> | undefined): Promise<void> {
    const late = this.#late;
    this.#late = [];
    const { target } = this.#trees;
    for (const { node, work, to } of late) {
      const path = below(node.path, work.name);
      const { action, reason, source } = work;
      try {
        if (target) {
          this.#host.change(node);
          linkEntry(target, to, target, path);
        }
        const told: Action = { action, path, reason, bytes: 0, kind: source.kind, to };
        this.#host.done(told, { bytes: 0, method: 'link', skipped: false });
      } catch (error) {
        if (refusesLinks(error)) {
          this.#host.lost('hard link');
          this.#host.place(node, { ...work, action: 'create' });
        } else this.#host.failed(failedAs(error), path);
      }
      this.#host.release(node);
      const pause = pace();
      if (pause) await pause;
    }
  }

  /** What is the same in the old tree is in the new one by another name; a copy, where that cannot be. */
  #carry(node: Node, later: Later): void {
    const { there, target } = this.#trees;
    const path = below(node.path, later.name);
    try {
      linkEntry(there!, path, target!, path);
    } catch (error) {
      if (refusesLinks(error)) this.#host.place(node, { ...asWork(later, otherTree), target: null });
      else this.#host.failed(failedAs(error), path);
    }
  }
}
