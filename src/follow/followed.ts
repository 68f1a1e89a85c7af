// One name on the command line while it is followed: the file it leads to, the files it led to before that may still be
// written to, and what happened to it. Looking is always right, whatever made us look.

import { fstatSync, statSync } from 'node:fs';
import { isSystemError } from '../io/failure.js';
import { fsPath } from '../io/path.js';
import type { Take } from './ending.js';
import { NameWatch } from './events.js';
import { FileWatch } from './file-watch.js';
import { hasWriters } from './holders.js';
import { LateFiles, type LateHooks } from './late.js';
import { openMissed } from './missed.js';
import { type OpenFile, type Operand, openOperand } from './operand.js';
import { Presence } from './presence.js';
import { Reading } from './reading.js';

/** What happened to a name, for people and programs. `offset`: how far the old content was read. */
export type Happening =
  | { type: 'rotated'; offset: number }
  | { type: 'truncated'; offset: number }
  /** `certain`: there was something, of which nobody will ever know more; else that cannot be excluded. */
  | { type: 'lost'; offset: number; certain: boolean; reason: string }
  | { type: 'appeared' }
  | { type: 'gone'; reason: string };

export interface FollowedHooks extends LateHooks {
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

export class Followed {
  readonly operand: Operand;
  /** The oldest is read, the last is the one that the name leads to. */
  readonly readings: Reading[] = [];
  #options: FollowedOptions;
  #hooks: FollowedHooks;
  #nameWatch: NameWatch | undefined;
  #fileWatches = new Map<Reading, FileWatch>();
  /** Their turn is over, and something may be added to them all the same. */
  #late: LateFiles;
  /** It was truncated a moment ago, and what that destroyed is still being judged. */
  #judging = false;
  #presence: Presence;
  /** Nothing will come of this name any more. */
  ignored = false;
  polled = true;

  constructor(operand: Operand, options: FollowedOptions, hooks: FollowedHooks) {
    this.operand = operand;
    this.#options = options;
    this.#hooks = hooks;
    this.#late = new LateFiles(options.rotateWait, hooks);
    this.#presence = new Presence((change) => hooks.happened(this, change));
    if (options.events && !operand.isStdin) {
      this.#nameWatch = new NameWatch(operand.name, (kind) => {
        // The file's own watch tells of its content. That both tell keeps the kernel from merging two modifications into one event.
        if (kind === 'name' || this.polled) hooks.wake(this);
      });
      this.#refreshNameWatch();
    }
  }

  /** Watch `file`, before it is read for the first time. */
  watch(file: OpenFile): FileWatch | undefined {
    if (!this.#options.events || this.operand.isStdin) return undefined;
    try {
      const watch = new FileWatch(file.fd, this.operand.name, () => this.#hooks.wake(this));
      this.polled = this.#nameWatch === undefined;
      return watch;
    } catch (error) {
      this.polled = true;
      this.#hooks.noEvents(this, error);
      return undefined;
    }
  }

  /** Follow `file` from `position` on. */
  begin(file: OpenFile, position: number, watch: FileWatch | undefined): void {
    const reading = new Reading(file, position);
    this.readings.push(reading);
    if (watch) this.#fileWatches.set(reading, watch);
    if (!file.seekable) this.#hooks.stream(this, file, position);
  }

  /** The name could not be opened at first: it is waited for, or given up. */
  beginMissing(): void {
    this.#presence.neverFound();
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
    for (const waiting of this.readings.slice(1)) waiting.glance();
    for (;;) {
      if (this.#readOldest() || this.#late.look()) return true;
      const first = this.readings.length === 0;
      if (this.#wantsName()) this.#checkName();
      // What a file that has just appeared holds already, no event tells of.
      if (!(first && this.readings.length > 0) && !this.#retireOldest()) return false;
    }
  }

  /** Nothing may be taken now; see how large the files are all the same, so that it is known if what nobody has read is destroyed. */
  glance(): void {
    for (const reading of this.readings) reading.glance();
  }

  /** Milliseconds until another look is worth it though nothing tells of a change; undefined: none is. */
  nextLook(): number | undefined {
    if (this.readings.length > 1) return 50;
    return this.#presence.nextLook;
  }

  close(): void {
    this.#nameWatch?.close();
    this.#late.close();
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

  readonly #take: Take = (bytes, offset) => this.#hooks.take(this.operand, bytes, offset);

  /** True: there is more of it right now. */
  #readOldest(): boolean {
    const reading = this.readings[0];
    if (!reading || this.#judging) return false;
    try {
      const watch = this.#fileWatches.get(reading);
      watch?.beforeLook();
      const look = reading.look(this.#take, this.#hooks.room);
      if (look === 'rewritten') this.#rewritten(reading, watch);
      else this.#tellDestroyed(reading);
      if (look === 'same') watch?.clean();
      return look === 'more' || (look === 'rewritten' && !this.#judging);
    } catch (error) {
      if (!isSystemError(error) || (error as { path?: unknown }).path === 'standard output') throw error;
      this.#hooks.fail(this, error);
      this.readings.shift();
      this.#forget(reading);
      if (!this.#options.retry) this.ignored = true;
      return false;
    }
  }

  #rewritten(reading: Reading, watch: FileWatch | undefined): void {
    const offset = reading.position;
    const cut = reading.beginsAlike(1);
    reading.restart();
    this.#hooks.ended(this);
    this.#hooks.happened(this, { type: 'truncated', offset });
    if (this.#tellDestroyed(reading, offset)) {
      // There is nothing to be judged.
    } else if (!watch || this.polled) this.#suspect(offset);
    else {
      // Only then the new content is read, so that the loss is told in its place.
      this.#judging = true;
      watch.judge(cut, (nothingLost) => {
        this.#judging = false;
        if (!nothingLost) this.#suspect(offset);
        this.#hooks.wake(this);
      });
    }
  }

  #suspect(offset: number): void {
    const reason = 'what was written to it after the last look and before it was truncated, if anything was';
    this.#hooks.happened(this, { type: 'lost', offset, certain: false, reason });
  }

  /** True: it was seen to have more than was read, and has no longer; that is told. */
  #tellDestroyed(reading: Reading, offset: number = reading.position): boolean {
    const bytes = reading.takeDestroyed();
    if (bytes === 0) return false;
    const reason = `${bytes} bytes that were there, and had not been read when it was truncated`;
    this.#hooks.happened(this, { type: 'lost', offset, certain: true, reason });
    return true;
  }

  #checkName(): void {
    const { name } = this.operand;
    let problem: string;
    try {
      const stat = statSync(fsPath(name), { bigint: true });
      const newest = this.readings.at(-1);
      if (newest?.is(stat)) {
        this.#presence.found();
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
    this.#presence.missing(problem);
  }

  #openNew(): void {
    const file = openOperand(this.operand);
    const newest = this.readings.at(-1);
    if (newest?.is(file.stat)) {
      file.close();
      this.#presence.found();
      return;
    }
    const watch = this.watch(file);
    this.#presence.found();
    this.#late.forget(file.stat);
    if (newest) {
      newest.lastNews = performance.now();
      this.#hooks.happened(this, { type: 'rotated', offset: newest.position });
      // Rotated more than once since the last look: the files between the two have names with numbers now.
      for (const missed of openMissed(this.operand.name, newest, file)) {
        this.#hooks.debug(() => `${name(this)}: a file came and went between two looks (inode ${missed.stat.ino})`);
        this.begin(missed, 0, this.watch(missed));
      }
    }
    this.begin(file, 0, watch);
    this.#hooks.debug(() => `${name(this)}: a new file (inode ${file.stat.ino})`);
  }

  /** The oldest file has a successor, or no name any more: is it done with? True: it was, and the next one's turn has come. */
  #retireOldest(): boolean {
    const [oldest, next] = this.readings;
    if (!oldest || !this.#options.byName || this.operand.isStdin) return false;
    if (!next) {
      // Still the only one. Without a name it can be read on as long as somebody may write to it.
      if (!this.#presence.isGone || fstatSync(oldest.file.fd).nlink > 0) return false;
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
    this.#hooks.ended(this);
    if (this.readings[0] === oldest) this.readings.shift();
    if (this.#late.add(this.operand, oldest, this.#fileWatches.get(oldest))) this.#fileWatches.delete(oldest);
    else this.#forget(oldest);
    if (!next && !this.#options.retry) this.ignored = true;
    return next !== undefined;
  }

  #forget(reading: Reading): void {
    this.#fileWatches.get(reading)?.close();
    this.#fileWatches.delete(reading);
    reading.file.close();
  }
}

const name = ({ operand }: Followed): string => operand.label;
