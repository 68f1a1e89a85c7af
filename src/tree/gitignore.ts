// `--gitignore`: what git would ignore, by the .gitignore files from the repository's root down, `.git/info/exclude` and the
// user's own ignore file. The deepest file that has a word on a path decides, and in it the last pattern that matches.

import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import ignore, { type Ignore } from 'ignore';
import { isSystemError } from '../io/failure.js';
import { decodePath, fsPath } from '../io/path.js';

/** The package remembers every path it was asked about: renewed after so many, so that memory stays bounded. */
const askedAtMost = 10_000;

interface Level {
  /** What a path relative to the walk's root needs before it, to be relative to the file's own directory; … */
  prefix: string;
  /** … or how many characters of it must go. */
  drop: number;
  rules: Ignore;
}

const empty = (): Ignore => ignore({ ignorecase: false, allowRelativePaths: true });

/** What is ignored in one directory; made anew for each directory below. */
export class GitIgnore {
  #levels: Level[];
  #asked = 0;

  private constructor(levels: Level[]) {
    this.#levels = levels;
  }

  /** For the directory `root` (a real, absolute path): what the repository above it says. */
  static above(root: string): GitIgnore {
    const levels: Level[] = [];
    const directories: string[] = [];
    let top = root;
    for (;;) {
      directories.unshift(top);
      if (existsSync(fsPath(join(top, '.git')))) break;
      if (dirname(top) === top) {
        // No repository: only what lies in the tree itself counts.
        directories.splice(0, directories.length - 1);
        top = root;
        break;
      }
      top = dirname(top);
    }
    const config = process.env['XDG_CONFIG_HOME'] || join(homedir(), '.config');
    for (const file of [join(config, 'git/ignore'), join(top, '.git/info/exclude')]) {
      const text = readIfThere(file);
      if (text !== undefined) levels.push({ prefix: prefixOf(top, root), drop: 0, rules: empty().add(text) });
    }
    for (const directory of directories.slice(0, -1)) {
      const text = readIfThere(join(directory, '.gitignore'));
      if (text !== undefined) levels.push({ prefix: prefixOf(directory, root), drop: 0, rules: empty().add(text) });
    }
    return new GitIgnore(levels);
  }

  /** For the directory at `path` (relative, '' for the root) that was entered, with its own .gitignore's text, if it has one. */
  enter(path: string, text: string | undefined): GitIgnore {
    const levels = this.#levels.map((level) => {
      const own = relativeTo(level, path);
      const rules = empty().add(level.rules);
      // Entered although this file ignores it, since a deeper one does not: below it, this file's word on it is void.
      if (path !== '' && level.rules.test(`${own}/`).ignored) rules.add(`!/${quoted(own)}/`);
      return { ...level, rules };
    });
    if (text !== undefined)
      levels.push({ prefix: '', drop: path === '' ? 0 : path.length + 1, rules: empty().add(text) });
    return new GitIgnore(levels);
  }

  ignores(path: string, isDirectory: boolean): boolean {
    if (++this.#asked % askedAtMost === 0)
      this.#levels = this.#levels.map((level) => ({ ...level, rules: empty().add(level.rules) }));
    for (let i = this.#levels.length - 1; i >= 0; i--) {
      const level = this.#levels[i]!;
      const { ignored, unignored } = level.rules.test(relativeTo(level, path) + (isDirectory ? '/' : ''));
      if (ignored || unignored) return ignored;
    }
    return false;
  }
}

const relativeTo = ({ prefix, drop }: Level, path: string): string => prefix + path.slice(drop);

const prefixOf = (directory: string, root: string): string =>
  directory === root ? '' : `${root.slice(directory === '/' ? 1 : directory.length + 1)}/`;

/** As a pattern that stands for these characters. */
const quoted = (path: string): string => path.replace(/[\\*?[\]!# ]/g, '\\$&');

function readIfThere(path: string): string | undefined {
  try {
    return decodePath(readFileSync(fsPath(path)));
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'EISDIR', 'ELOOP')) return undefined;
    throw error;
  }
}
