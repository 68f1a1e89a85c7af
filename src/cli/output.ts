// stdout and stderr, by number: `process.stdout` is never touched (docs/architecture.md).

import type { BufferedWriter } from '../io/buffered-writer.js';
import type { BufferingChoice } from '../io/buffering.js';
import { failure } from '../io/failure.js';
import { encodePath } from '../io/path.js';
import { standardWriter } from '../io/standard-streams.js';
import { writeAll } from '../io/write-all.js';

/** What messages call it. */
export const standardOutput = 'standard output';

/** Unbuffered: what is said on stderr is out at once. A stderr that cannot be written to is nobody's business. */
export class StandardError {
  write(text: string): void {
    try {
      writeAll(2, encodePath(text));
    } catch {
      // Where would one say so?
    }
  }
}

/** The command's results, as whole lines. Errors say that it was stdout. Opened at the first write. */
export class StandardOutput {
  #choice: BufferingChoice | undefined;
  #writer: BufferedWriter | undefined;
  #flush: 'at once' | 'when idle' | 'at the end' = 'at once';
  #idle = false;
  #failed: unknown;

  constructor(choice: BufferingChoice | undefined) {
    this.#choice = choice;
  }

  write(lines: Uint8Array): void {
    if (this.#failed !== undefined) throw this.#failed;
    this.#told(() => {
      this.#writer ??= this.#open();
      this.#writer.write(lines);
      if (this.#flush === 'at once') this.#writer.flush();
    });
    if (this.#flush === 'when idle' && !this.#idle) {
      this.#idle = true;
      setImmediate(() => this.#onIdle());
    }
  }

  close(): void {
    if (this.#failed !== undefined) throw this.#failed;
    this.#told(() => this.#writer?.flush());
  }

  #open(): BufferedWriter {
    const { buffer, buffering } = standardWriter(1, this.#choice);
    if (buffering.kind === 'block') this.#flush = buffering.flushWhenIdle ? 'when idle' : 'at the end';
    return buffer;
  }

  /** Nothing more comes at the moment: what there is goes out. An error waits for the next call that can throw it. */
  #onIdle(): void {
    this.#idle = false;
    try {
      this.#told(() => this.#writer?.flush());
    } catch {
      // It is kept.
    }
  }

  #told(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#failed = failure(error, { path: standardOutput });
      throw this.#failed;
    }
  }
}
