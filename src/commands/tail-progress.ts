// How far each file has been printed, kept in the checkpoint: saved when it is out, now and then, and at the end.

import { Checkpoint, isOf, type Place, placeOf } from '../follow/checkpoint.js';
import type { OpenFile, Operand } from '../follow/operand.js';
import type { Printer } from './tail-printer.js';

/** How far a file was handed to the printer. */
export interface Position {
  operand: Operand;
  file: Pick<OpenFile, 'fd' | 'stat'>;
  position: number;
}

/** Milliseconds between two saves, at least. */
const saveInterval = 20;

export class Progress {
  readonly #checkpoint: Checkpoint;
  readonly #printer: Printer;
  readonly #followed: () => Iterable<Position>;
  readonly #fail: (error: unknown) => void;
  /** What is being printed before anything is followed. */
  #printing: Position | undefined;
  #lastSave = 0;
  #later: NodeJS.Timeout | undefined;
  #waiting = false;
  #closed = false;

  /** Throws where `path` is no checkpoint. `followed`: where the files that are followed are; `fail` is told of saves that fail. */
  constructor(path: string, printer: Printer, followed: () => Iterable<Position>, fail: (error: unknown) => void) {
    this.#checkpoint = new Checkpoint(path);
    this.#printer = printer;
    this.#followed = followed;
    this.#fail = fail;
  }

  /** Where the last run ended in the file of this name. */
  place(name: string): Place | undefined {
    return this.#checkpoint.place(name);
  }

  /** So much of a file's ending has been handed to the printer. */
  printed(position: Position): void {
    this.#printing = position;
    if (this.#lastSave + saveInterval <= performance.now()) this.save();
  }

  /** The file's ending is printed, and it is not followed: its place is final. */
  done(position: Position): void {
    this.#printing = undefined;
    this.#remember(position);
  }

  /** All older files have been handed to the printer, up to this place, and nothing of the file of that name. */
  doneWithOlder(name: string, place: Place): void {
    this.#checkpoint.set(name, place);
  }

  /** A file that is followed is about to be left: its place is to be known when it is no longer open. */
  note(): void {
    for (const position of this.#followed()) this.#remember(position);
  }

  /** That file is followed from here on, or came to nothing. */
  handedOver(): void {
    this.#printing = undefined;
  }

  /** Save when it is time. */
  soon(): void {
    if (this.#later || this.#waiting || this.#closed) return;
    const wait = this.#lastSave + saveInterval - performance.now();
    if (wait <= 0) this.save();
    else
      this.#later = setTimeout(() => {
        this.#later = undefined;
        this.save();
      }, wait);
  }

  /** Only what is out is remembered. While the reader is behind nothing is: when it has caught up. Failing to remember stops nothing. */
  save(): void {
    if (this.#closed) return;
    const { output } = this.#printer;
    output.flush();
    if (!output.isOut) {
      if (this.#waiting) return;
      this.#waiting = true;
      // That it failed, the next write says.
      const soon = () => {
        this.#waiting = false;
        this.soon();
      };
      output.ready().then(soon, () => {});
      return;
    }
    if (this.#printing) this.#remember(this.#printing);
    this.note();
    try {
      this.#checkpoint.save();
    } catch (error) {
      this.#fail(error);
    }
    this.#lastSave = performance.now();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#later);
  }

  #remember({ operand, file: { fd, stat }, position }: Position): void {
    if (operand.isStdin || !stat.isFile()) return;
    const offset = this.#printer.passed(operand, position);
    const last = this.#checkpoint.place(operand.name);
    // By nothing of a new file's can it be known again: by the end of the one before it can.
    if (offset === 0 && last && last.offset > 0 && !isOf(last, stat)) return;
    this.#checkpoint.set(operand.name, placeOf(fd, stat, offset));
  }
}
