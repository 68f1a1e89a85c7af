// `sluice tail`: the ends of files, and then what is added to them.

import { printEnding, type Selection } from '../follow/ending.js';
import { remoteFilesystem } from '../follow/events.js';
import { Follower, type FollowOptions, type FollowSink } from '../follow/follow.js';
import type { Followed } from '../follow/followed.js';
import { type OpenFile, type Operand, openOperand, operand } from '../follow/operand.js';
import { type Buffering, Output, OutputFailed } from '../follow/output.js';
import { failure, SluiceError } from '../io/failure.js';
import { encodePath } from '../io/path.js';
import type { Context, Outcome } from './context.js';

export interface TailOptions {
  names: string[];
  selection: Selection;
  headers: 'several' | 'always' | 'never';
  buffering: Buffering;
  /** Go on with what is added, to the open file or to whatever file has the name. */
  follow: 'descriptor' | 'name' | undefined;
  /** Names that cannot be opened now may be later. */
  retry: boolean;
  pids: number[];
  /** Milliseconds. */
  interval: number;
  rotateWait: number;
  timeout: number | undefined;
}

export async function tail(options: TailOptions, context: Context): Promise<Outcome> {
  const { selection, follow } = options;
  if (selection.count === 0 && !selection.fromStart && !follow) return 'done';
  return new Tail(options, context).run();
}

class Tail {
  #options: TailOptions;
  #context: Context;
  #output: Output;
  #operands: Operand[];
  /** The file that the bytes printed last are from. */
  #last: Operand | undefined;
  #headers: boolean;
  #printedHeader = false;
  #failed = false;
  #follower: Follower | undefined;

  constructor(options: TailOptions, context: Context) {
    this.#options = options;
    this.#context = context;
    this.#output = new Output(1, options.buffering);
    this.#operands = options.names.map(operand);
    this.#headers = options.headers === 'always' || (options.headers === 'several' && options.names.length > 1);
  }

  async run(): Promise<Outcome> {
    const { follow } = this.#options;
    if (follow) this.#follower = new Follower(this.#followOptions(follow), this.#sink);
    for (const each of this.#operands) await this.#printOne(each);
    this.#output.flush();
    if (!this.#follower) return this.#failed ? 'failed' : 'done';
    return this.#followAll(this.#follower);
  }

  #followOptions(follow: 'descriptor' | 'name'): FollowOptions {
    const { retry, rotateWait, pids, interval, timeout } = this.#options;
    return { byName: follow === 'name', retry, rotateWait, events: this.#eventsPossible(), pids, interval, timeout };
  }

  /** Other machines' writes are told to nobody here. */
  #eventsPossible(): boolean {
    for (const { name, isStdin, label } of this.#operands) {
      const filesystem = isStdin ? undefined : remoteFilesystem(name);
      if (filesystem === undefined) continue;
      this.#context.debug(() => `${label}: on ${filesystem}, whose changes no event tells of: polling`);
      return false;
    }
    return true;
  }

  async #printOne(each: Operand): Promise<void> {
    const { selection } = this.#options;
    const followed = this.#follower?.add(each);
    let file: OpenFile;
    try {
      file = openOperand(each);
    } catch (error) {
      followed?.beginMissing((error as NodeJS.ErrnoException).code ?? '');
      this.#fail(each, error);
      return;
    }
    const unwatch = followed?.watch(file);
    let position: number;
    try {
      this.#header(each);
      const take = (bytes: Uint8Array) => this.#output.write(bytes);
      position = await printEnding(file, selection, take, () => this.#output.flush());
    } catch (error) {
      unwatch?.();
      file.close();
      if (error instanceof OutputFailed) throw error;
      followed?.beginMissing((error as NodeJS.ErrnoException).code ?? '');
      this.#fail(each, error);
      return;
    }
    if (followed && unwatch && this.#canFollow(followed, file)) followed.begin(file, position, unwatch);
    else {
      unwatch?.();
      file.close();
    }
  }

  /** With -f, a pipe on stdin is read to its end, as POSIX has it; other files must be such that something can be added. */
  #canFollow(followed: Followed, { stat }: OpenFile): boolean {
    const { isStdin, label } = followed.operand;
    if (stat.isFile() || stat.isCharacterDevice()) return true;
    if (stat.isFIFO() || stat.isSocket()) {
      if (!isStdin) return true;
      followed.ignored = true;
      return false;
    }
    followed.beginMissing('');
    const what = followed.ignored ? '; giving up on this name' : '';
    this.#fail(followed.operand, new SluiceError(`nothing is ever added to this type of file${what}`, { path: label }));
    return false;
  }

  #fail({ label }: Operand, error: unknown): void {
    this.#failed = true;
    this.#context.fail(failure(error, { path: label }));
  }

  async #followAll(follower: Follower): Promise<Outcome> {
    const [first, ...others] = this.#operands;
    // Only pipes on stdin, and they have ended.
    if (first?.isStdin && others.length === 0 && follower.files[0]!.ignored) return this.#failed ? 'failed' : 'done';
    // GNU's tail prints no header for what is added to the last file first.
    this.#last = this.#operands.at(-1);
    const end = await follower.run(this.#output.fd);
    this.#output.flush();
    if (end === 'nothing left') {
      this.#context.fail(new SluiceError('no files remaining'));
      return 'failed';
    }
    return this.#failed ? 'failed' : 'done';
  }

  readonly #sink: FollowSink = {
    take: (file, bytes) => {
      this.#header(file);
      this.#output.write(bytes);
    },
    ended: () => {},
    happened: (file, { type, ...facts }) => {
      this.#output.flush();
      this.#context.record({ type, file: file.label, ...facts });
    },
    idle: () => this.#output.flush(),
    fail: (file, error) => this.#fail(file, error),
    warn: (message) => this.#context.warn(message),
    debug: (text) => this.#context.debug(text),
  };

  /** `==> name <==` before the bytes of each file that is another than the last one. */
  #header(file: Operand): void {
    if (!this.#headers || file === this.#last) return;
    this.#output.write(encodePath(`${this.#printedHeader ? '\n' : ''}==> ${file.label} <==\n`));
    this.#printedHeader = true;
    this.#last = file;
  }
}
