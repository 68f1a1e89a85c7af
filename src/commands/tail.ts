// `sluice tail`: the ends of files, and then what is added to them.

import { lastLinesAcross, type Part, type Resumption, resume } from '../follow/catch-up.js';
import { Checkpoint, placeOf } from '../follow/checkpoint.js';
import { printEnding, type Selection } from '../follow/ending.js';
import { remoteFilesystem } from '../follow/events.js';
import { Follower, type FollowOptions, type FollowSink } from '../follow/follow.js';
import type { Followed } from '../follow/followed.js';
import { headLength, newline, nul } from '../follow/line-ends.js';
import { type LineFormat, Matched, type NewlineChoice } from '../follow/lines.js';
import { type OpenFile, type Operand, openOperand, operand, readAt } from '../follow/operand.js';
import { Output, OutputFailed } from '../follow/output.js';
import { closeOlder, contentOf, type OlderFile, openOlder } from '../follow/rotations.js';
import { Stage } from '../follow/stage.js';
import type { BufferingChoice } from '../io/buffering.js';
import { failure, SluiceError } from '../io/failure.js';
import { encodePath } from '../io/path.js';
import type { Context, Outcome } from './context.js';

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

/** Milliseconds between two saves of the checkpoint, at least. */
const saveInterval = 20;

class Tail {
  readonly #options: TailOptions;
  readonly #context: Context;
  readonly #output: Output;
  readonly #operands: Operand[];
  readonly #stages = new Map<Operand, Stage>();
  readonly #checkpoint: Checkpoint | undefined;
  #lastSave = 0;
  #saveLater: NodeJS.Timeout | undefined;
  /** The file that the bytes printed last are from. */
  #last: Operand | undefined;
  readonly #headers: boolean;
  #printedHeader = false;
  #failed = false;
  #over = false;
  #follower: Follower | undefined;
  /** What is being printed before anything is followed, and how far. */
  #printing: { each: Operand; file: Pick<OpenFile, 'fd' | 'stat'>; position: number } | undefined;
  readonly #streams = new Set<{ close(): void }>();

  constructor(options: TailOptions, context: Context) {
    this.#options = options;
    this.#context = context;
    this.#output = new Output(1, options.buffering);
    this.#operands = options.names.map(operand);
    this.#headers =
      !options.json &&
      (options.headers === 'always' || (options.headers === 'several' && options.names.length > 1 && !options.prefix));
    if (options.checkpoint !== undefined) this.#checkpoint = new Checkpoint(options.checkpoint);
    for (const each of this.#operands) {
      const stage = this.#stage(each);
      if (stage) this.#stages.set(each, stage);
    }
  }

  async run(): Promise<Outcome> {
    const { timeout, until } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'timeout'>((resolve) => {
      if (timeout !== undefined) timer = setTimeout(() => resolve('timeout'), timeout);
    });
    const work = this.#work();
    work.catch(() => {}); // It may fail after its time is up.
    try {
      const end = await Promise.race([work, late]);
      for (const stage of this.#stages.values()) stage.end();
      this.#finish();
      if (until) {
        const how = end === 'timeout' ? 'in time' : 'before the end';
        this.#context.warn(`no line matched /${until.source}/ ${how}`);
        return this.#failed && end !== 'timeout' && end !== 'nothing left' ? 'failed' : 'refused';
      }
      if (end === 'nothing left') this.#context.fail(new SluiceError('no files remaining'));
      return this.#failed || end === 'nothing left' ? 'failed' : 'done';
    } catch (error) {
      if (!(error instanceof Matched)) throw error;
      this.#finish();
      return 'done';
    } finally {
      this.#over = true;
      clearTimeout(timer);
      clearTimeout(this.#saveLater);
      this.#follower?.end('told');
      this.#follower?.close();
      for (const stream of this.#streams) stream.close();
    }
  }

  /** Everything printed is out, and then remembered. */
  #finish(): void {
    this.#output.flush();
    this.#save();
    this.#over = true;
  }

  async #work(): Promise<'printed' | 'processes' | 'nothing left' | 'told'> {
    const { follow } = this.#options;
    if (follow) this.#follower = new Follower(this.#followOptions(follow), this.#sink);
    for (const each of this.#operands) await this.#printOne(each);
    this.#idle();
    if (!this.#follower) return 'printed';
    // Only pipes on stdin, and they have ended.
    if (this.#follower.files.every(({ ignored, operand: { isStdin } }) => ignored && isStdin)) return 'printed';
    // GNU's tail prints no header for what is added to the last file first.
    this.#last = this.#operands.at(-1);
    return this.#follower.run(this.#output.fd);
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
    let file: OpenFile | undefined;
    try {
      file = openOperand(each);
    } catch (error) {
      followed?.beginMissing((error as NodeJS.ErrnoException).code ?? '');
      this.#fail(each, error);
    }
    const unwatch = file && followed?.watch(file);
    let position: number | undefined;
    try {
      if (file) this.#header(each);
      position = await this.#printEnding(each, file);
    } catch (error) {
      if (error instanceof OutputFailed || error instanceof Matched) throw error;
      followed?.beginMissing((error as NodeJS.ErrnoException).code ?? '');
      this.#fail(each, error);
    }
    if (file && position !== undefined && followed && unwatch && this.#canFollow(followed, file)) {
      followed.begin(file, position, unwatch);
      return;
    }
    if (file && position !== undefined && !followed) this.#remember(each, file, position);
    if (!followed) this.#stages.get(each)?.end();
    unwatch?.();
    file?.close();
  }

  /** Prints the end of `file`, and what older files it asks for; gives how far it was read. Without a file, older ones alone. */
  async #printEnding(each: Operand, file: OpenFile | undefined): Promise<number | undefined> {
    const { selection, acrossRotations } = this.#options;
    const ends = this.#options.zeroTerminated ? nul : newline;
    const stage = this.#stages.get(each);
    const regular = !each.isStdin && (file === undefined || file.stat.isFile());
    let wanted: Selection = { ...selection, ends };
    const place = regular ? this.#checkpoint?.place(each.name) : undefined;
    if (place || (acrossRotations && file && regular)) {
      const older = openOlder(each.name, file?.stat);
      try {
        if (place) {
          const found = await resume(place, file, older);
          this.#tellResumption(each, found, older);
          await this.#printParts(each, found.parts);
          wanted = { unit: 'bytes', fromStart: true, count: found.position, ends };
        } else if (file) {
          const head = Buffer.alloc(headLength);
          const settled = stage?.begin(head.subarray(0, readAt(file.fd, head, 0))) ?? ends;
          await this.#printParts(each, await lastLinesAcross(file, older, selection.count, settled));
        }
      } finally {
        this.#printing = undefined;
        closeOlder(older);
      }
    }
    if (!file) return undefined;
    const take = (bytes: Uint8Array, offset: number) => {
      this.#take(each, bytes, offset);
      this.#printed(each, file, offset + bytes.length);
    };
    try {
      return await printEnding(file, wanted, take, {
        idle: () => this.#idle(),
        opened: (stream) => this.#streams.add(stream),
        ...(stage && { begin: (head: Uint8Array) => stage.begin(head) }),
      });
    } finally {
      this.#printing = undefined;
    }
  }

  async #printParts(each: Operand, parts: Part[]): Promise<void> {
    for (const { file, from } of parts) {
      this.#context.debug(() => `${each.label}: ${file.name} from byte ${from} on`);
      const stage = this.#stages.get(each);
      let offset = from;
      try {
        if (stage && from > 0)
          for await (const chunk of contentOf(file)) {
            stage.begin(chunk.subarray(0, headLength));
            break;
          }
        for await (const chunk of contentOf(file, from)) {
          this.#take(each, chunk, offset);
          offset += chunk.length;
          if (!file.compressed) this.#printed(each, file, offset);
        }
      } catch (error) {
        if (error instanceof OutputFailed || error instanceof Matched) throw error;
        this.#context.fail(failure(error, { path: file.name }));
        this.#failed = true;
      }
      stage?.end();
    }
  }

  #printed(each: Operand, file: Pick<OpenFile, 'fd' | 'stat'>, position: number): void {
    if (!this.#checkpoint) return;
    this.#printing = { each, file, position };
    if (this.#lastSave + saveInterval <= performance.now()) this.#save();
  }

  #tellResumption(each: Operand, { parts, position, gap }: Resumption, older: OlderFile[]): void {
    if (gap !== undefined) this.#context.record({ type: 'lost', file: each.name, reason: gap });
    this.#context.debug(
      () =>
        `${each.label}: goes on at byte ${parts[0]?.from ?? position} of ${parts[0]?.file.name ?? each.name} (${older.length} older files)`,
    );
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
    const told = failure(error, { path: label });
    if (this.#options.retry && told.code !== undefined && told.syscall === 'open') {
      // By name it is waited for, which is no failure (GNU's tail sees it so too).
      if (this.#options.follow === 'descriptor') this.#failed = true;
      this.#context.warn(`${told.message} (${told.code}, open); waiting for it`, { path: label, code: told.code });
      return;
    }
    this.#failed = true;
    this.#context.fail(told);
  }

  #stage(file: Operand): Stage | undefined {
    const { json, prefix, timestamps, until, encoding, newline: asked, zeroTerminated } = this.#options;
    const text = encoding !== undefined || asked !== undefined;
    if (!json && !prefix && !timestamps && !until && !text) return undefined;
    const format: LineFormat = {
      newline: asked ?? 'keep',
      before: !json && (prefix || timestamps) ? () => this.#beforeLine(file) : undefined,
      record: json ? (line, continues) => this.#lineRecord(file, line, continues) : undefined,
      matches: until ? (line) => until.test(line) : undefined,
    };
    const ends = zeroTerminated ? nul : asked === undefined ? newline : { ...newline, cr: 13 };
    return new Stage({ format, encoding, lineEnd: zeroTerminated ? 'nul' : 'newline', ends }, (bytes) =>
      this.#print(file, bytes),
    );
  }

  #beforeLine(file: Operand): Uint8Array {
    const { prefix, timestamps } = this.#options;
    const time = timestamps ? `${new Date().toISOString()} ` : '';
    return encodePath(`${time}${prefix ? `${file.label}: ` : ''}`);
  }

  #lineRecord(
    { name }: Operand,
    line: { offset: number; text: string } | { offset: number; bytes: Uint8Array },
    continues: boolean,
  ): void {
    const { offset } = line;
    const content = 'text' in line ? { text: line.text } : { bytes: Buffer.from(line.bytes).toString('base64') };
    const time = this.#options.timestamps ? { time: new Date().toISOString() } : {};
    this.#context.record({ type: 'line', file: name, offset, ...content, ...time, ...(continues && { continues }) });
  }

  #take(file: Operand, bytes: Uint8Array, offset: number): void {
    if (this.#over) throw new OutputFailed('it has ended');
    const stage = this.#stages.get(file);
    if (stage) stage.take(bytes, offset);
    else this.#print(file, bytes);
  }

  #print(file: Operand, bytes: Uint8Array): void {
    this.#header(file);
    this.#output.write(bytes);
  }

  /** `==> name <==` before the bytes of each file that is another than the last one. */
  #header(file: Operand): void {
    if (!this.#headers || file === this.#last) return;
    this.#output.write(encodePath(`${this.#printedHeader ? '\n' : ''}==> ${file.label} <==\n`));
    this.#printedHeader = true;
    this.#last = file;
  }

  readonly #sink: FollowSink = {
    take: (file, bytes, offset) => this.#take(file, bytes, offset),
    ended: (file) => this.#stages.get(file)?.end(),
    happened: (file, { type, ...facts }) => {
      this.#output.idle();
      this.#context.record({ type, file: file.name, ...facts });
    },
    idle: () => this.#idle(),
    fail: (file, error) => this.#fail(file, error),
    warn: (message) => this.#context.warn(message),
    debug: (text) => this.#context.debug(text),
  };

  /** The source has nothing more for now: what waits goes out, and a failure to do so is known now, not with the next line. */
  #idle(): void {
    this.#output.idle();
    if (this.#options.json && this.#output.flushesWhenIdle) this.#context.flush();
    this.#saveSoon();
  }

  #saveSoon(): void {
    if (!this.#checkpoint || this.#saveLater) return;
    const wait = this.#lastSave + saveInterval - performance.now();
    if (wait <= 0) this.#save();
    else
      this.#saveLater = setTimeout(() => {
        this.#saveLater = undefined;
        this.#save();
      }, wait);
  }

  /** Only what is out is remembered. Failing to remember is told, and stops nothing. */
  #save(): void {
    if (!this.#checkpoint || this.#over) return;
    this.#output.flush();
    this.#context.flush();
    if (this.#printing) this.#remember(this.#printing.each, this.#printing.file, this.#printing.position);
    for (const { operand: file, readings } of this.#follower?.files ?? []) {
      const [oldest] = readings;
      if (oldest?.file.stat.isFile()) this.#remember(file, oldest.file, oldest.position);
    }
    try {
      this.#checkpoint.save();
    } catch (error) {
      if (!this.#failed) this.#fail(operand(this.#options.checkpoint!), error);
      this.#failed = true;
    }
    this.#lastSave = performance.now();
  }

  #remember(file: Operand, { fd, stat }: Pick<OpenFile, 'fd' | 'stat'>, position: number): void {
    if (!this.#checkpoint || file.isStdin || !stat.isFile()) return;
    const offset = Math.min(this.#stages.get(file)?.heldFrom ?? position, position);
    this.#checkpoint.set(file.name, placeOf(fd, stat, offset));
  }
}
