// A file's content, moved from one open file to another by the best way there is, with a look at whether the source held
// still meanwhile.

import { type BigIntStats, constants, copyFileSync, fstatSync } from 'node:fs';
import { isSystemError, SluiceError } from './failure.js';
import type { FileIO } from './file-io.js';
import { copyInto } from './pump.js';
import type { Sink, Source } from './raw.js';
import { SparseSink } from './sparse-sink.js';

export type When = 'auto' | 'always' | 'never';
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
  /** Permission bits that the sink may have at any time: cloning without native calls gives it the source's for a moment. */
  sinkMode?: number | undefined;
}

export interface ContentResult {
  bytes: number;
  method: Method;
  /** The source had more bytes at the end than at the start, and nothing else was seen to change. */
  grew: boolean;
}

/** The source became another while it was copied. */
export class SourceChanged extends SluiceError {}

/**
 * Copy all of `source`, a file of any kind, into `sink`, which is new and empty. A regular file is copied up to the size
 * it had at the start, so that one that grows is no endless work; a size that was wrong from the start (`/proc`) is not
 * believed. Throws `SourceChanged` if the source shrank or was written to meanwhile.
 */
export async function copyContent(
  source: FileIO & Source,
  sink: FileIO,
  options: ContentOptions,
): Promise<ContentResult> {
  const { reflink = 'auto', sparse = 'auto', onChunk, onBytes } = options;
  const before = fstatSync(source.fileno(), { bigint: true });
  const size = before.isFile() ? Number(before.size) : 0;

  if (reflink !== 'never' && !onChunk && size > 0) {
    const refused = clone(source.fileno(), before, sink.fileno(), options);
    if (refused === null) {
      onBytes?.(size);
      return { bytes: size, method: 'reflink', grew: false };
    }
    if (reflink === 'always') throw refused;
  }

  const holes = sparse === 'always' || (sparse === 'auto' && before.isFile() && before.blocks * 512n < before.size);
  const sparseSink = holes ? new SparseSink(sink) : null;
  const bytes = await pumpFile(source, sparseSink ?? sink, size, options);
  sparseSink?.finish();
  return { bytes, method: 'readinto', grew: before.isFile() && changedOnlyBySize(source, before, bytes) };
}

/** Up to the known size, and beyond it where that size is not the truth. */
async function pumpFile(source: Source & FileIO, sink: Sink, size: number, options: ContentOptions): Promise<number> {
  const { onChunk, onBytes, bufferSize, limitRate, signal } = options;
  const seen = (chunk: Uint8Array) => {
    onChunk?.(chunk);
    onBytes?.(chunk.length);
  };
  const settings = { bufferSize, limitRate, signal, onBytes: seen };
  if (size === 0) return copyInto(source, sink, settings);
  const bytes = await copyInto(source, sink, { ...settings, limit: size });
  if (bytes < size || fstatSync(source.fileno()).size !== size) return bytes;
  // The size still stands: at the end of an ordinary file this reads nothing.
  return (
    bytes + (await copyInto(source, sink, { ...settings, ...(bufferSize === undefined && { bufferSize: 65536 }) }))
  );
}

/** Did it only grow? Throws where it changed in another way. */
function changedOnlyBySize(source: FileIO, before: BigIntStats, bytes: number): boolean {
  const after = fstatSync(source.fileno(), { bigint: true });
  const path = String(source.name);
  if (after.size < before.size) throw new SourceChanged('source shrank while it was copied', { path });
  if (after.size > before.size) return true;
  // A size that is zero, or that reading did not bear out, is made up (/proc, /sys), and so are its times.
  if (before.size === 0n || BigInt(bytes) !== before.size) return false;
  if (after.mtimeNs !== before.mtimeNs) throw new SourceChanged('source changed while it was copied', { path });
  return false;
}

/** Share the source's extents; null = done, else why not. */
function clone(
  source: number,
  before: BigIntStats,
  sink: number,
  { reflink, sinkMode = 0o600 }: ContentOptions,
): unknown {
  // Node's copyFile gives the sink the source's permissions before it clones: only where nobody gains any by that.
  if (reflink !== 'always' && (Number(before.mode) & 0o777 & ~sinkMode) !== 0) return new Error('would widen the mode');
  try {
    copyFileSync(`/proc/self/fd/${source}`, `/proc/self/fd/${sink}`, constants.COPYFILE_FICLONE_FORCE);
    return null;
  } catch (error) {
    if (isSystemError(error, 'ENOSPC', 'EIO', 'EDQUOT')) throw error;
    return error;
  }
}
