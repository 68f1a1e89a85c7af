// The bytes of one copy: moved, and with a digest of them checked against what storage has.

import type { Hash } from 'node:crypto';
import { type ContentResult, copyContent } from '../io/content.js';
import { SluiceError } from '../io/failure.js';
import type { FileIO } from '../io/file-io.js';
import { native, nativeReason } from '../io/native.js';
import type { Sink } from '../io/raw.js';
import type { Context } from './context.js';
import type { CopyOptions, Run } from './copy.js';
import type { OpenSource } from './copy-source.js';

/** What is read goes into `sink`, converted as asked. */
export async function content(
  from: OpenSource,
  sink: FileIO,
  { bufferSize, limitRate, reflink, sparse, conversion }: CopyOptions,
  hash: Hash | undefined,
  { context, onBytes }: Run,
  sinkMode: number,
  signal?: AbortSignal,
): Promise<ContentResult> {
  const onChunk = hash && ((chunk: Uint8Array) => void hash.update(chunk));
  const settings = { bufferSize, limitRate, reflink, sparse, onBytes, onChunk, sinkMode, signal };
  const result = conversion
    ? await (await import('../io/conversion.js')).copyConverted(from.source, sink, conversion, from.name, settings)
    : await copyContent(from.source, sink, settings);
  context.debug(() => `${from.name}: ${result.method}${result.why ? `; ${result.why}` : ''}`);
  return result;
}

/** One digest serves both: `--checksum` prints it, `--verify` compares it. */
export async function digest({ checksum, verify }: CopyOptions): Promise<Hash | undefined> {
  if (checksum === undefined && !verify) return undefined;
  return (await import('node:crypto')).createHash(checksum ?? 'sha256');
}

/** Read a file that was fsynced, or its first `limit` bytes, back from storage, and compare. */
export async function verify(
  file: FileIO,
  limit: number,
  expected: string,
  options: CopyOptions,
  path: string,
  context: Context,
): Promise<void> {
  const { checksum = 'sha256', bufferSize } = options;
  const { createHash } = await import('node:crypto');
  const { copyInto } = await import('../io/pump.js');
  const calls = native();
  if (calls) calls.copying.advise(file.fileno(), 0, 0, 'dontneed');
  else context.debug(() => `${path}: verified from memory, not from storage: ${nativeReason()}`);
  file.seek(0);
  const hash = createHash(checksum);
  const nowhere: Sink = { write: (view) => (view as Uint8Array).length };
  await copyInto(file, nowhere, { bufferSize, limit, onBytes: (chunk) => void hash.update(chunk) });
  if (hash.digest('hex') !== expected)
    throw new SluiceError('what was read back is not what was written', { code: 'ERR_VERIFY', path });
}
