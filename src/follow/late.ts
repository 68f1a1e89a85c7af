// Files that were rotated away, and that nobody has open for writing any more. Their turn is over, so that the next one's lines
// need not wait; but whoever opens one again to add a line to it is heard until nothing has come for a while.

import { fstatSync } from 'node:fs';
import { isSystemError } from '../io/failure.js';
import type { FileWatch } from './file-watch.js';
import { type Operand, readAt } from './operand.js';
import type { Reading } from './reading.js';

export interface LateHooks {
  /** Bytes of `file`, whose content begins with `head`, are to come, between those of others. */
  began: (file: Operand, head: Uint8Array) => void;
  take: (file: Operand, bytes: Uint8Array, offset: number) => void;
  room: () => boolean;
  /** `file` is done with. */
  left: (file: Operand) => void;
}

interface LateFile {
  /** Its own, so that its lines are not taken for parts of the next file's. */
  file: Operand;
  reading: Reading;
  watch: FileWatch | undefined;
  heard: boolean;
}

/** Each holds a descriptor. */
const most = 8;
const headSize = 4;

export class LateFiles {
  readonly #wait: number;
  readonly #hooks: LateHooks;
  readonly #files: LateFile[] = [];

  /** `wait`: milliseconds without news after which a file is done with. */
  constructor(wait: number, hooks: LateHooks) {
    this.#wait = wait;
    this.#hooks = hooks;
  }

  /** False: nobody can add to it, or it has been silent for too long already. */
  add(operand: Operand, reading: Reading, watch: FileWatch | undefined): boolean {
    if (!reading.file.seekable || this.#isOver(reading)) return false;
    if (this.#files.length === most) this.#leave(this.#files[0]!);
    this.#files.push({ file: { ...operand }, reading, watch, heard: false });
    return true;
  }

  /** Takes what was added. True: there is more. */
  look(): boolean {
    let more = false;
    for (const late of [...this.#files]) {
      // What is there now is another content, which is nobody's log.
      const look = this.#look(late);
      if (look === 'more') more = true;
      else if (look === 'rewritten' || this.#isOver(late.reading)) this.#leave(late);
    }
    return more;
  }

  /** The name leads to this file again: it is followed in its own right. */
  forget(stat: { dev: bigint; ino: bigint }): void {
    for (const late of this.#files.filter(({ reading }) => reading.is(stat))) this.#leave(late);
  }

  close(): void {
    for (const { reading, watch } of this.#files.splice(0)) {
      watch?.close();
      reading.file.close();
    }
  }

  #look(late: LateFile): ReturnType<Reading['look']> {
    const { file, reading } = late;
    try {
      return reading.look((bytes, offset) => {
        if (!late.heard) this.#hooks.began(file, this.#head(reading));
        late.heard = true;
        this.#hooks.take(file, bytes, offset);
      }, this.#hooks.room);
    } catch (error) {
      if (!isSystemError(error) || (error as { path?: unknown }).path === 'standard output') throw error;
      return 'rewritten'; // A remote file that has been removed, say.
    }
  }

  #head({ file: { fd } }: Reading): Uint8Array {
    const head = Buffer.alloc(headSize);
    return head.subarray(0, readAt(fd, head, 0));
  }

  /** Without a name and a writer it gets nothing more. */
  #isOver({ file: { fd }, lastNews }: Reading): boolean {
    return performance.now() - lastNews >= this.#wait || fstatSync(fd).nlink === 0;
  }

  #leave(late: LateFile): void {
    this.#files.splice(this.#files.indexOf(late), 1);
    late.watch?.close();
    late.reading.file.close();
    if (late.heard) this.#hooks.left(late.file);
  }
}
