// A whole file in one call: `path` has the old content or all of the new, whatever happens.

import { fstatSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AtomicFile, type Committed, type DurabilityWish } from './atomic-file.js';
import { type Bytes, bytesOf } from './bytes.js';
import { failure, SluiceError } from './failure.js';
import { decodePath } from './path.js';
import { copyInto } from './pump.js';
import type { Source } from './raw.js';
import { resolveFile } from './target.js';

export interface WriteAtomicOptions {
  /**
   * `durable` or true (default): content and name are on stable storage when the promise resolves; `strict`: or nothing is replaced;
   * `none` or false: that is left to the kernel.
   */
  durable?: DurabilityWish | boolean | undefined;
  /** Permission bits, set exactly. Default: the existing file's; of a new one 0o666 less the umask. */
  mode?: number | undefined;
  /** Leave an existing file alone, without a race: the outcome is `skipped`. */
  noClobber?: boolean | undefined;
  /** Keep the old file, by a hard link, under its name with this suffix. */
  backup?: string | undefined;
  /** Gives up, with its reason, between two steps of a source. */
  signal?: AbortSignal | undefined;
}

const untouched = 'destination left as it was';

/**
 * Replaces the file at `path` by `data`: text as UTF-8, bytes, or everything that a source gives. A symlink stays, and the
 * file that it leads to is replaced, or made. An existing file's mode, owner, ACL and extended attributes are kept, and at
 * no moment may more people read it than in the end.
 *
 * Resolves to what was done, and what it is worth: `unconfirmed` is set where the directory's fsync failed, so that the new
 * file is in place but may be the old one after a power cut. Rejects with the file as it was and no temp file left, with
 * the system's `code` (ENOSPC, EACCES, …), `syscall` and `path`; with EISDIR for a directory, and for what is no regular file.
 */
export async function writeAtomic(
  path: string | Buffer | URL,
  data: string | Bytes | Source,
  options: WriteAtomicOptions = {},
): Promise<Committed> {
  const { durable = 'durable', mode, noClobber, backup, signal } = options;
  const name = path instanceof URL ? fileURLToPath(path) : typeof path === 'string' ? path : decodePath(path);
  const source = isSource(data) ? data : memory(data);
  // A file, also where the command line would mean stdout.
  const atomic = new AtomicFile(resolveFile(name === '-' ? './-' : name, untouched), { durable, noClobber, backup });
  try {
    const bytes = await copyInto(source, atomic.file, { signal });
    const { size } = fstatSync(atomic.file.fileno());
    if (size !== bytes) throw new SluiceError(`only ${size} of ${bytes} bytes were written`, { path: name });
    return await atomic.commit({ mode });
  } catch (error) {
    atomic.discard();
    throw failure(error, { path: name, state: untouched });
  }
}

function isSource(data: string | Bytes | Source): data is Source {
  return typeof data === 'object' && data !== null && 'readInto' in data;
}

function memory(data: string | Bytes): Source {
  let rest = typeof data === 'string' ? Buffer.from(data) : bytesOf(data);
  return {
    readInto(view) {
      const count = Math.min(view.length, rest.length);
      view.set(rest.subarray(0, count));
      rest = rest.subarray(count);
      return count;
    },
  };
}
