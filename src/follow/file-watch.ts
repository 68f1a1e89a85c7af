// What is told of one open file: that it was modified, how often, and by whom. By that, when it turns out to be truncated,
// it is judged whether anything can have been written to it that nobody read.

import { fstatSync } from 'node:fs';
import { watchDescriptor } from './events.js';
import { Sessions } from './sessions.js';

export class FileWatch {
  readonly #fd: number;
  readonly #stop: () => void;
  /** Modifications told of since the last look that left nothing unread, and how many that look knew of. */
  #modified = 0;
  #seen = 0;
  #sessions: Sessions | undefined;
  #asked = false;

  /** Throws the system's error where it cannot be watched. */
  constructor(fd: number, name: string, changed: () => void) {
    this.#fd = fd;
    this.#stop = watchDescriptor(fd, name, () => {
      this.#modified++;
      changed();
    });
  }

  /** A look begins. */
  beforeLook(): void {
    // Not before the first look: what is printed at once should not wait for native calls.
    if (!this.#asked) this.#sessions = Sessions.of(this.#fd);
    this.#asked = true;
    this.#sessions?.beforeLook();
    this.#seen = this.#modified;
  }

  /** It left nothing unread. */
  clean(): void {
    this.#modified -= this.#seen;
    this.#seen = 0;
    this.#sessions?.clean();
  }

  /**
   * The look found it truncated. `then` is told whether it is certain that this destroyed nothing unread; the new content is to be read
   * after that. `cut`: what there is may be what was left of it.
   *
   * Each modification is told once. One truncated the file, and one more wrote what it has now; any other may have added what nobody will
   * ever read, unless it is known to be the same writer's. The kernel has queued them all: after two turns of the event loop they have come.
   */
  judge(cut: boolean, then: (nothingLost: boolean) => void): void {
    const settle = (before: number, tries: number): void => {
      const written = cut || fstatSync(this.#fd).size === 0 ? 0 : 1;
      setImmediate(() =>
        setImmediate(() => {
          // More came while we looked: what is there now is another one's.
          if (this.#modified !== before && tries > 0) return settle(this.#modified, tries - 1);
          const nothingLost = this.#modified <= 1 + written || this.#sessions?.wereOneRewriting === true;
          this.beforeLook();
          this.clean();
          then(nothingLost);
        }),
      );
    };
    settle(this.#modified, 3);
  }

  close(): void {
    this.#stop();
    this.#sessions?.close();
  }
}
