// A command whose output is read: through a real pipe, so that it may open /dev/stdout; told to stop when we are; and how
// it ended.

import type { ChildProcess } from 'node:child_process';
import { closeSync, constants as flags, mkdtempSync, openSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { spawnable } from './child-arguments.js';
import { failure } from './failure.js';
import { native } from './native.js';
import { killTree } from './process-tree.js';
import type { Source } from './raw.js';
import { streamInput } from './stream-input.js';
import { whileUnfinished } from './unfinished.js';

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = flags;

export interface Ended {
  /** As a shell would say it: 128 + N for a signal, 127 for a command that is not there, 126 for one that cannot be run. */
  status: number;
  signal: NodeJS.Signals | undefined;
  /** Why it did not even start. */
  missing?: string;
}

type ClosableSource = Source & { close(): void };

export class ChildOutput {
  readonly source: ClosableSource;
  /** Settles once the command has ended; never rejects. */
  readonly ended: Promise<Ended>;
  #child: ChildProcess;
  #letGo: () => void;

  private constructor(child: ChildProcess, source: ClosableSource, letGo: () => void) {
    this.#child = child;
    this.source = source;
    this.#letGo = letGo;
    const finished = whileUnfinished((signal) => this.kill(signal));
    this.ended = new Promise((resolve) => {
      const ended = (how: Ended) => {
        finished();
        resolve(how);
      };
      child.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') ended({ status: 127, signal: undefined, missing: 'was not found' });
        else
          ended({
            status: 126,
            signal: undefined,
            missing: `cannot be run: ${failure(error).message} (${error.code})`,
          });
      });
      child.on('exit', (status, signal) =>
        ended(
          signal ? { status: 128 + constants.signals[signal], signal } : { status: status ?? 1, signal: undefined },
        ),
      );
    });
  }

  /** Starts `argv`; its stdin is the descriptor `stdin`, its stderr ours. */
  static async start(argv: string[], stdin: number): Promise<ChildOutput> {
    const { spawn, spawnSync } = await import('node:child_process');
    const [file, ...args] = spawnable(argv);
    const pipe = native()?.pipes.create() ?? fifo((name) => spawnSync('mkfifo', ['-m', '600', name]).status === 0);
    if (!pipe) {
      const child = spawn(file!, args, { stdio: [stdin, 'pipe', 2] });
      return new ChildOutput(child, new ReadableInput(child.stdout!), () => {});
    }
    try {
      const child = spawn(file!, args, { stdio: [stdin, pipe.write, 2] });
      return new ChildOutput(child, streamInput(pipe.read), () => closeSync(pipe.read));
    } finally {
      closeSync(pipe.write);
    }
  }

  /** The command and everything that it has started get `signal`. */
  kill(signal: NodeJS.Signals): void {
    if (this.#child.pid !== undefined) killTree(this.#child.pid, signal);
  }

  /** Lets go of the pipe: a command that still writes gets SIGPIPE. */
  close(): void {
    this.source.close();
    this.#letGo();
    this.#letGo = () => {};
  }
}

/** A FIFO that loses its name as soon as both ends are open. Undefined where there are none. */
function fifo(make: (name: string) => boolean): { read: number; write: number } | undefined {
  if (process.platform === 'win32') return undefined;
  const home = mkdtempSync(join(tmpdir(), 'sluice-'));
  try {
    const name = join(home, 'pipe');
    if (!make(name)) return undefined;
    const read = openSync(name, O_RDONLY | O_NONBLOCK);
    return { read, write: openSync(name, O_WRONLY) };
  } catch {
    return undefined;
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** Node's own stream, where there is no descriptor to read. */
class ReadableInput implements ClosableSource {
  #stream: Readable;
  #held: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(stream: Readable) {
    this.#stream = stream;
    stream.on('end', () => {
      this.#ended = true;
    });
  }

  readInto(view: Uint8Array): number | null {
    if (this.#held.length === 0) this.#held = (this.#stream.read() as Buffer | null) ?? this.#held;
    if (this.#held.length === 0) return this.#ended ? 0 : null;
    const count = Math.min(view.length, this.#held.length);
    view.set(this.#held.subarray(0, count));
    this.#held = this.#held.subarray(count);
    return count;
  }

  ready(): Promise<void> {
    if (this.#ended || this.#stream.readableLength > 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const settle = (error?: Error) => {
        for (const event of ['readable', 'end', 'close']) this.#stream.off(event, settle);
        this.#stream.off('error', settle);
        if (error instanceof Error) reject(error);
        else resolve();
      };
      for (const event of ['readable', 'end', 'close']) this.#stream.on(event, settle);
      this.#stream.on('error', settle);
    });
  }

  close(): void {
    this.#stream.destroy();
  }
}
