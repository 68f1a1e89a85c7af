// Where the bytes of each file go: as they are or line by line, under a header, or as records; all through one output.

import type { LineEnds } from '../follow/line-ends.js';
import { newline, nul } from '../follow/line-ends.js';
import type { LineFormat } from '../follow/lines.js';
import type { Operand } from '../follow/operand.js';
import { type Output, OutputFailed } from '../follow/output.js';
import { Stage } from '../follow/stage.js';
import { encodePath } from '../io/path.js';
import type { Context, JsonRecord } from './context.js';
import type { TailOptions } from './tail.js';

export class Printer {
  readonly output: Output;
  readonly #options: TailOptions;
  readonly #context: Context;
  readonly #stages = new Map<Operand, Stage>();
  readonly #headers: boolean;
  #printedHeader = false;
  /** The file that the bytes printed last are from. */
  #last: Operand | undefined;
  #over = false;

  constructor(options: TailOptions, operands: Operand[], context: Context, output: Output) {
    this.output = output;
    this.#options = options;
    this.#context = context;
    this.#headers =
      !options.json &&
      (options.headers === 'always' || (options.headers === 'several' && operands.length > 1 && !options.prefix));
    for (const each of operands) this.add(each);
  }

  /** One more file, whose content begins with `head`. */
  add(file: Operand, head?: Uint8Array): void {
    const stage = this.#stage(file);
    if (!stage) return;
    this.#stages.set(file, stage);
    if (head) stage.begin(head);
  }

  /** Nothing more comes of this file. */
  remove(file: Operand): void {
    this.ended(file);
    this.#stages.delete(file);
  }

  /** Bytes of `file`, in order; `offset` is where in it they lie. Throws `OutputFailed`, and `Matched` after the line that was waited for. */
  take(file: Operand, bytes: Uint8Array, offset: number): void {
    if (this.#over) throw new OutputFailed('it has ended');
    const stage = this.#stages.get(file);
    if (stage) stage.take(bytes, offset);
    else this.#print(file, bytes);
  }

  /** A content of `file` that begins with `head`: what ends its lines? */
  begin(file: Operand, head: Uint8Array): LineEnds {
    return this.#stages.get(file)?.begin(head) ?? (this.#options.zeroTerminated ? nul : newline);
  }

  /** Bytes of a content's beginning that `begin` needs; undefined where it need not be asked. */
  headNeeded(file: Operand): number | undefined {
    return this.#stages.get(file)?.headNeeded;
  }

  /** This content of `file` has ended; what comes next is another's beginning. */
  ended(file: Operand): void {
    this.#stages.get(file)?.end();
  }

  /** How much of `file` is with the output, if all up to `position` was taken: less where a line is held back until it is whole. */
  passed(file: Operand, position: number): number {
    return Math.min(this.#stages.get(file)?.heldFrom ?? position, position);
  }

  /** `==> name <==` before the bytes of each file that is another than the last one. */
  header(file: Operand): void {
    if (!this.#headers || file === this.#last) return;
    this.output.write(encodePath(`${this.#printedHeader ? '\n' : ''}==> ${file.label} <==\n`));
    this.#printedHeader = true;
    this.#last = file;
  }

  /** As if bytes of `file` had been printed last. */
  continueWith(file: Operand | undefined): void {
    this.#last = file;
  }

  /** Something that happened to a file: as a record in its place among the lines, or as the command's own text for it. */
  record(record: JsonRecord): void {
    if (!this.#options.json) this.output.idle();
    this.#context.record(record);
  }

  /** The last of every file's lines, ended or not. */
  finish(): void {
    for (const stage of this.#stages.values()) stage.end();
  }

  /** Nothing is printed any more. */
  close(): void {
    this.#over = true;
  }

  #print(file: Operand, bytes: Uint8Array): void {
    this.header(file);
    this.output.write(bytes);
  }

  /** Bytes pass as they are where nothing asks for lines. */
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
}
