// Who came to a file, wrote to it and left, in the kernel's order: by it a truncation is, most often, known to have destroyed
// nothing that was unread. Without native calls, or inotify to be had, nothing is known.

import { closeSync, readSync } from 'node:fs';
import { isSystemError } from '../io/failure.js';
import { watchEvent } from '../io/native/watching.js';
import { type Native, native } from '../io/native.js';

const letters: [bit: number, letter: string][] = [
  [watchEvent.modify, 'm'],
  [watchEvent.open, 'o'],
  [watchEvent.closeWrite, 'c'],
  [watchEvent.closeNoWrite, 'n'],
];
const mask = letters.reduce((all, [bit]) => all | bit, 0);
/** Events were left out: nothing can be said. */
const gap = '?';
/** A history of more steps than this proves nothing anyway. */
const most = 32;

/**
 * The steps of one writer who truncates the file, writes it anew and leaves, or has not left yet; kernels differ in whether the opening
 * or the truncation that comes with it is told first. Or the file was truncated without being opened.
 */
const oneRewriting = /^(m+|m*om*c?)$/;

export class Sessions {
  readonly #calls: Native;
  readonly #fd: number;
  readonly #watch: number;
  /** Steps since the last look that left nothing unread; of modifications in a row not all. */
  #steps = '';
  /** How many of them the look knows of that is under way. */
  #seen = 0;
  /** So many had the file open for writing when that look was, at most; undefined: that is not known. */
  #writers: number | undefined;

  /** Undefined where it cannot be had. */
  static of(fd: number): Sessions | undefined {
    const calls = native();
    if (!calls) return undefined;
    try {
      queue ??= calls.watching.create();
      return new Sessions(calls, fd, calls.watching.add(queue, `/proc/self/fd/${fd}`, mask));
    } catch (error) {
      if (isSystemError(error)) return undefined;
      throw error;
    }
  }

  private constructor(calls: Native, fd: number, watch: number) {
    this.#calls = calls;
    this.#fd = fd;
    this.#watch = watch;
    members.set(watch, (members.get(watch) ?? new Set()).add(this));
    this.#writers = this.#ask();
  }

  /** A look begins: what has happened until now, it will see. */
  beforeLook(): void {
    drain();
    this.#seen = this.#steps.length;
  }

  /** It left nothing unread. */
  clean(): void {
    // Who has come and not done anything yet may be about to truncate it: with some kernels that is told after the opening.
    const seen = this.#steps.slice(0, this.#seen).replace(/o$/, '');
    this.#steps = this.#steps.slice(seen.length);
    this.#seen = 0;
    const times = (step: string) => seen.split(step).length - 1;
    // Who only read may have been taken for a writer when he came: that is settled when he goes.
    if (this.#writers === undefined || /[n?]/.test(seen)) this.#writers = /[cn?]$/.test(seen) ? this.#ask() : undefined;
    else this.#writers += times('o') - times('c');
  }

  /** Is all that was done since that look one rewriting, before which nothing can have been added? */
  get wereOneRewriting(): boolean {
    drain();
    if (this.#writers === undefined) return false;
    const allLeft = 'c'.repeat(this.#writers);
    return this.#steps.startsWith(allLeft) && oneRewriting.test(this.#steps.slice(allLeft.length));
  }

  add(step: string): void {
    if (step === 'm' && this.#steps.length > this.#seen && this.#steps.endsWith('m')) return;
    if (this.#steps.length < most) this.#steps += this.#steps.length === most - 1 ? gap : step;
  }

  close(): void {
    const others = members.get(this.#watch)!;
    others.delete(this);
    if (others.size > 0) return;
    members.delete(this.#watch);
    this.#calls.watching.remove(queue!, this.#watch);
    if (members.size > 0) return;
    closeSync(queue!);
    queue = undefined;
  }

  /** None, or nobody knows how many. */
  #ask(): 0 | undefined {
    return this.#calls.files.hasWriters(this.#fd) === false ? 0 : undefined;
  }
}

/** One queue for all files, since a user may have few; and two names of one file have one watch in it. */
let queue: number | undefined;
const members = new Map<number, Set<Sessions>>();
const buffer = Buffer.allocUnsafeSlow(16 * 1024);

/** Hands every event that is queued to whom it concerns. */
function drain(): void {
  for (;;) {
    let got: number;
    try {
      got = readSync(queue!, buffer);
    } catch (error) {
      if (isSystemError(error, 'EAGAIN')) return;
      throw error;
    }
    for (let at = 0; at < got; at += watchEvent.size + buffer.readUInt32LE(at + 12)) {
      const bits = buffer.readUInt32LE(at + 4);
      if (bits & watchEvent.overflow) for (const all of members.values()) for (const each of all) each.add(gap);
      const step = letters.find(([bit]) => bits & bit)?.[1];
      if (step) for (const each of members.get(buffer.readInt32LE(at)) ?? []) each.add(step);
    }
  }
}
