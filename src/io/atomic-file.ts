// The one way to put a file in place: a temp file beside the target, all of the content, its attributes, fsync, close,
// rename, fsync of the directory. Until the rename the target is what it was; after it, it is new and whole.

import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  linkSync,
  lstatSync,
  openSync,
  renameSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { type Attributes, applyAttributes, type Loss, newFileMode } from './attributes.js';
import { confirmDirectory, type Durability, fsyncFile, insistOnDurability } from './durability.js';
import { failure, isSystemError, SluiceError } from './failure.js';
import { FileIO } from './file-io.js';
import { native } from './native.js';
import { fsPath } from './path.js';
import { tempName } from './temp-name.js';
import { whileUnfinished } from './unfinished.js';
import { readExtended } from './xattrs.js';

/** `none`: leave it to the kernel; `durable`: before commit returns; `strict`: and refuse where that cannot be promised. */
export type DurabilityWish = 'none' | 'durable' | 'strict';

export interface AtomicOptions {
  durable?: DurabilityWish | undefined;
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
  #finished: () => void;
  #state: 'open' | 'closed' | 'done' = 'open';

  /** Makes the temp file: beside the target, new, not through a link, and nobody else's to read. */
  constructor(path: string, options: AtomicOptions = {}) {
    this.path = path;
    this.#options = options;
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
          unlinkQuietly(temp);
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
    const { durable = 'none', readBack, settle } = this.#options;
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
    if (this.#state !== 'done' && this.#options.partial === undefined) unlinkQuietly(this.temp);
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
    const { noClobber, backup, guard } = this.#options;
    const details = { path: this.path, state: untouched };
    try {
      guard?.();
      if (noClobber) return this.#link();
      if (backup === undefined || !this.existing) renameSync(fsPath(this.temp), fsPath(this.path));
      else this.#placeKeeping(this.path + backup);
    } catch (error) {
      throw failure(error, details);
    }
    this.#state = 'done';
    this.#finished();
    return this.existing ? 'replaced' : 'created';
  }

  /** Where the old file can have no second name, the two change places, and then it gets its own. */
  #placeKeeping(name: string): void {
    const [temp, path] = [fsPath(this.temp), fsPath(this.path)];
    try {
      keepAs(this.path, name);
    } catch (error) {
      const refused = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];
      const calls = isSystemError(error, ...refused) ? native() : null;
      if (!calls) throw error;
      calls.files.exchange(temp, path);
      try {
        renameSync(temp, fsPath(name));
      } catch (failed) {
        calls.files.exchange(temp, path);
        throw failed;
      }
      return;
    }
    renameSync(temp, path);
  }

  /** link(2) fails if the name is taken, which rename(2) does not. Where there are no hard links, Linux has another call. */
  #link(): 'created' | 'skipped' {
    try {
      try {
        linkSync(fsPath(this.temp), fsPath(this.path));
      } catch (error) {
        if (!isSystemError(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK')) throw error;
        const calls = native();
        if (!calls) throw error;
        calls.files.renameNoReplace(fsPath(this.temp), fsPath(this.path));
      }
      return 'created';
    } catch (error) {
      if (isSystemError(error, 'EEXIST')) return 'skipped';
      throw error;
    } finally {
      this.discard();
      // Of a partial file too: it has its name now, or nothing to go on with.
      if (this.#options.partial !== undefined) unlinkQuietly(this.temp);
    }
  }
}

function unlinkQuietly(path: string): void {
  try {
    unlinkSync(fsPath(path));
  } catch {
    // Gone already.
  }
}

/**
 * The mode of a new file at `path`. In a directory with a default ACL that says who may use it, and the umask counts for nothing: a
 * file of no content shows what the system makes of it.
 */
function modeHere(path: string, newMode: number): number {
  const mode = newFileMode(newMode);
  if ((mode & 0o077) === 0) return mode;
  const probe = tempName(path);
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = constants;
  try {
    const fd = openSync(fsPath(probe), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, newMode & 0o777);
    try {
      return fstatSync(fd).mode & 0o777;
    } finally {
      closeSync(fd);
      unlinkQuietly(probe);
    }
  } catch {
    return mode;
  }
}

/** Have `path`'s file under `name` too, replacing what is there in one step. */
export function keepAs(path: string, name: string): void {
  // In a sticky directory another's file could get a second name, but neither it nor the first could be moved, or removed.
  const [file, directory] = [lstatSync(fsPath(path)), statSync(fsPath(dirname(path)))];
  const user = process.geteuid?.() ?? 0;
  if ((directory.mode & 0o1000) !== 0 && ![0, file.uid, directory.uid].some((uid) => uid === user))
    throw new SluiceError('operation not permitted in a sticky directory', { code: 'EPERM', path });
  const link = tempName(name);
  linkSync(fsPath(path), fsPath(link));
  try {
    renameSync(fsPath(link), fsPath(name));
  } catch (error) {
    unlinkSync(fsPath(link));
    throw failure(error, { path: name });
  }
  // Two names of one file: rename(2) then does nothing, and the temp name stays.
  if (lstatSync(fsPath(link), { throwIfNoEntry: false })) unlinkSync(fsPath(link));
}
