// Where the bytes go: standard output, in blocks while there is more to come, flushed whenever the source goes idle.

import { isatty } from 'node:tty';
import { failure, SluiceError } from '../io/failure.js';
import { writeAll } from '../io/write-all.js';

/** Standard output failed: nothing more can be done for any file. */
export class OutputFailed extends SluiceError {}

export type Buffering = 'auto' | 'line' | 'block' | 'none';

const blockSize = 64 * 1024;

export class Output {
  readonly fd: number;
  #block: Buffer | undefined;
  #filled = 0;
  /** Everything that is written goes out at once: whole lines where a person or a line-buffered reader waits. */
  #atOnce: boolean;

  constructor(fd: number, how: Buffering) {
    this.fd = fd;
    this.#atOnce = how === 'line' || how === 'none' || (how === 'auto' && isatty(fd));
  }

  /** Takes all of `bytes`, and is done with their memory on return. Throws `OutputFailed`. */
  write(bytes: Uint8Array): void {
    if (this.#atOnce || bytes.length >= blockSize) {
      this.flush();
      this.#send(bytes);
      return;
    }
    if (this.#filled + bytes.length > blockSize) this.flush();
    this.#block ??= Buffer.allocUnsafeSlow(blockSize);
    this.#block.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  /** Everything written is with the kernel on return. */
  flush(): void {
    if (this.#filled === 0) return;
    const bytes = this.#block!.subarray(0, this.#filled);
    this.#filled = 0;
    this.#send(bytes);
  }

  #send(bytes: Uint8Array): void {
    try {
      writeAll(this.fd, bytes);
    } catch (error) {
      const { message, code, syscall } = failure(error);
      throw new OutputFailed(message, {
        ...(code !== undefined && { code }),
        ...(syscall !== undefined && { syscall }),
        path: 'standard output',
        cause: error,
      });
    }
  }
}
