// Following: looks at files when events, or the clock, say that something may have changed, until there is a reason to end.

import { fstatSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { copyInto } from '../io/pump.js';
import { every } from './clock.js';
import { Followed, type FollowedHooks, type FollowedOptions, type Happening } from './followed.js';
import { readersGone } from './holders.js';
import { type OpenFile, type Operand, streamOf } from './operand.js';
import { OutputFailed } from './output.js';
import { paced, type Room } from './paced.js';

/** `nothing left`: none of the files can give any more. */
export type End = 'processes' | 'nothing left' | 'told';

export interface FollowOptions extends FollowedOptions {
  /** End once all of these are gone. */
  pids: number[];
  /** Milliseconds between two looks that no event asked for. */
  interval: number;
}

/** What the follower's owner does with what is found. */
export interface FollowSink {
  take(file: Operand, bytes: Uint8Array, offset: number): void;
  /** `file`, which is none of those that were named: bytes of a content that begins with `head` are to come, until it is left. */
  began(file: Operand, head: Uint8Array): void;
  left(file: Operand): void;
  /** This content is at its end; the next bytes of the same name are another's beginning. */
  ended(file: Operand): void;
  happened(file: Operand, happening: Happening): void;
  /** Nothing more at the moment: let go of what is held back. */
  idle(): void;
  /** Where there is room, or not, for more. */
  room(): Room;
  fail(file: Operand, error: unknown): void;
  warn(message: string): void;
  debug(text: () => string): void;
}

/** Does the output end where somebody could leave? A file never does. */
const mayBeLeft = (fd: number): boolean => {
  const stat = fstatSync(fd);
  return stat.isFIFO() || stat.isSocket() || stat.isCharacterDevice();
};

export class Follower {
  readonly files: Followed[] = [];
  #options: FollowOptions;
  #sink: FollowSink;
  #end: (end: End) => void = () => {};
  #failed: (error: unknown) => void = () => {};
  readonly #ended: Promise<End>;
  #over = false;
  #started = false;
  #saidNoEvents = false;
  #soon = new Map<Followed, { at: number; cancel: () => void }>();
  #timers: (() => void)[] = [];
  /** The output is full; everything is looked at when it no longer is. */
  #blocked = false;
  #streams = new Set<{ close(): void }>();

  constructor(options: FollowOptions, sink: FollowSink) {
    this.#options = options;
    this.#sink = sink;
    this.#ended = new Promise((resolve, reject) => {
      this.#end = resolve;
      this.#failed = reject;
    });
    this.#ended.catch(() => {}); // It is awaited later.
  }

  /** Events are asked for from here on, so that nothing is missed between the first reading and the first look. */
  add(operand: Operand): Followed {
    const followed = new Followed(operand, this.#options, this.#hooks);
    this.files.push(followed);
    return followed;
  }

  /** Follow until there is a reason to end. Throws what the sink throws. `close` it then. */
  async run(outputFd: number): Promise<End> {
    this.#started = true;
    this.#guard(() => {
      for (const followed of this.files) this.#look(followed);
      this.#sayHow();
      this.#sink.idle();
      this.#every(this.#options.interval, () => {
        for (const followed of this.files) this.#look(followed);
      });
      if (this.#options.pids.length > 0)
        this.#every(Math.min(this.#options.interval, 500), () => {
          if (this.#options.pids.some(isAlive) || this.#blocked) return;
          // What they wrote last may not have been told of yet.
          if (!this.files.some((followed) => this.#look(followed))) this.end('processes');
        });
      if (mayBeLeft(outputFd)) {
        let gone: (() => boolean) | undefined;
        this.#every(250, () => {
          gone ??= readersGone(outputFd);
          if (gone()) throw new OutputFailed('broken pipe', { code: 'EPIPE' });
        });
      }
    });
    return this.#ended;
  }

  /** A reason to end. The first one counts. */
  end(end: End): void {
    this.#over = true;
    this.#end(end);
  }

  readonly #hooks: FollowedHooks = {
    take: (file, bytes, offset) => {
      if (!this.#over) this.#sink.take(file, bytes, offset);
    },
    began: (file, head) => this.#sink.began(file, head),
    left: (file) => this.#sink.left(file),
    room: () => !this.#sink.room().full,
    ended: ({ operand }) => this.#sink.ended(operand),
    happened: ({ operand }, happening) => this.#guard(() => this.#sink.happened(operand, happening)),
    debug: (text) => this.#sink.debug(text),
    wake: (followed) => {
      if (this.#started) this.#guard(() => this.#look(followed));
    },
    noEvents: ({ operand }, error) => {
      const { code, message } = error as NodeJS.ErrnoException;
      this.#sink.debug(() => `${operand.label}: no events: ${message}`);
      if (this.#saidNoEvents) return;
      this.#saidNoEvents = true;
      const seconds = this.#options.interval / 1000;
      const limit =
        code === 'ENOSPC'
          ? ' (see fs.inotify.max_user_watches)'
          : code === 'EMFILE'
            ? ' (too many open files or inotify instances)'
            : '';
      this.#sink.warn(`no events to be had: ${code}${limit}; looking every ${seconds} s instead`);
    },
    fail: ({ operand }, error) => this.#sink.fail(operand, error),
    stream: (followed, file, position) =>
      void this.#followStream(followed, file, position).catch((error) => this.#failed(error)),
  };

  #sayHow(): void {
    for (const { operand, polled } of this.files)
      this.#sink.debug(() => {
        const every = `every ${this.#options.interval / 1000} s`;
        if (!polled) return `${operand.label}: followed by events, and a look ${every}`;
        return `${operand.label}: followed by a look ${every}`;
      });
  }

  /** Whatever fails in a callback ends the run. */
  #guard(act: () => void): void {
    if (this.#over) return;
    try {
      act();
    } catch (error) {
      this.#over = true;
      this.#failed(error);
    }
  }

  #every(milliseconds: number, act: () => void): void {
    this.#timers.push(every(milliseconds, () => this.#guard(act)));
  }

  /** True: there is more of it. */
  #look(followed: Followed): boolean {
    if (this.#over) return false;
    if (this.#blocked) {
      followed.glance();
      return true;
    }
    if (this.#sink.room().full) {
      followed.glance();
      this.#wait();
      return true;
    }
    const more = followed.look();
    this.#sink.idle();
    if (this.#over) return false;
    const wait = more ? 0 : followed.nextLook();
    if (wait !== undefined) this.#lookSoon(followed, wait);
    if (!this.files.some(({ live }) => live)) this.end('nothing left');
    return more;
  }

  /** Until the reader has caught up nothing is looked at: it would have to be held in memory. */
  #wait(): void {
    this.#blocked = true;
    const again = () => {
      this.#blocked = false;
      this.#guard(() => {
        for (const followed of this.files) this.#look(followed);
      });
    };
    this.#sink
      .room()
      .ready()
      .then(again, (error) => this.#failed(error));
  }

  #lookSoon(followed: Followed, wait: number): void {
    const at = performance.now() + wait;
    const planned = this.#soon.get(followed);
    if (planned) {
      if (planned.at <= at) return;
      planned.cancel();
    }
    const act = () => {
      this.#soon.delete(followed);
      this.#guard(() => this.#look(followed));
    };
    const timer = wait === 0 ? undefined : setTimeout(act, wait);
    const immediate = wait === 0 ? setImmediate(act) : undefined;
    this.#soon.set(followed, {
      at,
      cancel: () => {
        clearTimeout(timer);
        clearImmediate(immediate);
      },
    });
  }

  /** A FIFO, a terminal: to its end, and then again, since another may write to it. */
  async #followStream({ operand }: Followed, file: OpenFile, offset: number): Promise<void> {
    const write = (view: Uint8Array) => {
      this.#sink.take(operand, view, offset);
      offset += view.length;
      return view.length;
    };
    while (!this.#over) {
      const input = await streamOf(file, (opened) => this.#streams.add(opened));
      const source = {
        readInto: (view: Uint8Array) => (this.#over ? 0 : input.readInto(view)),
        ready: () => {
          this.#sink.idle();
          return input.ready?.() ?? Promise.resolve();
        },
      };
      await copyInto(paced(source, this.#sink.room()), { write: write as (view: unknown) => number });
      this.#sink.idle();
      this.#streams.delete(input);
      input.close();
      if (!file.stat.isFIFO()) await sleep(this.#options.interval, undefined, { ref: false });
    }
  }

  /** Lets go of everything. */
  close(): void {
    this.#over = true;
    for (const end of this.#timers) end();
    for (const { cancel } of this.#soon.values()) cancel();
    for (const stream of this.#streams) stream.close();
    for (const followed of this.files) followed.close();
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
