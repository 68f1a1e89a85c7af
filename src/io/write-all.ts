// Descriptors shared with neighbours who may have made them non-blocking: where such a one would block, this waits.

import { writeSync } from 'node:fs';
import { isSystemError } from './failure.js';

const clock = new Int32Array(new SharedArrayBuffer(4));

/** Asks until the answer is not null (it would have blocked), waiting a little longer each time. Holds up the event loop. */
export function patiently<T>(ask: () => T | null): T {
  for (let wait = 1; ; wait = Math.min(wait * 2, 16)) {
    const answer = ask();
    if (answer !== null) return answer;
    Atomics.wait(clock, 0, 0, wait);
  }
}

/** Returns when all of `bytes` is written: short writes go on. Throws the system's error. Blocks while a pipe is full. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += patiently(() => writeSome(fd, bytes, at));
}

function writeSome(fd: number, bytes: Uint8Array, at: number): number | null {
  try {
    return writeSync(fd, bytes, at, bytes.length - at);
  } catch (error) {
    if (isSystemError(error, 'EAGAIN')) return null;
    if (isSystemError(error, 'EINTR')) return 0;
    throw error;
  }
}
