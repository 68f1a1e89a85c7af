// What was done is told in one fixed order, whoever did it and whenever: a directory, its entries by name, large files and
// names of files with several after them, then the directories below.

import type { Action } from './action.js';
import type { Done } from './copy-entry.js';
import { eachTold, type Report } from './job.js';
import type { Node } from './node.js';
import { below } from './tree.js';

export type Tell = (action: Action, done: Pick<Done, 'bytes' | 'method'> & { skipped: boolean }) => void;

export class Telling {
  /** The directories on the way down, the next to tell of last. */
  readonly #line: Node[] = [];
  readonly #tell: Tell;
  readonly #settle: (node: Node) => void;

  /** `settle`: a directory's turn has come for names of files with several, which may give it further slots. */
  constructor(tell: Tell, settle: (node: Node) => void) {
    this.#tell = tell;
    this.#settle = settle;
  }

  begin(root: Node): void {
    this.#line.push(root);
  }

  /** All is told; what comes now is told at once. */
  get ended(): boolean {
    return this.#line.length === 0;
  }

  /** Tell what can be told by now. */
  advance(): void {
    for (let node = this.#line.at(-1); node; node = this.#line.at(-1)) {
      while (node.slots.length > 0) {
        const { report } = node.slots[0]!;
        if (!report) return;
        node.slots.shift();
        this.of(node, report);
      }
      if (node.unsurveyed > 0) return;
      if (node.linked.length > 0) {
        this.#settle(node);
        continue;
      }
      this.#line.pop();
      for (let i = node.children.length; i > 0; i--) this.#line.push(node.children[i - 1]!);
      node.children = [];
    }
  }

  /** One report, now. */
  of(node: Node, { own, told }: Report): void {
    if (own) {
      const action = { ...own, path: node.path, bytes: 0, kind: 'directory' } as const;
      this.#tell(action, { bytes: 0, method: 'metadata', skipped: false });
    }
    for (const { name, action, reason, kind, bytes, method, skipped } of eachTold(told)) {
      const moves = kind === 'file' && (action === 'create' || action === 'update') && !skipped;
      const path = below(node.path, name);
      this.#tell({ action, path, reason, bytes: moves ? bytes : 0, kind }, { bytes, method, skipped });
    }
  }
}
