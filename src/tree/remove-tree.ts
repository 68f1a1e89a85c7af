// A directory and all that is in it, removed without following anything: through open directories, at any depth.

import { basename, dirname } from 'node:path';
import { isSystemError } from '../io/failure.js';
import { places } from './place.js';
import { below, nameOf, parentOf, Tree } from './tree.js';

/** Throws the system's error for what cannot be removed, with the rest still there. What is gone already is fine. */
export function removeTree(path: string): void {
  let tree: Tree;
  try {
    tree = new Tree(path);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return;
    throw error;
  }
  try {
    // Directories, deepest last met.
    const directories = [''];
    for (let i = 0; i < directories.length; i++) {
      const directory = directories[i]!;
      const names: string[] = [];
      places().list(tree.at(directory), (name) => names.push(name));
      for (const name of names) {
        const facts = places().stat(tree.at(directory), name);
        if (!facts) continue;
        if (facts.kind === 'directory') {
          if ((facts.mode & 0o700) !== 0o700) places().changeMode(tree.at(directory), name, 0o700);
          directories.push(below(directory, name));
        } else places().unlink(tree.at(directory), name);
      }
    }
    for (const directory of directories.reverse()) {
      if (directory === '') continue;
      tree.forget(directory);
      places().removeDirectory(tree.at(parentOf(directory)), nameOf(directory));
    }
  } finally {
    tree.close();
  }
  const above = places().openRoot(dirname(path));
  try {
    places().removeDirectory(above, basename(path));
  } finally {
    places().close(above);
  }
}
