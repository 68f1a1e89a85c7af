// Each operand's ending, as it is when we come: its last lines or bytes, what older files have of them, or all since a checkpoint.

import { lastLinesAcross, type Part, type Resumption, resume } from '../follow/catch-up.js';
import { placeInOlder } from '../follow/checkpoint.js';
import { printEnding, type Selection } from '../follow/ending.js';
import { headLength, newline, nul } from '../follow/line-ends.js';
import { Matched } from '../follow/lines.js';
import { type OpenFile, type Operand, readAt, sizeOf } from '../follow/operand.js';
import { OutputFailed } from '../follow/output.js';
import { closeOlder, contentOf, type OlderFile, openOlder } from '../follow/rotations.js';
import type { Context } from './context.js';
import type { TailOptions } from './tail.js';
import type { Printer } from './tail-printer.js';
import type { Progress } from './tail-progress.js';

export class Endings {
  readonly #options: TailOptions;
  readonly #context: Context;
  readonly #printer: Printer;
  readonly #progress: Progress | undefined;
  readonly #hooks: { idle: () => void; fail: (error: unknown, path: string) => void };
  readonly #streams = new Set<{ close(): void }>();

  constructor(
    options: TailOptions,
    context: Context,
    printer: Printer,
    progress: Progress | undefined,
    hooks: { idle: () => void; fail: (error: unknown, path: string) => void },
  ) {
    this.#options = options;
    this.#context = context;
    this.#printer = printer;
    this.#progress = progress;
    this.#hooks = hooks;
  }

  /**
   * Prints the end of `file`, and what older files it asks for; gives how far it was read. Without a file (there is none of that name now),
   * older ones alone. Throws the system's error for a failed read, and what the printer throws.
   */
  async print(operand: Operand, file: OpenFile | undefined): Promise<number | undefined> {
    const { selection } = this.#options;
    const ends = this.#options.zeroTerminated ? nul : newline;
    let wanted: Selection = { ...selection, ends };
    try {
      const from = await this.#printOlder(operand, file);
      if (from !== undefined) wanted = { unit: 'bytes', fromStart: true, count: from, ends };
    } finally {
      this.#progress?.handedOver();
    }
    if (!file) return undefined;
    const { output } = this.#printer;
    const headNeeded = this.#printer.headNeeded(operand);
    const take = (bytes: Uint8Array, offset: number) => this.#take(operand, file, bytes, offset);
    try {
      return await printEnding(file, wanted, take, {
        idle: this.#hooks.idle,
        opened: (stream) => this.#streams.add(stream),
        room: output,
        ...(headNeeded !== undefined && {
          begin: (head: Uint8Array) => this.#printer.begin(operand, head),
          headNeeded,
        }),
      });
    } finally {
      this.#progress?.handedOver();
    }
  }

  /** Ends what still waits for a stream. */
  close(): void {
    for (const stream of this.#streams) stream.close();
  }

  /** What of the older files is to be printed first; gives where `file` goes on after a checkpoint, undefined without one. */
  async #printOlder(operand: Operand, file: OpenFile | undefined): Promise<number | undefined> {
    const { selection, acrossRotations } = this.#options;
    if (operand.isStdin || (file && !file.stat.isFile())) return undefined;
    const place = this.#progress?.place(operand.name);
    if (!place && !(acrossRotations && file)) return undefined;
    const older = openOlder(operand.name, file?.stat);
    try {
      if (place) {
        const found = await resume(place, file, older);
        this.#tell(operand, found, older);
        await this.#printParts(operand, found.parts, file);
        return found.position;
      }
      const head = Buffer.alloc(headLength);
      const ends = this.#printer.begin(operand, head.subarray(0, readAt(file!.fd, head, 0)));
      await this.#printParts(
        operand,
        await lastLinesAcross(file!, older, selection.count, ends, this.#hooks.fail),
        file,
      );
      return undefined;
    } finally {
      closeOlder(older);
    }
  }

  async #printParts(operand: Operand, parts: Part[], newest: OpenFile | undefined): Promise<void> {
    const { output } = this.#printer;
    let last: { file: OlderFile; offset: number } | undefined;
    for (const { file, from } of parts) {
      this.#context.debug(() => `${operand.label}: ${file.name} from byte ${from} on`);
      let offset = from;
      try {
        if (this.#printer.headNeeded(operand) !== undefined && from > 0)
          for await (const chunk of contentOf(file)) {
            this.#printer.begin(operand, chunk.subarray(0, headLength));
            break;
          }
        for await (const chunk of contentOf(file, from)) {
          if (file.compressed) this.#printer.take(operand, chunk, offset);
          else this.#take(operand, file, chunk, offset);
          offset += chunk.length;
          if (output.full) await output.ready();
        }
        if (offset > 0) last = { file, offset };
      } catch (error) {
        if (error instanceof OutputFailed || error instanceof Matched) throw error;
        this.#hooks.fail(error, file.name);
      }
      this.#printer.ended(operand);
    }
    // By nothing of an empty file's can a place be known again, nor by a file's that is not there.
    if (!this.#progress || !last || (newest && sizeOf(newest) > 0)) return;
    const place = await placeInOlder(last.file, last.offset);
    if (place) this.#progress.doneWithOlder(operand.name, place);
  }

  #take(operand: Operand, file: Pick<OpenFile, 'fd' | 'stat'>, bytes: Uint8Array, offset: number): void {
    const position = { operand, file, position: offset + bytes.length };
    try {
      this.#printer.take(operand, bytes, offset);
    } catch (error) {
      // What came after the line that was waited for is not printed: the printer knows where that is.
      if (error instanceof Matched) this.#progress?.done(position);
      throw error;
    }
    this.#progress?.printed(position);
  }

  #tell({ name, label }: Operand, { parts, position, gap }: Resumption, older: OlderFile[]): void {
    if (gap !== undefined) this.#printer.record({ type: 'lost', file: name, certain: false, reason: gap });
    this.#context.debug(
      () =>
        `${label}: goes on at byte ${parts[0]?.from ?? position} of ${parts[0]?.file.name ?? name} (${older.length} older files)`,
    );
  }
}
