// A file as it was at one moment, held open: is it still what the name stands for, and unchanged? With a lock, so that two
// who would replace the same version come one after the other.

import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { failure, isSystemError } from './failure.js';
import { type LockResult, lockFile } from './file-lock.js';
import { fsPath } from './path.js';

/** A time of change this near to the look may be shared with a later change: file systems count in ticks. */
const tickNs = 1_000_000_000n;

export class Version {
  readonly path: string;
  readonly fd: number;
  readonly stat: BigIntStats;
  #digest: string | undefined;
  #lock: LockResult | undefined;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.fd = fd;
    this.stat = fstatSync(fd, { bigint: true });
  }

  /** Opens the file at `path`, which must be readable; null where nothing is there. Throws with `state` for what else can be. */
  static async open(path: string, state: string): Promise<Version | null> {
    try {
      // Not blocking, should it have become a FIFO meanwhile.
      const version = new Version(path, openSync(fsPath(path), constants.O_RDONLY | constants.O_NONBLOCK));
      // What changed just now may change again without its times telling: then the content has to.
      if (BigInt(Date.now()) * 1_000_000n - version.stat.ctimeNs < tickNs) await version.digest();
      return version;
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return null;
      throw failure(error, { path, state });
    }
  }

  /** sha256 of the content, in hexadecimal, as it was when this was first asked. */
  async digest(): Promise<string> {
    this.#digest ??= await digestOf(this.fd);
    return this.#digest;
  }

  /** A descriptor of its own for the same file, at its start: for a child. Undefined if the name has got another file meanwhile. */
  reopen(): number | undefined {
    const fd = openSync(fsPath(this.path), 'r');
    const { dev, ino } = fstatSync(fd, { bigint: true });
    if (dev === this.stat.dev && ino === this.stat.ino) return fd;
    closeSync(fd);
    return undefined;
  }

  /** Waits for the lock on this version of the file. Others who replace it with a lock then wait, and find it replaced. */
  async lock(milliseconds: number): Promise<LockResult> {
    this.#lock ??= await lockFile(this.fd, milliseconds);
    return this.#lock;
  }

  /** Is this still the file of that name, with the content and attributes that it had? */
  async isCurrent(): Promise<boolean> {
    if (!this.looksCurrent()) return false;
    if (this.#digest === undefined) return true;
    return (await digestOf(this.fd)) === this.#digest && this.looksCurrent();
  }

  /** The same, without a look at the content. */
  looksCurrent(): boolean {
    const there = statSync(fsPath(this.path), { bigint: true, throwIfNoEntry: false });
    return there !== undefined && this.was(there) && there.ctimeNs === this.stat.ctimeNs;
  }

  /** Is a file with these attributes this one, as it was? But for what a rename changes of it. */
  was({ dev, ino, size, mtimeNs }: BigIntStats): boolean {
    const { stat } = this;
    return dev === stat.dev && ino === stat.ino && size === stat.size && mtimeNs === stat.mtimeNs;
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** sha256 of an open file's content, from its start; the descriptor's position stays. Bounded memory, and turns for others. */
export async function digestOf(fd: number): Promise<string> {
  const { createHash } = await import('node:crypto');
  const hash = createHash('sha256');
  await readThrough(fd, (chunk) => !!hash.update(chunk));
  return hash.digest('hex');
}

/** Are the contents of two open files the same? */
export async function sameContent(one: number, other: number): Promise<boolean> {
  const size = fstatSync(one).size;
  if (fstatSync(other).size !== size) return false;
  const beside = Buffer.allocUnsafeSlow(1 << 18);
  let at = 0;
  await readThrough(one, (chunk) => {
    for (let from = 0; from < chunk.length; ) {
      const count = readSync(other, beside, 0, chunk.length - from, at);
      if (count === 0 || beside.compare(chunk, from, from + count, 0, count) !== 0) return false;
      from += count;
      at += count;
    }
    return true;
  });
  return at === size && fstatSync(other).size === size;
}

/** Shows `see` the content chunk by chunk, until the end, or until it answers false. */
async function readThrough(fd: number, see: (chunk: Uint8Array) => boolean): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(1 << 18);
  let pause = performance.now() + 20;
  for (let at = 0; ; ) {
    const count = readSync(fd, buffer, 0, buffer.length, at);
    if (count === 0 || see(buffer.subarray(0, count)) === false) return;
    at += count;
    if (performance.now() < pause) continue;
    await new Promise((resolve) => setImmediate(resolve));
    pause = performance.now() + 20;
  }
}
