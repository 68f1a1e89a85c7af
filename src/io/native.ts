// Native reach without a compiler: libc's calls that Node does not have, through koffi (an optional, prebuilt dependency).
// An accelerator, never a need: `native()` is null where it cannot be had, and every caller has a way without it.

import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Copying, copying } from './native/copying.js';
import { type Directories, directories } from './native/directories.js';
import { type Extents, extents } from './native/extents.js';
import { type Files, files } from './native/files.js';
import { type Koffi, Libc } from './native/libc.js';
import { type PageCache, pageCache } from './native/page-cache.js';
import { type Pipes, pipes } from './native/pipes.js';
import { type PlainFiles, plainFiles } from './native/plain-files.js';
import { type Polling, polling } from './native/polling.js';
import { type Times, times } from './native/times.js';
import { type Watching, watching } from './native/watching.js';
import { type XattrCalls, xattrCalls } from './native/xattr-calls.js';
import { type Zstd, zstd } from './native/zstd.js';

/**
 * The calls, in groups; each group is made, and each libc function looked up, on its first use.
 *
 * Every call throws as Node's `fs` does: an Error with `code` ('ENOSPC'), `errno` (negative, as Node's), `syscall`, `path`.
 * A path is a string that can hold any bytes (see path.ts) or its bytes in a Buffer; a descriptor is a number.
 * Calls are synchronous, and so must not be ones that block for long; those that can have a twin that ends in `Async`.
 */
export interface Native {
  readonly copying: Copying;
  readonly directories: Directories;
  readonly extents: Extents;
  readonly files: Files;
  readonly pageCache: PageCache;
  readonly pipes: Pipes;
  readonly plainFiles: PlainFiles;
  readonly polling: Polling;
  readonly times: Times;
  readonly watching: Watching;
  readonly xattrs: XattrCalls;
  /** libzstd's streams, where the system has that library; null where not. */
  readonly zstd: Zstd | null;
}

let found: { native: Native } | { reason: string } | undefined;

/**
 * The native calls, or null where they cannot be had (`nativeReason()` says why). The first call loads koffi (~3 ms), so
 * ask only when there is work for it; a call then costs ~0.3 µs over the kernel's part.
 */
export function native(): Native | null {
  found ??= find();
  return 'native' in found ? found.native : null;
}

/** The native calls if something else has needed them already: for what is not worth loading them for. */
export function nativeIfLoaded(): Native | null {
  return found && 'native' in found ? found.native : null;
}

/** Why there are no native calls, undefined where there are: for `--debug`, and for `unknown (…)`. Loads koffi as `native()` does. */
export function nativeReason(): string | undefined {
  found ??= find();
  return 'reason' in found ? found.reason : undefined;
}

function find(): { native: Native } | { reason: string } {
  if (process.env['SLUICE_NATIVE'] === '0') return { reason: 'native calls are switched off (SLUICE_NATIVE=0)' };
  // The layouts and numbers below are those of the 64-bit little-endian Linux ABIs that we can vouch for. On macOS the one call
  // that would be of use, clonefile, is what Node's own copyFile does with COPYFILE_FICLONE.
  if (process.platform !== 'linux') return { reason: `no native calls on ${process.platform}` };
  if (process.arch !== 'x64' && process.arch !== 'arm64') return { reason: `no native calls on ${process.arch}` };
  try {
    return { native: grouped(new Libc(loadKoffi())) };
  } catch (error) {
    return { reason: `koffi could not be loaded (${firstLine(error)})` };
  }
}

/** koffi's own binary if it is where it usually is: koffi's way of finding it takes ten times as long as to load it. */
function loadKoffi(): Koffi {
  const require = createRequire(import.meta.url);
  try {
    const module = { exports: {} };
    process.dlopen(module, binaryOf(require.resolve.paths('koffi') ?? []));
    return module.exports as Koffi;
  } catch {
    return require('koffi') as Koffi;
  }
}

/** The binary that belongs to the koffi that would be found in these directories. Not by require.resolve: it brings in the loader of modules. */
function binaryOf(directories: string[]): string {
  const koffi = directories.map((directory) => join(directory, 'koffi')).find((path) => existsSync(path)) ?? '';
  const libc = readFileSync('/proc/self/maps', 'latin1').includes('/ld-musl-') ? 'musl' : 'linux';
  const binary = `@koromix/koffi-linux-${process.arch}/${libc}_${process.arch}/koffi.node`;
  const within = realpathSync(koffi); // some package managers keep what belongs together there
  const places = [join(within, 'node_modules', binary), join(within, '..', binary)];
  const found = places.find((path) => existsSync(path));
  if (found === undefined) throw new Error('koffi has its binary elsewhere');
  return found;
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n', 1)[0] as string;
}

function grouped(libc: Libc): Native {
  const made = new Map<(libc: Libc) => unknown, unknown>();
  const once = <T>(make: (libc: Libc) => T): T => {
    if (!made.has(make)) made.set(make, make(libc));
    return made.get(make) as T;
  };
  return {
    get copying() {
      return once(copying);
    },
    get directories() {
      return once(directories);
    },
    get extents() {
      return once(extents);
    },
    get files() {
      return once(files);
    },
    get pageCache() {
      return once(pageCache);
    },
    get pipes() {
      return once(pipes);
    },
    get polling() {
      return once(polling);
    },
    get plainFiles() {
      return once(plainFiles);
    },
    get times() {
      return once(times);
    },
    get watching() {
      return once(watching);
    },
    get xattrs() {
      return once(xattrCalls);
    },
    get zstd() {
      return once(zstd);
    },
  };
}
