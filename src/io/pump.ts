// The one way to move bytes: a source, a sink, one reused buffer, in slices of at most ~20 ms, between which the event
// loop runs, so that signals and progress are prompt.

import { invalidArgument } from './errors.js';
import type { Sink, Source } from './raw.js';

/** The event loop gets its turn after this many milliseconds of work. */
const slice = 20;

// Not from node:timers/promises, nor `performance`: loading these takes longer than a small copy.
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const now = (): number => process.uptime() * 1000;

/** Bytes a step: measured flat from 128 KiB to 1 MiB for files; a pipe holds 64 KiB. */
export const defaultStep = 256 * 1024;

export interface CopyIntoOptions {
  /** Bytes a step; default 256 KiB. */
  bufferSize?: number | undefined;
  /** Stops between two steps, by rejecting with its reason. */
  signal?: AbortSignal | undefined;
  /** Called with the bytes of each step once they are written. They are overwritten by the next: copy what is to stay. */
  onBytes?: ((chunk: Uint8Array) => void) | undefined;
  /** Bytes a second, at most. */
  limitRate?: number | undefined;
  /** Stop after this many bytes, though the source has more. */
  limit?: number | undefined;
}

/**
 * Moves bytes from `source` to `sink` until the end of file, or `limit`. Gives the number of bytes moved, all of them
 * taken by the sink: short writes go on where they stopped. A source or sink that answers null is waited for with its
 * `ready()`. Rejects with what the source, the sink or the signal throws; what was written until then stays written.
 */
export async function copyInto(source: Source, sink: Sink, options: CopyIntoOptions = {}): Promise<number> {
  const { bufferSize = defaultStep, signal, onBytes, limitRate, limit = Infinity } = options;
  if (typeof source?.readInto !== 'function') throw invalidArgument('a source has a method readInto');
  if (typeof sink?.write !== 'function') throw invalidArgument('a sink has a method write');
  if (!(bufferSize >= 1)) throw invalidArgument('a buffer size is a whole number from 1 up');
  const step = limitRate ? Math.min(bufferSize, Math.max(1, Math.ceil(limitRate / 10))) : bufferSize;
  const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(step, limit)));
  const started = now();
  let sliceEnd = started + slice;
  let total = 0;
  signal?.throwIfAborted();
  while (total < limit) {
    const count = source.readInto(limit - total < buffer.length ? buffer.subarray(0, limit - total) : buffer);
    if (count === 0) break;
    if (count === null) {
      await readiness(source, signal);
      sliceEnd = now() + slice;
      continue;
    }
    const chunk = buffer.subarray(0, count);
    const taken = sink.write(chunk);
    if (taken !== count) await writeRest(sink, chunk, taken ?? 0, signal);
    total += count;
    onBytes?.(chunk);
    if (limitRate) await until(started + (1000 * total) / limitRate, signal);
    if (now() >= sliceEnd) {
      await turn();
      signal?.throwIfAborted();
      sliceEnd = now() + slice;
    }
  }
  return total;
}

/** Writes `chunk` from `at` on, waiting as long as the sink answers null. */
async function writeRest(sink: Sink, chunk: Uint8Array, at: number, signal: AbortSignal | undefined): Promise<void> {
  for (let idle = 0; at < chunk.length; ) {
    const count = sink.write(chunk.subarray(at));
    if (count === null) await readiness(sink, signal);
    else if (count === 0 && ++idle > 100) throw new Error('a sink takes no bytes and does not say why');
    else at += count;
  }
}

/** Wait until it is worth asking again: the other side's word, or, where it has none, a moment. */
async function readiness(side: Source | Sink, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  if (!side.ready) await sleep(2);
  else if (!signal) await side.ready();
  else {
    let abort = () => {};
    const aborted = new Promise<never>((_, reject) => {
      abort = () => reject(signal.reason);
    });
    signal.addEventListener('abort', abort, { once: true });
    try {
      await Promise.race([side.ready(), aborted]);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }
}

async function until(time: number, signal: AbortSignal | undefined): Promise<void> {
  for (let wait = time - now(); wait > 1; wait = time - now()) {
    await sleep(Math.min(wait, 100));
    signal?.throwIfAborted();
  }
}
