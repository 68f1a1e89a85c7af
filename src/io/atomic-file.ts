// The one way to put a file in place: a temp file beside the target, all of the content, its attributes, fsync, close,
// rename, fsync of the directory. Until the rename the target is what it was; after it, it is new and whole.

import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, openSync, renameSync } from 'node:fs';
import { type Attributes, applyAttributes, type Loss } from './attributes.js';
import { confirmDirectory, type Durability, fsyncFile, insistOnDurability } from './durability.js';
import { invalidArgument } from './errors.js';
import { failure, isSystemError, type SluiceError } from './failure.js';
import { FileIO } from './file-io.js';
import { modeHere } from './new-file-mode.js';
import { fsPath } from './path.js';
import { exchangeLooking, linkNew, renameKeeping } from './placing.js';
import { removeQuietly } from './remove-quietly.js';
import { tempName } from './temp-name.js';
import { whileUnfinished } from './unfinished.js';
import { readExtended } from './xattrs.js';

/** `none`: leave it to the kernel; `durable`: before commit returns; `strict`: and refuse where that cannot be promised. */
export type DurabilityWish = 'none' | 'durable' | 'strict';

export interface AtomicOptions {
  /** `false` is `none` (the default), `true` is `durable`. */
  durable?: DurabilityWish | boolean | undefined;
  /** Leave an existing target alone, without a race: commit gives 'skipped'. */
  noClobber?: boolean | undefined;
  /** Keep the old file under its name with this suffix. */
  backup?: string | undefined;
  /** Use this file, which may exist, instead of a fresh temp file, and keep it when given up: to go on from later. */
  partial?: string | undefined;
  /**
   * A look at the content as it is on storage: called after the fsync, which it brings about, with the file still open.
   * Rejects to leave the target alone.
   */
  readBack?: ((file: FileIO) => Promise<void>) | undefined;
  /** Awaited by `commit` once the content is complete and saved: a place to wait for a lock. Rejects to leave the target alone. */
  settle?: (() => Promise<void>) | undefined;
  /** The last look before the target is replaced: throws to leave it alone. */
  guard?: (() => void) | undefined;
  /**
   * A look at the file that was replaced, where the system can undo that: throws to have it back. What came in between
   * `guard` and the replacement is seen here.
   */
  lookBack?: ((old: BigIntStats) => void) | undefined;
}

export interface Committed {
  outcome: 'created' | 'replaced' | 'skipped';
  durability: Durability;
  /** What of the attributes could not be kept. */
  lost: Loss[];
  /** The new file is in place, but its name may not survive a power cut: the directory's fsync failed. */
  unconfirmed?: SluiceError;
}

const untouched = 'destination left as it was';

/**
 * A file on its way to `path`. Write to `file`, then `commit`; `discard` gives up, and does nothing once committed.
 * `path` is taken as it is: a symlink there would be replaced, so resolve it first where its target is meant.
 */
export class AtomicFile {
  readonly path: string;
  readonly temp: string;
  /** For reading too (to verify). */
  readonly file: FileIO;
  /** The target as it was when this began; null = there was none. */
  readonly existing: BigIntStats | null;
  #options: AtomicOptions;
  #durable: DurabilityWish;
  #finished: () => void;
  #state: 'open' | 'closed' | 'done' = 'open';

  /** Makes the temp file: beside the target, new, not through a link, and nobody else's to read. */
  constructor(path: string, options: AtomicOptions = {}) {
    this.path = path;
    this.#options = options;
    this.#durable = wishOf(options.durable);
    this.existing = lstatSync(fsPath(path), { bigint: true, throwIfNoEntry: false }) ?? null;
    const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = constants;
    if (options.partial !== undefined) {
      this.temp = options.partial;
      this.#finished = () => {};
      try {
        this.file = new FileIO(openSync(fsPath(this.temp), O_RDWR | O_CREAT | O_NOFOLLOW, 0o600), 'r+');
        return;
      } catch (error) {
        throw failure(error, { path, state: untouched });
      }
    }
    for (let attempt = 1; ; attempt++) {
      const temp = tempName(path);
      // Registered before it is made: a signal can only come between two turns of the event loop, an exception at once.
      this.#finished = whileUnfinished(() => this.discard());
      this.temp = temp;
      let fd: number | undefined;
      try {
        fd = openSync(fsPath(temp), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
        this.file = new FileIO(fd, 'r+');
        return;
      } catch (error) {
        this.#finished();
        if (fd === undefined && isSystemError(error, 'EEXIST') && attempt < 10) continue;
        this.#state = 'done';
        if (fd !== undefined) {
          closeSync(fd);
          removeQuietly(temp);
        }
        throw failure(error, { path, state: untouched });
      }
    }
  }

  /**
   * Put the file in place. The attributes are those given, else the existing file's, else `newMode` (0666) less the umask.
   * Throws with the target untouched and the temp file gone, whatever failed.
   */
  async commit(attributes: Attributes = {}, newMode = 0o666): Promise<Committed> {
    const { readBack, settle } = this.#options;
    const durable = this.#durable;
    try {
      if (durable === 'strict') await insistOnDurability(this.path, untouched);
      const lost = this.#dress(attributes, newMode);
      if (durable !== 'none' || readBack) await this.#sync();
      await readBack?.(this.file);
      await settle?.();
      this.#close();
      const outcome = this.#place();
      if (durable === 'none' || outcome === 'skipped') return { outcome, durability: 'none', lost };
      return { outcome, lost, ...(await confirmDirectory(this.path)) };
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  /** As `commit`, without durability, `settle`, and turns of the event loop: for many small files. */
  commitSync(attributes: Attributes = {}, newMode = 0o666): Committed {
    try {
      const lost = this.#dress(attributes, newMode);
      this.#close();
      return { outcome: this.#place(), durability: 'none', lost };
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  /** Give up: the temp file is removed, the target is what it was. Does nothing after a commit. Never throws. */
  discard(): void {
    if (this.#state === 'open') {
      try {
        this.file?.close();
      } catch {
        // It is thrown away.
      }
    }
    if (this.#state !== 'done' && this.#options.partial === undefined) removeQuietly(this.temp);
    this.#state = 'done';
    this.#finished();
  }

  /** As `discard`: what was not committed when its block is left never was. */
  [Symbol.dispose](): void {
    this.discard();
  }

  #dress(attributes: Attributes, newMode: number): Loss[] {
    const current = fstatSync(this.file.fileno());
    // As it is now: who changed its mode while the content came meant it.
    const there = lstatSync(fsPath(this.path), { bigint: true, throwIfNoEntry: false });
    const regular = there?.isFile() ? there : null;
    const wanted: Attributes = regular
      ? {
          uid: Number(regular.uid),
          gid: Number(regular.gid),
          mode: Number(regular.mode) & 0o7777,
          aclModel: this.path,
          ...readExtended(this.path),
        }
      : { mode: modeHere(this.path, newMode) };
    for (const [key, value] of Object.entries(attributes))
      if (value !== undefined) Object.assign(wanted, { [key]: value });
    try {
      return applyAttributes(this.file.fileno(), current, wanted);
    } catch (error) {
      throw failure(error, { path: this.path, state: untouched });
    }
  }

  /** Once, and never again: after a failed fsync the kernel holds the lost pages for clean. */
  async #sync(): Promise<void> {
    try {
      await fsyncFile(this.file.fileno());
    } catch (error) {
      throw failure(error, { path: this.path, state: untouched });
    }
  }

  /** Before the rename, and checked: some file systems tell of a full disk only now. */
  #close(): void {
    this.#state = 'closed';
    try {
      this.file.close();
    } catch (error) {
      throw failure(error, { path: this.path, state: untouched });
    }
  }

  #place(): Committed['outcome'] {
    const { noClobber, backup, guard, lookBack } = this.#options;
    const { path, temp } = this;
    try {
      guard?.();
      if (noClobber) return this.#placeNew();
      const keep = this.existing && backup !== undefined ? path + backup : undefined;
      if (lookBack && exchangeLooking(temp, path, lookBack)) {
        // The old file is the temp file now.
        if (keep === undefined) removeQuietly(temp);
        else renameSync(fsPath(temp), fsPath(keep));
      } else if (keep === undefined) renameSync(fsPath(temp), fsPath(path));
      else renameKeeping(temp, path, keep);
    } catch (error) {
      throw failure(error, { path, state: untouched });
    }
    this.#state = 'done';
    this.#finished();
    return this.existing ? 'replaced' : 'created';
  }

  #placeNew(): 'created' | 'skipped' {
    try {
      return linkNew(this.temp, this.path) ? 'created' : 'skipped';
    } finally {
      this.discard();
      // Of a partial file too: it has its name now, or nothing to go on with.
      if (this.#options.partial !== undefined) removeQuietly(this.temp);
    }
  }
}

function wishOf(durable: AtomicOptions['durable'] = 'none'): DurabilityWish {
  if (typeof durable === 'boolean') return durable ? 'durable' : 'none';
  if (!['none', 'durable', 'strict'].includes(durable))
    throw invalidArgument(`durable: '${durable}' is none of its values`);
  return durable;
}
