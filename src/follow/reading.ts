// An open file that is being followed: how far it has been read, and whether the bytes before that place are still the
// ones that were read. A truncated file is known by its content, however far it has grown since.

import { fstatSync } from 'node:fs';
import type { Take } from './ending.js';
import { type OpenFile, readAt } from './operand.js';

/** Bytes before the position that are compared at every look; they come with the new bytes, in one read. */
const windowSize = 1024;
/** Bytes at the file's beginning that are compared when there is something new. */
const headSize = 256;
const step = 256 * 1024;
const buffer = Buffer.allocUnsafeSlow(windowSize + step);
const headBuffer = Buffer.allocUnsafeSlow(headSize);

/** `same`: what was new has been taken; `more`: time is up, or room, and there is more; `rewritten`: these are other bytes than before. */
export type Look = 'same' | 'more' | 'rewritten';

/** A stream has a reading too, for its identity; its bytes are not read here. */
export class Reading {
  readonly file: OpenFile;
  /** Offset of the next byte to read. */
  position: number;
  /** When bytes last came, or it began (performance.now). */
  lastNews: number = performance.now();
  #window: Buffer = Buffer.alloc(0);
  #head: Buffer = Buffer.alloc(0);
  /** The largest size it was seen to have since then: what lies beyond the position is known to exist, and unread. */
  #size = 0;
  #destroyed = 0;

  constructor(file: OpenFile, position: number) {
    this.file = file;
    this.position = position;
    if (file.seekable) this.#remember();
  }

  /** Is this the file that `stat` describes? Certain while it is open: its inode number cannot be given to another. */
  is(stat: { dev: bigint; ino: bigint }): boolean {
    return stat.dev === this.file.stat.dev && stat.ino === this.file.stat.ino;
  }

  /** Takes all that is new, for at most ~20 ms and while there is `room`. Throws the system's error for a failed read. */
  look(take: Take, room: () => boolean): Look {
    const { fd, seekable } = this.file;
    if (!seekable) return 'same'; // Bytes of a stream come by themselves.
    let until = 0;
    for (let first = true; ; first = false) {
      const kept = this.#window.length;
      const got = readAt(fd, buffer, this.position - kept);
      const same = got >= kept && this.#window.compare(buffer, 0, kept) === 0;
      if (!same || (kept === 0 && got === 0 && this.#shrank()) || (first && got > kept && !this.beginsAlike())) {
        this.#count(this.position);
        return 'rewritten';
      }
      if (got === kept) return this.#atEnd();
      const bytes = buffer.subarray(kept, got);
      const at = this.position;
      this.position += bytes.length;
      this.lastNews = performance.now();
      this.#keep(got);
      take(bytes, at);
      if (got < buffer.length) return this.#atEnd();
      if (until === 0) until = this.lastNews + 20;
      if (this.lastNews > until || !room()) {
        this.glance();
        return 'more';
      }
    }
  }

  /** No look now; but what is there, and what was there and has gone, is known from here on. */
  glance(): void {
    if (!this.file.seekable) return;
    const { size } = fstatSync(this.file.fd);
    this.#count(Math.max(size, this.position));
    this.#size = Math.max(size, this.#size);
  }

  /** Bytes that were seen to be there, and were destroyed before they were read; since this was asked last. */
  takeDestroyed(): number {
    const bytes = this.#destroyed;
    this.#destroyed = 0;
    return bytes;
  }

  /** Nothing lies beyond `end` that was not read: was there more before? */
  #count(end: number): void {
    if (this.#size > end) this.#destroyed += this.#size - end;
    this.#size = Math.min(this.#size, end);
  }

  #atEnd(): Look {
    this.#count(this.position);
    return 'same';
  }

  /** After `rewritten`: everything is new. */
  restart(): void {
    this.position = 0;
    this.#window = Buffer.alloc(0);
    this.#head = Buffer.alloc(0);
    this.#size = 0;
  }

  /** What there is at the position now is what was read. */
  #remember(): void {
    const { fd } = this.file;
    const from = Math.max(0, this.position - windowSize);
    const window = Buffer.alloc(this.position - from);
    this.#window = window.subarray(0, readAt(fd, window, from));
    // A place beyond the end (`-c +N`): nothing has been read yet.
    if (this.#window.length < window.length) this.#window = Buffer.alloc(0);
    this.#rememberHead();
    this.#size = fstatSync(fd).size;
  }

  /** The buffer's first `got` bytes end at the new position. */
  #keep(got: number): void {
    const length = Math.min(windowSize, got);
    if (this.#window.length !== length) this.#window = Buffer.allocUnsafeSlow(length);
    buffer.copy(this.#window, 0, got - length, got);
    if (this.#head.length < headSize) this.#rememberHead();
    this.#size = Math.max(this.#size, this.position);
  }

  #rememberHead(): void {
    const head = Buffer.alloc(Math.min(headSize, this.position));
    this.#head = head.subarray(0, readAt(this.file.fd, head, 0));
  }

  /** Does the file begin as it did? `least`: so many bytes at least. */
  beginsAlike(least: number = this.#head.length): boolean {
    const length = this.#head.length;
    const got = readAt(this.file.fd, headBuffer.subarray(0, length), 0);
    return got >= least && this.#head.compare(headBuffer, 0, got, 0, got) === 0;
  }

  /** Shorter than it was seen last, though nothing before the position was read. */
  #shrank(): boolean {
    const { size } = fstatSync(this.file.fd);
    if (size < this.#size) return true;
    this.#size = size;
    return false;
  }
}
