// Which entries belong to a copy: globs first, in their order; then, where asked for, what git ignores.

import { closeSync, constants, readFileSync } from 'node:fs';
import { decodePath } from '../io/path.js';
import type { GitIgnore } from './gitignore.js';
import { type CompiledRule, compileRule } from './globs.js';
import { places } from './place.js';
import type { GlobRule } from './rules.js';
import { below, type Tree } from './tree.js';

/** What decides in one directory. */
export interface Scope {
  excludes(name: string, isDirectory: boolean): boolean;
  /** The directory `name` below; `source` has it, if it is not undefined, and its .gitignore counts. */
  enter(name: string, source: Tree | undefined): Scope;
}

const everything: Scope = { excludes: () => false, enter: () => everything };

/** `git`: what the repository above the source says, where `--gitignore` is given. */
export function rootScope(rules: GlobRule[], git: GitIgnore | undefined, source: Tree): Scope {
  if (rules.length === 0 && !git) return everything;
  return scope('', rules.map(compileRule), git?.enter('', ownRules(source, '')));
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
