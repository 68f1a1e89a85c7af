// Both ends of the pipe meter: a source that says when it had to be waited for, a sink that takes what the reader can take.
// A pipe is opened anew through /proc, so that O_NONBLOCK is set on a description of our own and never on one that is shared.

import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSystemError } from '../io/failure.js';
import { FileIO } from '../io/file-io.js';
import { native } from '../io/native.js';
import type { Source } from '../io/raw.js';
import { canBlock, streamInput } from '../io/stream-input.js';
import { SlotReader, type SlotStatistics } from './pipe-slots.js';

export interface MeterInput extends Source {
  readonly fd: number;
  /** May its bytes be moved by splice? */
  readonly pipe: boolean;
  /** How the bytes lay in the pipe, as far as it was asked. */
  readonly slots?: SlotStatistics;
  /** Bytes that wait in the pipe, where that can be known. */
  waiting?(): number;
  ready(): Promise<void>;
  close(): void;
}

export function meterInput(fd: number): MeterInput {
  const calls = native();
  if (calls && fstatSync(fd).isFIFO()) {
    const own = reopened(fd, constants.O_RDONLY);
    if (own !== undefined) {
      const stop = new AbortController();
      const reader = new SlotReader(calls, own);
      return {
        fd: own,
        pipe: true,
        slots: reader.statistics,
        readInto: (view) => (reader.wanted ? reader.readInto(view) : calls.files.read(own, view, view.length)),
        waiting: () => calls.pipes.waiting(own),
        async ready() {
          await calls.polling.wait(own, 'read', { signal: stop.signal });
        },
        close() {
          stop.abort();
          reader.close();
          closeSync(own);
        },
      };
    }
  }
  if (!canBlock(fd)) {
    const file = new FileIO(fd, 'r', { closefd: false });
    return { fd, pipe: false, readInto: (view) => file.readInto(view), ready: async () => {}, close() {} };
  }
  const input = streamInput(fd);
  return {
    fd,
    pipe: false,
    readInto: (view) => input.readInto(view),
    ready: () => input.ready(),
    close: () => input.close(),
  };
}

export interface MeterOutput {
  readonly fd: number;
  readonly pipe: boolean;
  /** Bytes taken from the start of `view`; null: none, it is full. Throws EPIPE when nobody reads. */
  write(view: Uint8Array): number | null;
  ready(): Promise<void>;
  /** Will nobody ever read what is written? Always false where that cannot be known. */
  gone(): boolean;
  close(): void;
}

export function meterOutput(fd: number): MeterOutput {
  const pipe = fstatSync(fd).isFIFO();
  const own = pipe ? reopened(fd, constants.O_WRONLY) : undefined;
  const calls = native();
  const to = own ?? fd;
  const file = new FileIO(to, 'w', { closefd: false });
  const stop = new AbortController();
  return {
    fd: to,
    pipe,
    write: calls ? (view) => calls.files.write(to, view, view.length) : (view) => file.write(view),
    async ready() {
      if (calls) await calls.polling.wait(to, 'write', { signal: stop.signal });
      else await sleep(1);
    },
    gone: () => pipe && calls !== null && calls.polling.readerGone(to),
    close() {
      stop.abort();
      if (own !== undefined) closeSync(own);
    },
  };
}

function reopened(fd: number, how: number): number | undefined {
  try {
    return openSync(`/proc/self/fd/${fd}`, how | constants.O_NONBLOCK);
  } catch (error) {
    // Another user's pipe, no /proc; or (ENXIO) nobody reads: writing will say so.
    if (isSystemError(error)) return undefined;
    throw error;
  }
}
