// Bytes passed on inside the kernel, from a pipe into another, without a copy through this process (splice).

import { fstatSync } from 'node:fs';
import { isSystemError } from './failure.js';
import type { Native } from './native.js';

/** Bytes a call, and the capacity that pipes are asked to have: with 64 KiB, their default, most of the time goes into waking. */
const step = 2 ** 20;
/** The event loop gets its turn after this many milliseconds. */
const slice = 20;

export interface SpliceOptions {
  signal?: AbortSignal | undefined;
  onBytes?: ((count: number) => void) | undefined;
}

/**
 * Are these two better spliced than read and written? From a pipe into a pipe or /dev/null. Not into a file: page by page that takes
 * twice as long. Not from a file: its pages would stay its own, and what is written to it later be read in the pipe.
 */
export function canSplice(from: number, to: number): boolean {
  const sink = fstatSync(to);
  return fstatSync(from).isFIFO() && (sink.isFIFO() || (sink.isCharacterDevice() && sink.rdev === 0x103));
}

/**
 * Moves all of the pipe `from` to `to`, each at its own offset, until the last writer has gone. Gives the number of bytes moved, or
 * null if the kernel refuses these two and nothing was moved. Neither descriptor is made non-blocking, nor does a full or an
 * empty pipe hold up the event loop for more than a moment. Larger pipes (`enlargePipe`) make it twice as fast. Throws the system's error, or what the signal was aborted with.
 */
export async function spliceAll(
  native: Native,
  from: number,
  to: number,
  { signal, onBytes }: SpliceOptions = {},
): Promise<number | null> {
  const { pipes, polling } = native;
  let total = 0;
  let sliceEnd = performance.now() + slice;
  for (;;) {
    let moved: number | null;
    try {
      moved = pipes.splice(from, null, to, null, step);
    } catch (error) {
      // A pipe opened for appending (`>>`) gives EINVAL, a sandbox the others.
      if (total === 0 && isSystemError(error, 'EINVAL', 'ENOSYS', 'EPERM')) return null;
      throw error;
    }
    if (moved === 0) return total;
    if (moved !== null) {
      total += moved;
      onBytes?.(moved);
    } else {
      const empty = !polling.now(from).readable && pipes.waiting(from) === 0;
      const [fd, until] = empty ? ([from, 'read'] as const) : ([to, 'write'] as const);
      // Most waits are short: a thread costs more than to wait here.
      if (!polling.waitBriefly(fd, until, slice / 2)) {
        await polling.wait(fd, until, { ...(signal && { signal }) });
        signal?.throwIfAborted();
        sliceEnd = performance.now() + slice;
      }
    }
    if (performance.now() >= sliceEnd) {
      await new Promise(setImmediate);
      signal?.throwIfAborted();
      sliceEnd = performance.now() + slice;
    }
  }
}

/** Have a pipe hold 1 MiB, if this is one and it may. */
export function enlargePipe({ pipes }: Native, fd: number): void {
  try {
    if (fstatSync(fd).isFIFO() && pipes.capacity(fd) < step) pipes.setCapacity(fd, step);
  } catch {
    // More than this user may have (EPERM), or more is in it than would fit (EBUSY): it stays as it is.
  }
}
