// Write everything to a descriptor: short writes go on, a descriptor that a neighbour has made non-blocking is waited for.

import { writeSync } from 'node:fs';
import { isSystemError } from './failure.js';

const clock = new Int32Array(new SharedArrayBuffer(4));

/** Returns when all of `bytes` is written; throws the system's error. Blocks while a pipe is full. */
export function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0, wait = 1; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at, bytes.length - at);
      wait = 1;
    } catch (error) {
      if (!isSystemError(error, 'EAGAIN')) throw error;
      Atomics.wait(clock, 0, 0, wait);
      wait = Math.min(wait * 2, 20);
    }
  }
}
