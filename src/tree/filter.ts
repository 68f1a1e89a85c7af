// Which entries belong to a copy: globs first, in their order; then, where asked for, what git ignores.

import { closeSync, constants, readFileSync } from 'node:fs';
import { decodePath } from '../io/path.js';
import { GitIgnore } from './gitignore.js';
import { type CompiledRule, compileRule } from './globs.js';
import type { Filter } from './job.js';
import { places } from './place.js';
import { below, nameOf, parentOf, type Tree } from './tree.js';

/** What decides in one directory. */
export interface Scope {
  excludes(name: string, isDirectory: boolean): boolean;
  /** The directory `name` below; `source` has it, if it is not undefined, and its .gitignore counts. */
  enter(name: string, source: Tree | undefined): Scope;
}

export const everything: Scope = { excludes: () => false, enter: () => everything };

/** Scopes of directories kept at a time: a walk comes back to those on its way. */
const keptAtMost = 64;

/** What decides in each directory of a source. */
export class Scopes {
  readonly #source: Tree;
  readonly #root: Scope;
  /** By relative path, least recently made first. */
  readonly #made = new Map<string, Scope>();

  constructor({ rules, git }: Filter, source: Tree) {
    this.#source = source;
    const none = rules.length === 0 && git === undefined;
    this.#root = none
      ? everything
      : scope(
          '',
          rules.map(compileRule),
          git === undefined ? undefined : GitIgnore.above(git).enter('', ownRules(source, '')),
        );
  }

  at(path: string): Scope {
    if (path === '' || this.#root === everything) return this.#root;
    let found = this.#made.get(path);
    if (!found) {
      found = this.at(parentOf(path)).enter(nameOf(path), this.#source);
      this.#made.set(path, found);
      for (const [oldest] of this.#made) {
        if (this.#made.size <= keptAtMost) break;
        this.#made.delete(oldest);
      }
    }
    return found;
  }
}

function scope(directory: string, rules: CompiledRule[], git: GitIgnore | undefined): Scope {
  return {
    excludes(name, isDirectory) {
      const path = below(directory, name);
      for (const rule of rules) if (rule.matches(path, name, isDirectory)) return !rule.include;
      return git?.ignores(path, isDirectory) ?? false;
    },
    enter(name, source) {
      const path = below(directory, name);
      return scope(path, rules, git?.enter(path, source && ownRules(source, path)));
    },
  };
}

/** The text of a directory's .gitignore; a symlink is none to git. */
function ownRules(tree: Tree, directory: string): string | undefined {
  const at = tree.at(directory);
  if (places().stat(at, '.gitignore')?.kind !== 'file') return undefined;
  const fd = places().open(at, '.gitignore', constants.O_RDONLY | constants.O_NONBLOCK);
  return readAll(fd);
}

function readAll(fd: number): string {
  try {
    return decodePath(readFileSync(fd));
  } finally {
    closeSync(fd);
  }
}
