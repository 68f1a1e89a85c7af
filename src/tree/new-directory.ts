// A new directory gets its name when the files in it are whole: until then it is a temp directory, in which they can be made
// under their own names. One rename for all of them, in place of one each.

import { isSystemError } from '../io/failure.js';
import { native } from '../io/native.js';
import { tempNameOf } from '../io/temp-name.js';
import { whileUnfinished } from '../io/unfinished.js';
import { type Place, places } from './place.js';
import { nameOf, parentOf, type Tree } from './tree.js';

export class NewDirectory {
  readonly #tree: Tree;
  readonly #path: string;
  readonly #temp: string;
  readonly #finished: () => void;

  /** Makes it, with this mode, beside the place of `path`, at which the tree has it open from here on. Throws with nothing made. */
  constructor(tree: Tree, path: string, mode: number) {
    this.#tree = tree;
    this.#path = path;
    this.#temp = tempNameOf(nameOf(path));
    places().makeDirectory(this.#above, this.#temp, mode);
    this.#finished = whileUnfinished(() => this.remove());
    tree.hold(path, places().openPlace(this.#above, this.#temp, false));
  }

  get #above(): Place {
    return this.#tree.at(parentOf(this.#path));
  }

  /** It gets its name; what is in it goes into a directory that somebody else has made under that name meanwhile. */
  commit(): void {
    const name = nameOf(this.#path);
    try {
      native()!.directories.rename(this.#above.fd, this.#temp, this.#above.fd, name, 'noReplace');
    } catch (error) {
      if (isSystemError(error, 'EEXIST')) this.#moveInto(name);
      // A file system that cannot do it without replacing: it replaces an empty directory at most.
      else if (isSystemError(error, 'EINVAL', 'ENOSYS', 'EPERM'))
        places().rename(this.#above, this.#temp, this.#above, name);
      else throw error;
    }
    this.#tree.release();
    this.#finished();
  }

  #moveInto(name: string): void {
    const there = places().openPlace(this.#above, name, false);
    try {
      for (const each of this.#names()) places().rename(this.#tree.at(this.#path), each, there, each);
      places().removeDirectory(this.#above, this.#temp);
    } finally {
      places().close(there);
    }
    this.#tree.release();
    this.#tree.forget(this.#path);
  }

  #names(): string[] {
    const names: string[] = [];
    places().list(this.#tree.at(this.#path), (name) => names.push(name));
    return names;
  }

  /** It, and what was made in it, goes. */
  remove(): void {
    try {
      for (const name of this.#names()) places().unlink(this.#tree.at(this.#path), name);
      this.#tree.release();
      this.#tree.forget(this.#path);
      places().removeDirectory(this.#above, this.#temp);
    } catch {
      // Somebody else has taken it away.
    }
    this.#finished();
  }
}
