// stdout and stderr, by number: `process.stdout` is never touched (docs/architecture.md).

import { failure } from '../io/failure.js';
import { encodePath } from '../io/path.js';
import { writeAll } from '../io/write-all.js';
import { isTerminal } from './terminal.js';

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

/** The command's results. Errors say that it was stdout; EPIPE is left to the caller. */
export class StandardOutput {
  #pending: Uint8Array[] = [];
  #line: boolean;
  #failed: unknown;

  constructor(how: 'auto' | 'line' | 'block' | 'none' | undefined) {
    this.#line = how === 'line' || how === 'none' || isTerminal(1);
  }

  write(bytes: Uint8Array): void {
    if (this.#failed !== undefined) throw this.#failed;
    this.#pending.push(bytes);
    if (this.#line) this.flush();
    else if (this.#pending.length === 1) setImmediate(() => this.#idle());
  }

  flush(): void {
    const bytes = Buffer.concat(this.#pending);
    this.#pending = [];
    try {
      writeAll(1, bytes);
    } catch (error) {
      throw failure(error, { path: standardOutput });
    }
  }

  close(): void {
    if (this.#failed !== undefined) throw this.#failed;
    this.flush();
  }

  /** Nothing more comes at the moment: what there is goes out. An error waits for the next call that can throw it. */
  #idle(): void {
    try {
      this.flush();
    } catch (error) {
      this.#failed = error;
    }
  }
}
