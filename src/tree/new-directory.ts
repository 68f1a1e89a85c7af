// A new directory gets its name when the files in it are whole: until then it is a temp directory, in which they can be made
// under their own names. One rename for all of them, in place of one each.

import { isSystemError } from '../io/failure.js';
import { native } from '../io/native.js';
import { tempNameOf } from '../io/temp-name.js';
import { whileUnfinished } from '../io/unfinished.js';
import { type Place, places } from './place.js';

/** What the threads of a process need to work in it: its temp name, and a descriptor that all of them share. */
export interface Within {
  temp: string;
  fd: number;
}

export class NewDirectory {
  readonly #above: () => Place;
  readonly #name: string;
  readonly within: Within;
  #finished: () => void = () => {};
  #ended = false;

  /** One that was made already. `above` opens the directory it is in, `name` is to be its name there. */
  constructor(above: () => Place, name: string, within: Within) {
    this.#above = above;
    this.#name = name;
    this.within = within;
  }

  /** Throws with nothing made. Unless it is committed or handed over, it goes if the process is told to stop. */
  static make(above: () => Place, name: string, mode: number): NewDirectory {
    const temp = tempNameOf(name);
    places().makeDirectory(above(), temp, mode);
    let fd: number;
    try {
      fd = places().openPlace(above(), temp, false).fd;
    } catch (error) {
      if (!isSystemError(error, 'ENOENT')) places().removeDirectory(above(), temp);
      throw error;
    }
    const made = new NewDirectory(above, name, { temp, fd });
    made.#finished = whileUnfinished(() => made.remove());
    return made;
  }

  get place(): Place {
    return { fd: this.within.fd, path: this.#name };
  }

  /** To be finished by somebody else, who also takes it away if it comes to that. */
  handOver(): Within {
    this.#finished();
    return this.within;
  }

  /** It gets its name; what is in it goes into a directory that somebody else has made under that name meanwhile, which the descriptor stands for then. */
  commit(): void {
    try {
      this.#rename();
    } catch (error) {
      if (!isSystemError(error, 'EEXIST', 'ENOTEMPTY')) this.#makeAnother(error);
      this.#moveInto();
    }
    this.#ended = true;
    this.#finished();
  }

  #rename(): void {
    const { temp } = this.within;
    const above = this.#above();
    try {
      native()!.directories.rename(above.fd, temp, above.fd, this.#name, 'noReplace');
    } catch (error) {
      // A file system that cannot do it without replacing: it replaces an empty directory at most.
      if (!isSystemError(error, 'EINVAL', 'ENOSYS', 'EPERM')) throw error;
      places().rename(above, temp, above, this.#name);
    }
  }

  /** Network file systems may rename no directory that is open. */
  #makeAnother(error: unknown): void {
    if (!isSystemError(error, 'EACCES', 'EBUSY', 'EPERM', 'ETXTBSY', 'EXDEV')) throw error;
    const { mode } = places().statOpen(this.within.fd);
    places().makeDirectory(this.#above(), this.#name, mode & 0o777);
  }

  #moveInto(): void {
    const there = places().openPlace(this.#above(), this.#name, false);
    try {
      for (const each of this.#names()) places().rename(this.place, each, there, each);
      places().removeDirectory(this.#above(), this.within.temp);
      native()!.directories.reopen(this.within.fd, there.fd);
    } finally {
      places().close(there);
    }
  }

  #names(): string[] {
    const names: string[] = [];
    places().list(this.place, (name) => names.push(name));
    return names;
  }

  /** It, and what was made in it, goes, unless it has its name; the descriptor is left to its owner. */
  remove(): void {
    if (this.#ended) return;
    this.#ended = true;
    try {
      for (const name of this.#names()) places().unlink(this.place, name);
      places().removeDirectory(this.#above(), this.within.temp);
    } catch {
      // Somebody else has taken it away.
    }
    this.#finished();
  }
}
