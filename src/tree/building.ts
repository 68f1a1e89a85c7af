// New directories with more files than one job makes: several threads make them, and a directory gets its name when the first of
// them are whole. So many and no more, since all of them go if the work is stopped before.

import { type Failed, failedAs } from './copy-entry.js';
import type { Trees } from './hands.js';
import { eachTold, emptyReport, type Part, type Report } from './job.js';
import { NewDirectory, type Within } from './new-directory.js';
import type { Node } from './node.js';
import type { Order } from './orders.js';
import { places } from './place.js';
import { nameOf, parentOf } from './tree.js';

/** Parts, and bytes, that wait for the name at most. */
const partsAtMost = 64;
const bytesAtMost = 64 << 20;

interface Done {
  order: Order;
  report: Report;
}

/** Jobs that can be given now, and what counts now. */
interface News {
  more: Part[];
  within: Within | null;
  done: Done[];
}

class Building {
  readonly within: Within;
  /** What was done in it, which counts once it has its name. In the order of the reports, the directory's own first. */
  readonly done: Done[] = [];
  /** What is left to be made. */
  readonly left: Part[];
  readonly #atOnce: number;
  #parts = 0;
  #underWay = 1;
  #bytes = 0;

  constructor(within: Within, parts: Part[], jobs: number) {
    this.within = within;
    this.left = [...parts];
    this.#atOnce = 3 * jobs;
  }

  received(done: Done): void {
    this.#underWay--;
    for (const { bytes } of eachTold(done.report.told)) this.#bytes += bytes;
    this.done.push(done);
  }

  /** The parts to make next: none when it is to get its name as soon as those under way are done. */
  more(): Part[] {
    if (this.#bytes >= bytesAtMost) return [];
    const room = Math.min(this.#atOnce - this.#underWay, partsAtMost - this.#parts);
    const parts = this.left.splice(0, Math.max(0, room));
    this.#underWay += parts.length;
    this.#parts += parts.length;
    return parts;
  }

  get isReady(): boolean {
    return this.#underWay === 0;
  }
}

export class Buildings {
  readonly #trees: Trees;
  readonly #jobs: number;
  readonly #root: NewDirectory | null;
  readonly #failed: (failed: Failed, path: string) => void;
  readonly #byNode = new Map<Node, Building>();

  /** `jobs`: threads that share the work. `root`: the whole tree has no name yet. `failed`: a directory could not get its name. */
  constructor(trees: Trees, jobs: number, root: NewDirectory | null, failed: (failed: Failed, path: string) => void) {
    this.#trees = trees;
    this.#jobs = jobs;
    this.#root = root;
    this.#failed = failed;
  }

  /** A job has ended, in a directory that may have no name yet. */
  received(order: Order, report: Report): News {
    const { node } = order;
    if (report.within) this.#byNode.set(node, new Building(report.within, report.rest, this.#jobs));
    const building = this.#byNode.get(node);
    if (!building) return { more: [], within: null, done: [{ order, report }] };
    building.received({ order, report });
    const more = building.more();
    if (building.isReady) this.#name(node, building);
    return { more, within: building.within, done: building.isReady ? building.done : [] };
  }

  /** The directory gets its name, and what was done in it counts; or it goes. */
  #name(node: Node, { within, done, left }: Building): void {
    const made = this.#newDirectory(node, within);
    this.#byNode.delete(node);
    try {
      made.commit();
      done[0]!.report.rest = left;
      if (node.path === '') return;
      this.#trees.target!.hold(node.path, made.place);
      this.#trees.target!.release(node.path);
    } catch (error) {
      this.#remove(node, made);
      for (const { report } of done) Object.assign(report, emptyReport(), { entered: false, moved: report.moved });
      this.#failed(failedAs(error), node.path);
    }
  }

  /** Nothing more is done: what has no name yet goes. */
  abandon(): void {
    for (const [node, { within }] of this.#byNode) this.#remove(node, this.#newDirectory(node, within));
    this.#byNode.clear();
  }

  #remove({ path }: Node, made: NewDirectory): void {
    made.remove();
    if (path !== '') places().close(made.place);
  }

  #newDirectory({ path }: Node, within: Within): NewDirectory {
    if (path === '') return this.#root!;
    return new NewDirectory(() => this.#trees.target!.at(parentOf(path)), nameOf(path), within);
  }
}
