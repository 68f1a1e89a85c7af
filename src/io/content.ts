// A file's content, moved from one open file to another by the best way there is, with a look at whether the source held
// still meanwhile.

import { type BigIntStats, constants, copyFileSync, fstatSync, statfsSync } from 'node:fs';
import { isSystemError, SluiceError } from './failure.js';
import type { FileIO } from './file-io.js';
import { looksSparse } from './holes.js';
import { type Native, native, nativeIfLoaded, nativeReason } from './native.js';
import { type CopyIntoOptions, copyInto } from './pump.js';
import type { Sink, Source } from './raw.js';
import { SparseSink } from './sparse-sink.js';

/** From this size on the kernel's ways of copying are worth loading native calls for. */
const largeFile = 4 * 2 ** 20;
/** Up to this size a file is read and written in one go, which nothing beats. */
const smallFile = 64 * 1024;

/** Magic numbers of statfs(2): btrfs, xfs, bcachefs, ocfs2, zfs. Others may share extents too, and are asked once a file is large. */
const sharing = new Set([0x9123683e, 0x58465342, 0xca451a4e, 0x7461636f, 0x2fc12fc1]);

/** Pairs of devices of which reflink is known to be refused, whatever the file, and why: a tree need not ask for each. */
const unshared = new Map<string, string>();

function canShare(fd: number): boolean {
  try {
    return sharing.has(Number(statfsSync(`/proc/self/fd/${fd}`).type) >>> 0);
  } catch {
    return false;
  }
}

export type When = 'auto' | 'always' | 'never';
/** A source that can block may hold bytes that have left its descriptor already. */
export interface ContentSource extends Source {
  held?(): number;
}

/** How the bytes went. */
export type Method = 'reflink' | 'copy_file_range' | 'splice' | 'readinto';

export interface ContentOptions {
  bufferSize?: number | undefined;
  limitRate?: number | undefined;
  signal?: AbortSignal | undefined;
  sparse?: When | undefined;
  reflink?: When | undefined;
  /** Sees every byte, in order; rules out offloading. */
  onChunk?: ((chunk: Uint8Array) => void) | undefined;
  /** Bytes moved since the last call. */
  onBytes?: ((count: number) => void) | undefined;
  /** Permission bits that the sink may have before it is complete, if `reflink: 'always'` cannot be had otherwise. Default 0600. */
  sinkMode?: number | undefined;
}

/** `grew`: the bytes it had at first are all there. The others: what was copied may never have been in it at one moment. */
export type Change = 'grew' | 'shrank' | 'changed';

export interface ContentResult {
  bytes: number;
  method: Method;
  /** What the source did meanwhile. */
  change: Change | undefined;
  /** Why it went no better way, for `--debug`. */
  why: string | undefined;
}

/**
 * Copy all of `source`, a file of any kind, into `sink`, which is new and empty. A regular file is copied up to the size
 * it had at the start, so that one that grows is no endless work; a size that was wrong from the start (`/proc`) is not
 * believed. `change` tells what the source did meanwhile: more than having grown means that the copy may be a mixture.
 */
export async function copyContent(
  source: FileIO & ContentSource,
  sink: FileIO,
  options: ContentOptions,
): Promise<ContentResult> {
  const { reflink = 'auto', sparse = 'auto', onChunk, onBytes } = options;
  const before = fstatSync(source.fileno(), { bigint: true });
  const size = before.isFile() ? Number(before.size) : 0;
  const finish = (bytes: number, method: Method, why?: string): ContentResult => {
    return { bytes, method, change: before.isFile() ? changeOf(source, before) : undefined, why };
  };

  let why: string | undefined;
  const sparseSource = before.isFile() && looksSparse(before);
  const into = fstatSync(sink.fileno());
  if (!onChunk && size > 0 && into.isFile()) {
    // Loading koffi takes longer than to copy a small file.
    const shares = reflink === 'auto' && size >= smallFile && canShare(sink.fileno());
    const worth = size >= largeFile || reflink === 'always' || sparseSource || shares;
    const calls = worth ? native() : nativeIfLoaded();
    if (worth && !calls) why = nativeReason();
    // Whoever asks for no holes, or for more of them, wants other extents than the source's.
    const mayClone =
      reflink === 'auto' ? sparse === 'auto' || (sparse === 'never' && !sparseSource) : reflink === 'always';
    const pair = `${before.dev} ${into.dev}`;
    if (mayClone && (worth || calls) && source.tell() === 0 && (reflink === 'always' || !unshared.has(pair))) {
      const refused = clone(source.fileno(), before, sink.fileno(), calls, options);
      if (refused === null) {
        // A snapshot of one moment, though the source may be another by now.
        const bytes = fstatSync(sink.fileno()).size;
        onBytes?.(bytes);
        return { bytes, method: 'reflink', change: undefined, why };
      }
      if (reflink === 'always') throw refused;
      const reason = `reflink was refused (${(refused as NodeJS.ErrnoException).code})`;
      why ??= reason;
      if (isSystemError(refused, 'ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'ENOSYS', 'ENOTTY')) unshared.set(pair, reason);
    } else if (mayClone) why ??= unshared.get(pair);
    if (calls && (worth || size >= smallFile) && source.tell() === sink.tell()) {
      const { offload } = await import('./offload.js');
      const moved = await offload(calls, source, sink, before, options);
      const rest = await pumpRest(source, sink, size, moved.bytes, options);
      return finish(moved.bytes + rest, moved.method, moved.why ?? why);
    }
  }

  if (onChunk && reflink === 'always' && size > 0) {
    // What was asked for first; then the digest is that of what the sink has.
    const refused = clone(source.fileno(), before, sink.fileno(), native(), options);
    if (refused !== null) throw refused;
    sink.seek(0);
    const nowhere: Sink = { write: (view) => (view as Uint8Array).length };
    const bytes = await pumpFile(sink, nowhere, 0, options);
    return { bytes, method: 'reflink', change: undefined, why };
  }

  const holes = sparse === 'always' || (sparse === 'auto' && sparseSource);
  const sparseSink = holes ? new SparseSink(sink, sink.tell()) : null;
  if (sparseSink && size > 0) sink.truncate(size); // See offload.ts.
  if (fstatSync(source.fileno()).isFIFO() && options.limitRate === undefined) {
    const result = await pumpPipe(source, sink, sparseSink, options);
    sparseSink?.finish();
    return result;
  }
  if (size >= largeFile && into.isFIFO()) await enlarge(sink.fileno());
  const bytes = await pumpFile(source, sparseSink ?? sink, size, options);
  sparseSink?.finish();
  return finish(bytes, 'readinto', why);
}

/** Ask for larger pipes: with little in each of them, most of the time goes into waking one another. */
async function enlarge(...fds: number[]): Promise<Native | null> {
  const calls = native();
  if (calls) for (const fd of fds) (await import('./splicing.js')).enlargePipe(calls, fd);
  return calls;
}

/** Of a pipe the first bytes by reading and writing; once it turns out to be a long one, the others by splicing if they can. */
async function pumpPipe(
  source: ContentSource & FileIO,
  sink: FileIO,
  sparseSink: SparseSink | null,
  { bufferSize, onBytes, onChunk, signal }: ContentOptions,
): Promise<ContentResult> {
  const seen = (chunk: Uint8Array) => {
    onChunk?.(chunk);
    onBytes?.(chunk.length);
  };
  const pump = (limit?: number) => copyInto(source, sparseSink ?? sink, { limit, bufferSize, signal, onBytes: seen });
  let bytes = await pump(largeFile);
  const result = (method: Method, why?: string): ContentResult => ({ bytes, method, change: undefined, why });
  if (bytes < largeFile) return result('readinto');
  const calls = await enlarge(source.fileno(), sink.fileno());
  let why = nativeReason();
  if (calls && !onChunk && !sparseSink && bufferSize === undefined) {
    const { canSplice, spliceAll } = await import('./splicing.js');
    if (canSplice(source.fileno(), sink.fileno())) {
      for (let held = source.held?.(); held; held = source.held?.()) bytes += await pump(held);
      const spliced = await spliceAll(calls, source.fileno(), sink.fileno(), { signal, onBytes });
      bytes += spliced ?? 0;
      if (spliced !== null) return result(spliced > 0 ? 'splice' : 'readinto');
      why = 'splice was refused';
    }
  }
  bytes += await pump();
  return result('readinto', why);
}

/** Up to the known size, and beyond it where that size is not the truth. */
async function pumpFile(source: Source & FileIO, sink: Sink, size: number, options: ContentOptions): Promise<number> {
  const { onChunk, onBytes, bufferSize, limitRate, signal } = options;
  const seen = (chunk: Uint8Array) => {
    onChunk?.(chunk);
    onBytes?.(chunk.length);
  };
  const settings = { bufferSize, limitRate, signal, onBytes: seen };
  if (size === 0) return pumpWhile(source, sink, 0, settings);
  const bytes = await copyInto(source, sink, { ...settings, limit: size });
  return bytes + (await pumpRest(source, sink, size, bytes, options));
}

/** What lies behind a size that was not the truth, and yet still stands. Of an ordinary file this reads nothing. */
async function pumpRest(
  source: Source & FileIO,
  sink: Sink,
  size: number,
  bytes: number,
  { onChunk, onBytes, bufferSize = 65536, limitRate, signal }: ContentOptions,
): Promise<number> {
  if (bytes < size || fstatSync(source.fileno()).size !== size) return 0;
  const seen = (chunk: Uint8Array) => {
    onChunk?.(chunk);
    onBytes?.(chunk.length);
  };
  return pumpWhile(source, sink, size, { bufferSize, limitRate, signal, onBytes: seen });
}

/** To the end, as long as the size stays what it was: it is made up then. One that grows is a file's, and followed no further. */
async function pumpWhile(
  source: Source & FileIO,
  sink: Sink,
  size: number,
  settings: CopyIntoOptions,
): Promise<number> {
  const isFile = fstatSync(source.fileno()).isFile();
  if (!isFile) return copyInto(source, sink, settings);
  for (let bytes = 0; ; ) {
    const now = fstatSync(source.fileno()).size;
    const limit = now === size ? piece : Math.max(0, now - source.tell());
    const count = await copyInto(source, sink, { ...settings, limit });
    bytes += count;
    if (now !== size || count < limit) return bytes;
  }
}

/** Bytes of a file whose size is not believed, between two looks at it. */
const piece = 2 ** 20;

/** What became of the source since `before`. */
export function changeOf(source: FileIO, before: BigIntStats): Change | undefined {
  const after = fstatSync(source.fileno(), { bigint: true });
  if (after.size > before.size) return 'grew';
  if (after.size < before.size) return 'shrank';
  // A size of zero may be made up (/proc), and then so is the time.
  return before.size > 0n && after.mtimeNs !== before.mtimeNs ? 'changed' : undefined;
}

/** Share the source's extents; null = done, else why not. */
function clone(
  source: number,
  before: BigIntStats,
  sink: number,
  calls: Native | null,
  { reflink, sinkMode = 0o600 }: ContentOptions,
): unknown {
  try {
    if (calls) {
      calls.copying.clone(source, sink);
    } else {
      // Node's copyFile gives the sink the source's permissions before it clones: only where nobody gains any by that.
      const allowed = reflink === 'always' ? sinkMode : 0o600;
      if ((Number(before.mode) & 0o777 & ~allowed) !== 0)
        throw new SluiceError(
          `sharing blocks without widening the mode takes native calls: ${nativeReason() ?? 'not loaded'}`,
          {
            code: 'ENOTSUP',
          },
        );
      copyFileSync(`/proc/self/fd/${source}`, `/proc/self/fd/${sink}`, constants.COPYFILE_FICLONE_FORCE);
    }
    return null;
  } catch (error) {
    if (isSystemError(error, 'EIO', 'ENOMEM', 'ENOSPC', 'EDQUOT')) throw error;
    return error;
  }
}
