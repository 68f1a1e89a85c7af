// poll(2): is a descriptor ready, has its other end gone; now, or waited for in a way that can be called off.

import { closeSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import type { Libc } from './libc.js';
import { systemError } from './system-error.js';

/** What poll says of a descriptor. `gone`: no reader is left (pipe), or the peer has hung up; `hungUp`: no writer is left (bytes may still wait). */
export interface Readiness {
  readable: boolean;
  writable: boolean;
  error: boolean;
  hungUp: boolean;
}

export interface Polling {
  /** How things are at this moment. Never blocks, changes nothing. */
  now(fd: number): Readiness;
  /**
   * True once nobody will ever read what is written to `fd`: a pipe without readers, a socket or terminal whose peer has hung up.
   * A file, and a pipe that is merely full, never say so.
   */
  readerGone(fd: number): boolean;
  /** Waits right here, the event loop standing still, for at most some milliseconds: is it so now? For waits that are mostly short. */
  waitBriefly(fd: number, until: 'read' | 'write' | 'gone', milliseconds: number): boolean;
  /**
   * Waits here and now, holding up everything, for at most so many milliseconds (few: signals and timers wait too): can `fd` be
   * read or written, or has it come to an end? No thread, so that the answer comes some 50 µs sooner than `wait`'s.
   */
  hold(fd: number, until: 'read' | 'write', milliseconds: number): boolean;
  /**
   * Waits, on a pool thread, until `fd` can be read ('read'), written ('write'), or its reader is gone ('gone'); any of
   * them ends with an error or a hang-up too. False when `signal` aborts or the time is up. Regular files are always ready.
   * Give a signal and abort it before the program ends: an ended program waits for its threads.
   */
  wait(
    fd: number,
    until: 'read' | 'write' | 'gone',
    limits?: { signal?: AbortSignal; milliseconds?: number },
  ): Promise<boolean>;
}

const POLLIN = 1;
const POLLOUT = 4;
const POLLERR = 8;
const POLLHUP = 16;
const POLLNVAL = 32;
const events = { read: POLLIN, write: POLLOUT, gone: 0 } as const;

export function polling(libc: Libc): Polling {
  const c = libc.functions({
    poll: { args: ['void *', 'uint64', 'int'] },
    eventfd: { args: ['uint', 'int'] },
  });
  // struct pollfd: int fd; short events, revents.
  const one = Buffer.alloc(8);

  function poll(fd: number, asked: number, milliseconds = 0): number {
    one.writeInt32LE(fd, 0);
    one.writeInt32LE(asked, 4);
    for (;;) {
      if (c.poll(one, 1, milliseconds) >= 0) break;
      if (libc.errno() !== constants.errno.EINTR) throw libc.error('poll');
    }
    const got = one.readInt16LE(6);
    if (got & POLLNVAL) throw systemError(constants.errno.EBADF, 'poll');
    return got;
  }

  return {
    now(fd) {
      const got = poll(fd, POLLIN | POLLOUT);
      return {
        readable: (got & POLLIN) !== 0,
        writable: (got & POLLOUT) !== 0,
        error: (got & POLLERR) !== 0,
        hungUp: (got & POLLHUP) !== 0,
      };
    },
    hold: (fd, until, milliseconds) => poll(fd, events[until], milliseconds) !== 0,
    readerGone: (fd) => (poll(fd, 0) & (POLLERR | POLLHUP)) !== 0,
    waitBriefly: (fd, until, milliseconds) => poll(fd, events[until], Math.ceil(milliseconds)) !== 0,
    async wait(fd, until, { signal, milliseconds } = {}) {
      if (signal?.aborted) return false;
      // The second descriptor is only there to wake the thread: eventfd(EFD_CLOEXEC).
      const wake = c.eventfd(0, 0o2000000);
      if (wake < 0) throw libc.error('eventfd');
      const both = Buffer.alloc(16);
      both.writeInt32LE(fd, 0);
      both.writeInt32LE(events[until], 4);
      both.writeInt32LE(wake, 8);
      both.writeInt32LE(POLLIN, 12);
      const abort = () => writeSync(wake, Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]));
      signal?.addEventListener('abort', abort, { once: true });
      const deadline = milliseconds === undefined ? Number.POSITIVE_INFINITY : performance.now() + milliseconds;
      try {
        for (;;) {
          const left = Math.min(Math.max(0, Math.ceil(deadline - performance.now())), 0x7fff_ffff);
          const { result, errno } = await libc.onThread(c.poll, both, 2, deadline === Infinity ? -1 : left);
          if (result < 0 && errno === constants.errno.EINTR) continue;
          if (result < 0) throw systemError(errno, 'poll');
          const got = both.readInt16LE(6);
          if (got & POLLNVAL) throw systemError(constants.errno.EBADF, 'poll');
          return got !== 0 && !signal?.aborted;
        }
      } finally {
        signal?.removeEventListener('abort', abort);
        closeSync(wake);
      }
    },
  };
}
