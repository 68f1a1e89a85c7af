// Who else has our file or pipe open? A rotated file without writers has ended, and a pipe without readers is of no use.
// The kernel is asked where native calls can be had; else every process that may be asked.

import { fstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { native } from '../io/native.js';

/** Does any process have this file, which we read, open for writing? Undefined: it cannot be known here. */
export function hasWriters(fd: number): boolean | undefined {
  return native()?.files.hasWriters(fd) ?? new Holders(fd, 'write').any();
}

/** A question to ask again and again: has everybody who could read what we write to `fd` gone? False where it cannot be known. */
export function readersGone(fd: number): () => boolean {
  const calls = native();
  if (calls) return () => calls.polling.readerGone(fd);
  if (!fstatSync(fd).isFIFO()) return () => false;
  const readers = new Holders(fd, 'read');
  return () => readers.any() === false;
}

class Holders {
  #dev: number;
  #ino: number;
  #how: 'read' | 'write';
  /** One that was found, to be asked first: most often it is still there. */
  #found: { pid: string; fd: string } | undefined;

  constructor(fd: number, how: 'read' | 'write') {
    ({ dev: this.#dev, ino: this.#ino } = fstatSync(fd));
    this.#how = how;
  }

  any(): boolean | undefined {
    if (this.#found && this.#holds(this.#found.pid, this.#found.fd)) return true;
    this.#found = undefined;
    let unseen = false;
    let processes: string[];
    try {
      processes = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    } catch {
      return undefined;
    }
    for (const pid of processes) {
      try {
        for (const fd of readdirSync(`/proc/${pid}/fd`)) {
          if (!this.#holds(pid, fd)) continue;
          this.#found = { pid, fd };
          return true;
        }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') unseen = true;
      }
    }
    return unseen || processes.length === 0 ? undefined : false;
  }

  #holds(pid: string, fd: string): boolean {
    try {
      const { dev, ino } = statSync(`/proc/${pid}/fd/${fd}`);
      if (dev !== this.#dev || ino !== this.#ino) return false;
      const info = readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1');
      // O_RDONLY, O_WRONLY and O_RDWR are 0, 1 and 2.
      const mode = Number.parseInt(/^flags:\s*([0-7]+)/m.exec(info)?.[1] ?? '2', 8) & 3;
      return mode === 2 || (mode === 1) === (this.#how === 'write');
    } catch {
      return false; // Closed meanwhile.
    }
  }
}
