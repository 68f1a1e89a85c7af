// One name on the command line while it is followed: the file it leads to, the files it led to before that may still be
// written to, and what happened to it. Looking is always right, whatever made us look.

import { closeSync, fstatSync, statSync } from 'node:fs';
import { isSystemError } from '../io/failure.js';
import { fsPath } from '../io/path.js';
import type { Take } from './ending.js';
import { NameWatch, watchDescriptor } from './events.js';
import { hasWriters } from './holders.js';
import { type OpenFile, type Operand, openOperand } from './operand.js';
import { Reading } from './reading.js';
import { closeOlder, type OlderFile, openOlder } from './rotations.js';

/** What happened to a name, for people and programs. `offset`: how far the old content was read. */
export type Happening =
  | { type: 'rotated'; offset: number }
  | { type: 'truncated'; offset: number }
  | { type: 'lost'; offset: number; reason: string }
  | { type: 'appeared' }
  | { type: 'gone'; reason: string };

export interface FollowedHooks {
  take: (followed: Followed, bytes: Uint8Array, offset: number) => void;
  /** Is there room for more of them? */
  room: () => boolean;
  /** The file that was read is at its end for good; what comes next is another's beginning. */
  ended: (followed: Followed) => void;
  happened: (followed: Followed, happening: Happening) => void;
  debug: (text: () => string) => void;
  /** Something may have changed. */
  wake: (followed: Followed) => void;
  /** No events to be had. */
  noEvents: (followed: Followed, error: unknown) => void;
  fail: (followed: Followed, error: unknown) => void;
  /** It is no regular file: its bytes are to be read as they come. */
  stream: (followed: Followed, file: OpenFile, position: number) => void;
}

export interface FollowedOptions {
  byName: boolean;
  retry: boolean;
  /** Milliseconds without news after which a file that has been rotated away is done with. */
  rotateWait: number;
  events: boolean;
}

/** Files that wait for their turn hold a descriptor each. */
const mostWaiting = 32;
/** A name that is gone for less than this is about to lead to a new file. */
const goneAfter = 100;

export class Followed {
  readonly operand: Operand;
  /** The oldest is read, the last is the one that the name leads to. */
  readonly readings: Reading[] = [];
  #options: FollowedOptions;
  #hooks: FollowedHooks;
  #nameWatch: NameWatch | undefined;
  #fileWatches = new Map<Reading, () => void>();
  /** Modifications told of since the last look that found nothing more. */
  #modified = 0;
  /** It was truncated a moment ago, and modifications are still being counted. */
  #counting = false;
  /** The name leads nowhere, since then. */
  #missingSince: number | undefined;
  #missing = '';
  #saidGone = false;
  /** Nothing will come of this name any more. */
  ignored = false;
  polled = true;

  constructor(operand: Operand, options: FollowedOptions, hooks: FollowedHooks) {
    this.operand = operand;
    this.#options = options;
    this.#hooks = hooks;
    if (options.events && !operand.isStdin) {
      this.#nameWatch = new NameWatch(operand.name, (kind) => {
        // The file's own watch tells of its content. That both tell keeps the kernel from merging two modifications into one event.
        if (kind === 'name' || this.polled) hooks.wake(this);
      });
      this.#refreshNameWatch();
    }
  }

  /** Watch `file`, before it is read for the first time. */
  watch(file: OpenFile): () => void {
    if (!this.#options.events || this.operand.isStdin) return () => {};
    try {
      const close = watchDescriptor(file.fd, this.operand.name, () => {
        this.#modified++;
        this.#hooks.wake(this);
      });
      this.polled = this.#nameWatch === undefined;
      return close;
    } catch (error) {
      this.polled = true;
      this.#hooks.noEvents(this, error);
      return () => {};
    }
  }

  /** Follow `file` from `position` on. */
  begin(file: OpenFile, position: number, unwatch: () => void): void {
    const reading = new Reading(file, position);
    this.readings.push(reading);
    this.#fileWatches.set(reading, unwatch);
    if (!file.seekable) this.#hooks.stream(this, file, position);
  }

  /** The name could not be opened at first: it is waited for, or given up. */
  beginMissing(reason: string): void {
    this.#missingSince = Number.NEGATIVE_INFINITY;
    this.#missing = reason;
    this.#saidGone = true;
    this.ignored = !this.#options.retry;
  }

  /** May there be more of it? */
  get live(): boolean {
    return !this.ignored && (this.#options.retry || this.readings.length > 0);
  }

  /** Takes what is new, and sees what the name leads to. True: there is more, look again soon. */
  look(): boolean {
    if (this.ignored) return false;
    this.#refreshNameWatch();
    for (;;) {
      const more = this.#readOldest();
      if (more) return true;
      if (this.#wantsName()) this.#checkName();
      if (!this.#retireOldest()) return false;
    }
  }

  /** Milliseconds until another look is worth it though nothing tells of a change; undefined: none is. */
  nextLook(): number | undefined {
    if (this.readings.length > 1) return 50;
    if (this.#missingSince !== undefined && !this.#saidGone) return goneAfter / 2;
    return undefined;
  }

  close(): void {
    this.#nameWatch?.close();
    for (const reading of this.readings.splice(0)) this.#forget(reading);
  }

  #wantsName(): boolean {
    if (this.operand.isStdin) return false;
    return this.#options.byName || (this.#options.retry && this.readings.length === 0);
  }

  #refreshNameWatch(): void {
    try {
      this.#nameWatch?.refresh();
    } catch (error) {
      if (isSystemError(error, 'ENOENT', 'EACCES', 'ENOTDIR', 'ELOOP')) return; // The next look tries again.
      this.#nameWatch?.close();
      this.#nameWatch = undefined;
      this.polled = true;
      this.#hooks.noEvents(this, error);
    }
  }

  readonly #take: Take = (bytes, offset) => this.#hooks.take(this, bytes, offset);

  /** True: there is more of it right now. */
  #readOldest(): boolean {
    const reading = this.readings[0];
    if (!reading || this.#counting) return false;
    try {
      const seen = this.#modified;
      const look = reading.look(this.#take, this.#hooks.room);
      if (look === 'same') this.#modified -= seen;
      if (look === 'rewritten') this.#rewritten(reading);
      return look === 'more';
    } catch (error) {
      if (!isSystemError(error) || (error as { path?: unknown }).path === 'standard output') throw error;
      this.#hooks.fail(this, error);
      this.readings.shift();
      this.#forget(reading);
      if (!this.#options.retry) this.ignored = true;
      return false;
    }
  }

  #rewritten(reading: Reading): void {
    const offset = reading.position;
    reading.restart();
    this.#hooks.ended(this);
    this.#hooks.happened(this, { type: 'truncated', offset });
    // Each modification is told once. One truncated it, and one more wrote what it has now; any other may have added what
    // nobody will ever read. The kernel has queued them all: after two turns of the event loop they have come. Only then the new
    // content is read, so that the loss is told in its place.
    const watched = !this.polled;
    const written = fstatSync(reading.file.fd).size > 0 ? 1 : 0;
    this.#counting = true;
    setImmediate(() =>
      setImmediate(() => {
        this.#counting = false;
        const modified = this.#modified;
        this.#modified = 0;
        if (!watched || modified > 1 + written) {
          const reason = 'anything written to it after the last look and before it was truncated was not read';
          this.#hooks.happened(this, { type: 'lost', offset, reason });
        }
        this.#hooks.wake(this);
      }),
    );
  }

  #checkName(): void {
    const { name } = this.operand;
    let problem: string;
    try {
      const stat = statSync(fsPath(name), { bigint: true });
      const newest = this.readings.at(-1);
      if (newest?.is(stat)) {
        this.#found();
        return;
      }
      if (stat.isFile() || stat.isFIFO() || stat.isCharacterDevice() || stat.isSocket()) {
        this.#openNew();
        return;
      }
      problem = 'it is not a file that can be followed';
    } catch (error) {
      if (!isSystemError(error)) throw error;
      problem = error.code;
    }
    this.#lostName(problem);
  }

  #openNew(): void {
    const file = openOperand(this.operand);
    const newest = this.readings.at(-1);
    if (newest?.is(file.stat)) {
      file.close();
      this.#found();
      return;
    }
    const unwatch = this.watch(file);
    this.#found();
    if (newest) {
      newest.lastNews = performance.now();
      this.#hooks.happened(this, { type: 'rotated', offset: newest.position });
      this.#addMissed(newest, file);
    }
    this.begin(file, 0, unwatch);
    this.#hooks.debug(() => `${name(this)}: a new file (inode ${file.stat.ino})`);
  }

  /** Rotated more than once since the last look: the files between `newest` and `file` have names with numbers now. */
  #addMissed(newest: Reading, file: OpenFile): void {
    const older = openOlder(this.operand.name, file.stat, ({ stat }) => newest.is(stat));
    const last = older.pop();
    // Numbers may also count upwards, the highest being the newest: what was made before `newest` was not missed.
    const between = ({ compressed, stat }: OlderFile) => !compressed && stat.birthtimeNs > newest.file.stat.birthtimeNs;
    const known = last !== undefined && newest.is(last.stat) && older.every(between);
    if (last) closeOlder([last]);
    if (!known) {
      closeOlder(older);
      return;
    }
    for (const { fd, stat, name } of older.reverse()) {
      this.#hooks.debug(() => `${name}: came and went between two looks`);
      const missed = { fd, stat, seekable: true, start: 0, close: () => closeSync(fd) };
      this.begin(missed, 0, this.watch(missed));
    }
  }

  #found(): void {
    if (this.#missingSince === undefined) return;
    if (this.#saidGone) this.#hooks.happened(this, { type: 'appeared' });
    this.#missingSince = undefined;
    this.#saidGone = false;
  }

  #lostName(problem: string): void {
    const now = performance.now();
    if (this.#missingSince === undefined) this.#missingSince = now;
    this.#missing = problem;
    if (!this.#saidGone && now - this.#missingSince >= goneAfter) {
      this.#saidGone = true;
      this.#hooks.happened(this, { type: 'gone', reason: this.#missing });
    }
  }

  /** The oldest file has a successor, or no name any more: is it done with? True: it was, and the next one's turn has come. */
  #retireOldest(): boolean {
    const [oldest, next] = this.readings;
    if (!oldest || !this.#options.byName || this.operand.isStdin) return false;
    if (!next) {
      // Still the only one. Without a name it can be read on as long as somebody may write to it.
      if (!this.#saidGone || fstatSync(oldest.file.fd).nlink > 0) return false;
    }
    const idle = performance.now() - oldest.lastNews;
    let why: string | undefined;
    if (idle >= this.#options.rotateWait) why = `no news for ${Math.round(idle)} ms`;
    else if (this.readings.length > mostWaiting) why = `${mostWaiting} files wait for it`;
    else if (hasWriters(oldest.file.fd) === false) why = 'nobody has it open for writing';
    if (why === undefined) return false;
    // Asked first, read after: what a writer wrote before it closed is there now.
    if (this.#readOldest()) return true;
    this.#hooks.debug(() => `${name(this)}: done with the old file (inode ${oldest.file.stat.ino}): ${why}`);
    if (this.readings[0] === oldest) this.readings.shift();
    this.#forget(oldest);
    this.#hooks.ended(this);
    if (!next && !this.#options.retry) this.ignored = true;
    return next !== undefined;
  }

  #forget(reading: Reading): void {
    this.#fileWatches.get(reading)?.();
    this.#fileWatches.delete(reading);
    reading.file.close();
  }
}

const name = ({ operand }: Followed): string => operand.label;
