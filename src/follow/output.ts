// Where the bytes go: standard output, in blocks while there is more to come, flushed whenever the source goes idle.

import { fstatSync } from 'node:fs';
import { type BufferingChoice, decideBuffering } from '../io/buffering.js';
import { failure, SluiceError } from '../io/failure.js';
import { native } from '../io/native.js';
import { enlargePipe } from '../io/splicing.js';
import { descriptorKind } from '../io/standard-streams.js';
import { StreamOutput } from '../io/stream-output.js';
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
  /** Writes in the thread pool, so that a reader that is slow holds up no signal and no clock. */
  readonly #stream: StreamOutput | undefined;
  /** What has to wait for a write that is under way. */
  #queue: Buffer[] = [];
  /** Settles when nothing is under way or waits; while there is something. */
  #emptying: Promise<void> | undefined;
  #failed: OutputFailed | undefined;

  /** `patient`: a write never waits for the reader; who has more to write asks `full` and waits for `ready`. */
  constructor(fd: number, choice: BufferingChoice | undefined, patient = false) {
    this.fd = fd;
    const kind = descriptorKind(fd);
    const decided = decideBuffering({ kind, blockSize: fstatSync(fd).blksize }, choice, process.env);
    this.#atOnce = decided.kind !== 'block';
    this.#size = decided.kind === 'none' ? 0 : decided.size;
    this.flushesWhenIdle = decided.kind !== 'block' || decided.flushWhenIdle;
    if (patient && kind !== 'file' && kind !== 'null') this.#stream = new StreamOutput(fd);
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

  /** Everything written is on its way on return; it is with the kernel where `isOut`. */
  flush(): void {
    if (this.#failed) throw this.#failed;
    if (this.#filled === 0) return;
    const bytes = this.#block!.subarray(0, this.#filled);
    this.#filled = 0;
    this.#send(bytes);
  }

  /** The reader is behind: wait for `ready` before there is more. */
  get full(): boolean {
    return this.#queue.length > 0;
  }

  /** Everything that was flushed is with the kernel. */
  get isOut(): boolean {
    return this.#emptying === undefined;
  }

  /** Settles once `isOut`. Rejects with `OutputFailed`. */
  async ready(): Promise<void> {
    await this.#emptying;
    if (this.#failed) throw this.#failed;
  }

  #send(bytes: Uint8Array): void {
    const before = this.#sent;
    this.#sent += bytes.length;
    if (before < much && this.#sent >= much) {
      // A pipe with a burst in it: with 64 KiB, its default, most of the time goes into waking the reader.
      const calls = native();
      if (calls) enlargePipe(calls, this.fd);
    }
    if (!this.#stream) {
      try {
        writeAll(this.fd, bytes);
      } catch (error) {
        throw outputFailed(error);
      }
      return;
    }
    if (this.#stream.isBusy) this.#queue.push(Buffer.from(bytes));
    else this.#stream.write(bytes);
    this.#emptying ??= this.#empty(this.#stream);
  }

  async #empty(stream: StreamOutput): Promise<void> {
    try {
      for (;;) {
        await stream.finish();
        if (this.#queue.length === 0) break;
        stream.write(Buffer.concat(this.#queue.splice(0)));
      }
    } catch (error) {
      this.#failed = outputFailed(error);
    }
    this.#emptying = undefined;
  }
}

function outputFailed(error: unknown): OutputFailed {
  const { message, code, syscall } = failure(error);
  return new OutputFailed(message, {
    ...(code !== undefined && { code }),
    ...(syscall !== undefined && { syscall }),
    path: 'standard output',
    cause: error,
  });
}
