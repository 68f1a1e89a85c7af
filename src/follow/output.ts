// Where the bytes go: standard output, in blocks while there is more to come, flushed whenever the source goes idle.

import { fstatSync } from 'node:fs';
import { type BufferingChoice, decideBuffering } from '../io/buffering.js';
import { failure, SluiceError } from '../io/failure.js';
import { native } from '../io/native.js';
import { enlargePipe } from '../io/splicing.js';
import { descriptorKind } from '../io/standard-streams.js';
import { writeAll } from '../io/write-all.js';

/** Standard output failed: nothing more can be done for any file. */
export class OutputFailed extends SluiceError {}

/** Bytes after which native calls are worth their loading. */
const much = 4 * 1024 * 1024;

export class Output {
  readonly fd: number;
  #block: Buffer | undefined;
  #filled = 0;
  #sent = 0;
  readonly #size: number;
  /** Everything that is written goes out at once: whole lines where a person or a line-buffered reader waits. */
  readonly #atOnce: boolean;
  readonly flushesWhenIdle: boolean;

  constructor(fd: number, choice: BufferingChoice | undefined) {
    this.fd = fd;
    const decided = decideBuffering(
      { kind: descriptorKind(fd), blockSize: fstatSync(fd).blksize },
      choice,
      process.env,
    );
    this.#atOnce = decided.kind !== 'block';
    this.#size = decided.kind === 'none' ? 0 : decided.size;
    this.flushesWhenIdle = decided.kind !== 'block' || decided.flushWhenIdle;
  }

  /** Takes all of `bytes`, and is done with their memory on return. Throws `OutputFailed`. */
  write(bytes: Uint8Array): void {
    if (this.#atOnce || bytes.length >= this.#size) {
      this.flush();
      this.#send(bytes);
      return;
    }
    if (this.#filled + bytes.length > this.#size) this.flush();
    this.#block ??= Buffer.allocUnsafeSlow(this.#size);
    this.#block.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  /** The source has nothing more for now. */
  idle(): void {
    if (this.flushesWhenIdle) this.flush();
  }

  /** Everything written is with the kernel on return. */
  flush(): void {
    if (this.#filled === 0) return;
    const bytes = this.#block!.subarray(0, this.#filled);
    this.#filled = 0;
    this.#send(bytes);
  }

  #send(bytes: Uint8Array): void {
    const before = this.#sent;
    this.#sent += bytes.length;
    if (before < much && this.#sent >= much) {
      // A pipe with a burst in it: with 64 KiB, its default, most of the time goes into waking the reader.
      const calls = native();
      if (calls) enlargePipe(calls, this.fd);
    }
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
