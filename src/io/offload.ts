// A regular file copied by the kernel: copy_file_range, or read and written where that is refused, and its holes kept in
// either case. In pieces of at most ~20 ms, between which the event loop runs.

import { type BigIntStats, fstatSync, statfsSync } from 'node:fs';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { ContentOptions, Method } from './content.js';
import { isSystemError } from './failure.js';
import type { FileIO } from './file-io.js';
import { dataSegments, looksSparse } from './holes.js';
import type { Native } from './native.js';
import { copyInto } from './pump.js';
import { SparseSink } from './sparse-sink.js';

export interface Offloaded {
  /** Bytes of the source, from where it stood, that the sink has now; fewer than expected if the source shrank. */
  bytes: number;
  method: Method;
  /** Why not by a better method, if there was one to try. */
  why: string | undefined;
}

/** One piece aims at this many milliseconds. */
const slice = 15;
const leastPiece = 128 * 1024;
const mostPiece = 2 ** 30;

/** What ends the copy whatever the method: there is no use in trying another. */
const terminal = ['EIO', 'ENOMEM', 'ENOSPC', 'EDQUOT', 'EFBIG'];

/**
 * Copies `source`, a regular file with these `before` facts, from its position up to `before.size`; `sink` stands at the same position and is
 * empty behind it. Its size is right at the end, holes included. Both are left standing there. Throws the system's error.
 */
export async function offload(
  native: Native,
  source: FileIO,
  sink: FileIO,
  before: BigIntStats,
  options: ContentOptions,
): Promise<Offloaded> {
  const { reflink = 'auto', sparse = 'auto', onBytes } = options;
  const size = Number(before.size);
  const start = source.tell();
  const holes = sparse === 'always' || (sparse === 'auto' && looksSparse(before));

  // With its size already set, xfs does not allocate ahead of what is written, which would fill small holes.
  native.copying.advise(source.fileno(), start, 0, 'sequential');
  if (holes) sink.truncate(size);
  else await reserve(native, sink.fileno(), start, size);
  // copy_file_range may share extents, and leaves holes: not for those who want neither.
  const mover = new Mover(native, source, sink, options, reflink !== 'never' && sparse === 'auto');
  let at = start;
  let whole = true;
  for (const segment of holes ? dataSegments(native, source.fileno(), size) : [{ start, end: size }]) {
    const from = Math.max(at, segment.start);
    if (segment.end <= from) continue;
    if (from > at) onBytes?.(from - at);
    at = from + (await mover.move(from, segment.end));
    whole = at === segment.end;
    if (!whole) break;
  }
  if (whole && at < size) {
    onBytes?.(size - at); // A hole to the end.
    at = size;
  }
  if (fstatSync(sink.fileno()).size !== at) sink.truncate(at);
  place(source, sink, at);
  // A descriptor that was handed in (stdin) is to stand where reading would have left it.
  if (!source.closefd) native.copying.seek(source.fileno(), at, 0);
  return { bytes: at - start, method: mover.method, why: mover.why };
}

function place(source: FileIO, sink: FileIO, at: number): void {
  source.seek(at);
  sink.seek(at);
}

/** Moves ranges of bytes by copy_file_range until that is refused, and reads and writes from then on. */
class Mover {
  why: string | undefined;
  readonly #native: Native;
  readonly #source: FileIO;
  readonly #sink: FileIO;
  readonly #options: ContentOptions;
  #offloading: boolean;
  #offloaded = 0;
  #piece = 8 * leastPiece;
  #sliceEnd = performance.now() + slice;
  readonly #started = performance.now();

  constructor(native: Native, source: FileIO, sink: FileIO, options: ContentOptions, offloading: boolean) {
    this.#native = native;
    this.#source = source;
    this.#sink = sink;
    this.#options = options;
    this.#offloading = offloading;
  }

  get method(): Method {
    return this.#offloaded > 0 ? 'copy_file_range' : 'readinto';
  }

  /** Bytes moved: all from `start` to `end`, or up to the source's end if that comes first. */
  async move(start: number, end: number): Promise<number> {
    const { onBytes, signal } = this.#options;
    let at = start;
    while (at < end && this.#offloading) {
      const count = this.#offload(at, end);
      if (count === 0) {
        if (this.#offloading) return at - start; // The source ends here now.
        break;
      }
      at += count;
      onBytes?.(count);
      await this.#pace();
      if (performance.now() >= this.#sliceEnd) {
        await turn();
        signal?.throwIfAborted();
        this.#sliceEnd = performance.now() + slice;
      }
    }
    if (at < end) at += await this.#pump(at, end);
    return at - start;
  }

  /** One call: bytes copied, 0 at the source's end, or where the kernel refuses (then not `#offloading`). */
  #offload(at: number, end: number): number {
    const { limitRate } = this.#options;
    const most = limitRate ? Math.min(this.#piece, Math.max(1, Math.ceil(limitRate / 10))) : this.#piece;
    const begun = performance.now();
    let count: number;
    try {
      count = this.#native.copying.copyFileRange(
        this.#source.fileno(),
        at,
        this.#sink.fileno(),
        at,
        Math.min(most, end - at),
      );
    } catch (error) {
      // Which errors mean "not by this call" differs between filesystems and kernels (EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, ETXTBSY,
      // EBADF, a sandbox's EPERM, ENOENT from CIFS): reading says it if the matter is worse.
      if (isSystemError(error, ...terminal)) throw error;
      return this.#refused(`copy_file_range was refused (${(error as NodeJS.ErrnoException).code})`);
    }
    // Files whose size is made up have nothing for copy_file_range, though they can be read (/proc before Linux 5.19).
    if (count === 0 && this.#offloaded === 0) return this.#refused('copy_file_range found nothing to copy');
    this.#offloaded += count;
    const took = performance.now() - begun;
    if (took < slice / 2 && count === this.#piece) this.#piece = Math.min(mostPiece, this.#piece * 2);
    else if (took > slice) this.#piece = Math.max(leastPiece, this.#piece / 2);
    return count;
  }

  #refused(why: string): 0 {
    this.#offloading = false;
    this.why = why;
    return 0;
  }

  async #pump(at: number, end: number): Promise<number> {
    const { bufferSize, limitRate, signal, onBytes, sparse } = this.#options;
    place(this.#source, this.#sink, at);
    const sink = sparse === 'always' ? new SparseSink(this.#sink, at) : this.#sink;
    const seen = (chunk: Uint8Array) => onBytes?.(chunk.length);
    return copyInto(this.#source, sink, { bufferSize, limitRate, signal, limit: end - at, onBytes: seen });
  }

  async #pace(): Promise<void> {
    const { limitRate, signal } = this.#options;
    if (!limitRate) return;
    const due = this.#started + (1000 * this.#offloaded) / limitRate;
    for (let wait = due - performance.now(); wait > 1; wait = due - performance.now()) {
      await sleep(Math.min(wait, 100));
      signal?.throwIfAborted();
    }
  }
}

/** Filesystems on which space can be promised beforehand, and whose data takes as much as it says: ext2–4, xfs. */
const reservable = new Set([0xef53, 0x58465342]);

/** Below this the time is better spent on copying. */
const worthReserving = 16 * 2 ** 20;
const reservePiece = 4 * 2 ** 30;

/**
 * Ask for all of the room now: a full disk is told before the work instead of after, and writing into room that is there
 * already takes some 10 % less time.
 */
async function reserve(native: Native, fd: number, start: number, size: number): Promise<void> {
  const { type, bavail, bsize } = statfsSync(`/proc/self/fd/${fd}`);
  const isShort = bavail * bsize < 2 * (size - start);
  if (!reservable.has(type >>> 0) || size === start || !(isShort || size - start >= worthReserving)) return;
  try {
    for (let at = start; at < size; at += reservePiece) {
      native.copying.allocate(fd, at, Math.min(reservePiece, size - at), true);
      if (size - at > reservePiece) await turn();
    }
  } catch (error) {
    if (isSystemError(error, ...terminal)) throw error;
  }
}
