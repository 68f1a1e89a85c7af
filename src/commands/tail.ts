// `sluice tail`: the ends of files, and then what is added to them, until there is a reason to end.

import { after } from '../follow/clock.js';
import type { Selection } from '../follow/ending.js';
import { remoteFilesystem } from '../follow/events.js';
import { type End, Follower, type FollowOptions, type FollowSink } from '../follow/follow.js';
import type { Followed } from '../follow/followed.js';
import { Matched, type NewlineChoice } from '../follow/lines.js';
import { type OpenFile, type Operand, openOperand, operand } from '../follow/operand.js';
import { Output, OutputFailed } from '../follow/output.js';
import type { BufferingChoice } from '../io/buffering.js';
import { failure, SluiceError } from '../io/failure.js';
import type { Context, Outcome } from './context.js';
import { Endings } from './tail-endings.js';
import { Printer } from './tail-printer.js';
import { type Position, Progress } from './tail-progress.js';

export interface TailOptions {
  names: string[];
  /** `fromStart`: `count` is what to leave out at the beginning; else what to print of the end. */
  selection: Omit<Selection, 'ends'>;
  zeroTerminated: boolean;
  headers: 'several' | 'always' | 'never';
  buffering: BufferingChoice | undefined;
  /** Go on with what is added, to the open file or to whatever file has the name. */
  follow: 'descriptor' | 'name' | undefined;
  /** Names that cannot be opened now may be later. */
  retry: boolean;
  pids: number[];
  /** Milliseconds. */
  interval: number;
  rotateWait: number;
  timeout: number | undefined;
  /** Ends it all with the first line that matches. */
  until: RegExp | undefined;
  encoding: string | undefined;
  newline: NewlineChoice | undefined;
  prefix: boolean;
  timestamps: boolean;
  json: boolean;
  /** Where to keep how far it got. */
  checkpoint: string | undefined;
  acrossRotations: boolean;
}

export async function tail(options: TailOptions, context: Context): Promise<Outcome> {
  const { count, fromStart } = options.selection;
  if (count === 0 && !fromStart && !options.follow && !options.checkpoint) return 'done';
  return new Tail(options, context).run();
}

class Tail {
  readonly #options: TailOptions;
  readonly #context: Context;
  readonly #operands: Operand[];
  readonly #printer: Printer;
  readonly #progress: Progress | undefined;
  readonly #endings: Endings;
  #follower: Follower | undefined;
  #failed = false;
  /** The ending of one file at least could be read. */
  #readAny = false;

  constructor(options: TailOptions, context: Context) {
    this.#options = options;
    this.#context = context;
    this.#operands = options.names.map(operand);
    const { checkpoint, timeout, pids } = options;
    // A reader that is behind must not hold up the clock, nor signals: with a checkpoint these are handled by the event loop.
    const patient = checkpoint !== undefined || timeout !== undefined || pids.length > 0;
    this.#printer = new Printer(options, this.#operands, context, new Output(1, options.buffering, patient));
    if (checkpoint !== undefined)
      this.#progress = new Progress(
        checkpoint,
        this.#printer,
        () => this.#positions(),
        (error) => this.#cannotSave(checkpoint, error),
      );
    this.#endings = new Endings(options, context, this.#printer, this.#progress, {
      idle: () => this.#idle(),
      fail: (error, path) => this.#failedAt(failure(error, { path })),
    });
  }

  async run(): Promise<Outcome> {
    const { output } = this.#printer;
    if (this.#options.json) this.#context.printTo?.((lines) => output.write(lines));
    let cancel = () => {};
    const late = new Promise<'timeout'>((resolve) => {
      const { timeout } = this.#options;
      if (timeout !== undefined) cancel = after(timeout, () => resolve('timeout'));
    });
    const work = this.#work();
    work.catch(() => {}); // It may fail after its time is up.
    try {
      const end = await Promise.race([work, late]);
      this.#printer.finish();
      await this.#settle();
      return this.#outcome(end);
    } catch (error) {
      if (!(error instanceof Matched)) throw error;
      await this.#settle();
      return 'done';
    } finally {
      cancel();
      this.#follower?.end('told');
      this.#follower?.close();
      this.#endings.close();
      this.#progress?.close();
      this.#context.printTo?.(undefined);
    }
  }

  #outcome(end: End | 'printed' | 'timeout'): Outcome {
    const { until } = this.#options;
    if (until) {
      const how = end === 'timeout' ? 'in time' : 'before the end';
      this.#context.warn(`no line matched /${until.source}/ ${how}`);
      return this.#failed && end !== 'timeout' && end !== 'nothing left' ? 'failed' : 'refused';
    }
    if (end === 'nothing left') this.#context.fail(new SluiceError('no files remaining'));
    // Where none could be read at first, GNU's tail does not end well with its processes, whatever came later.
    const failed = this.#failed || end === 'nothing left' || (end === 'processes' && !this.#readAny);
    return failed ? 'failed' : 'done';
  }

  /** Nothing more is read; everything printed is out, and then remembered. */
  async #settle(): Promise<void> {
    const { output } = this.#printer;
    this.#follower?.end('told');
    this.#printer.close();
    output.flush();
    await output.ready();
    this.#progress?.save();
    this.#context.printTo?.(undefined);
  }

  async #work(): Promise<End | 'printed'> {
    const { follow } = this.#options;
    if (follow) this.#follower = new Follower(this.#followOptions(follow), this.#sink);
    for (const each of this.#operands) await this.#printOne(each);
    this.#idle();
    if (!this.#follower) return 'printed';
    // Only pipes on stdin, and they have ended.
    if (this.#follower.files.every(({ ignored, operand: { isStdin } }) => ignored && isStdin)) return 'printed';
    // GNU's tail prints no header for what is added to the last file first.
    this.#printer.continueWith(this.#operands.at(-1));
    return this.#follower.run(this.#printer.output.fd);
  }

  #followOptions(follow: 'descriptor' | 'name'): FollowOptions {
    const { retry, rotateWait, pids, interval } = this.#options;
    return { byName: follow === 'name', retry, rotateWait, events: this.#eventsPossible(), pids, interval };
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

  /** One operand's ending; then it is followed, if anything is. */
  async #printOne(each: Operand): Promise<void> {
    const followed = this.#follower?.add(each);
    const missing = (error: unknown) => {
      followed?.beginMissing();
      this.#fail(each, error);
    };
    let file: OpenFile | undefined;
    try {
      file = openOperand(each);
    } catch (error) {
      missing(error);
    }
    const watch = file && followed?.watch(file);
    let position: number | undefined;
    try {
      if (file) this.#printer.header(each);
      position = await this.#endings.print(each, file);
    } catch (error) {
      if (error instanceof OutputFailed || error instanceof Matched) throw error;
      missing(error);
    }
    if (file && position !== undefined) this.#readAny = true;
    if (file && position !== undefined && followed && this.#canFollow(followed, file)) {
      followed.begin(file, position, watch);
      return;
    }
    if (!followed) {
      if (file && position !== undefined) this.#progress?.done({ operand: each, file, position });
      this.#printer.ended(each);
    }
    watch?.close();
    file?.close();
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
    followed.beginMissing();
    const what = followed.ignored ? '; giving up on this name' : '';
    this.#fail(followed.operand, new SluiceError(`nothing is ever added to this type of file${what}`, { path: label }));
    return false;
  }

  #fail({ label }: Operand, error: unknown): void {
    const told = failure(error, { path: label });
    if (this.#options.retry && told.code !== undefined && told.syscall === 'open') {
      // By name it is waited for, which is no failure (GNU's tail sees it so too).
      if (this.#options.follow === 'descriptor') this.#failed = true;
      this.#context.warn(`${told.message} (${told.code}, open); waiting for it`, { path: label, code: told.code });
    } else this.#failedAt(told);
  }

  #failedAt(error: SluiceError): void {
    this.#failed = true;
    this.#context.fail(error);
  }

  #cannotSave(checkpoint: string, error: unknown): void {
    if (!this.#failed) this.#failedAt(failure(error, { path: checkpoint }));
  }

  /** How far each file that is followed has been handed to the printer. */
  *#positions(): Iterable<Position> {
    for (const { operand, readings } of this.#follower?.files ?? []) {
      const [oldest] = readings;
      if (oldest) yield { operand, file: oldest.file, position: oldest.position };
    }
  }

  readonly #sink: FollowSink = {
    take: (file, bytes, offset) => this.#printer.take(file, bytes, offset),
    began: (file, head) => this.#printer.add(file, head),
    left: (file) => this.#printer.remove(file),
    ended: (file) => {
      this.#printer.ended(file);
      this.#progress?.note();
    },
    happened: (file, { type, ...facts }) => this.#printer.record({ type, file: file.name, ...facts }),
    idle: () => this.#idle(),
    room: () => this.#printer.output,
    fail: (file, error) => this.#fail(file, error),
    warn: (message) => this.#context.warn(message),
    debug: (text) => this.#context.debug(text),
  };

  /** The source has nothing more for now: what waits goes out, and a failure to do so is known now, not with the next line. */
  #idle(): void {
    this.#printer.output.idle();
    this.#progress?.soon();
  }
}
