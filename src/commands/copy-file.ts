// One source into one destination: an atomic replacement, a rewrite in place, a stream, or a symlink copied as one.

import type { Hash } from 'node:crypto';
import { constants, fstatSync, lstatSync, open, realpathSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { AtomicFile } from '../io/atomic-file.js';
import { applyAttributes } from '../io/attributes.js';
import { type ContentResult, copyContent } from '../io/content.js';
import { downstream } from '../io/downstream.js';
import type { Confirmed } from '../io/durability.js';
import { failure, isSystemError, SluiceError } from '../io/failure.js';
import { FileIO } from '../io/file-io.js';
import { native, nativeReason } from '../io/native.js';
import { decodePath, fsPath } from '../io/path.js';
import type { Sink } from '../io/raw.js';
import { canOnlyOverwrite } from '../io/target.js';
import type { Context } from './context.js';
import type { CopyOptions, Job, Run } from './copy.js';
import { attributesOf, checkSource, type OpenSource, openSource, SourceChanged, sourceName } from './copy-source.js';
import { countLosses, skip, told, untouched } from './copy-told.js';

/** Replace the destination as a whole, or with `--in-place` its content. */
export async function copyFile(job: Job, run: Run): Promise<void> {
  let path = job.destination;
  try {
    if (!job.shown) path = resolveDestination(job.destination);
    if (skips(job, path, run)) return;
  } catch (error) {
    throw failure(error, { path: job.destination, state: untouched });
  }
  for (let attempt = 1; ; attempt++) {
    let moved = 0;
    const counting: Run = {
      ...run,
      onBytes: (count) => {
        moved += count;
        return run.onBytes(count);
      },
    };
    const inPlace = run.options.inPlace && lstatSync(fsPath(path), { throwIfNoEntry: false }) !== undefined;
    let state = untouched;
    try {
      const from = await openSource(job);
      try {
        if (inPlace) {
          await overwrite(from, path, job, counting, attempt === 1, () => {
            state = 'destination is incomplete: it was being overwritten in place';
          });
        } else await replace(from, path, job, counting, attempt === 1);
      } finally {
        from.close();
      }
      return;
    } catch (error) {
      if (!(error instanceof SourceChanged) || attempt === 2) {
        const told = blamed(error, job, job.destination, state);
        throw inPlace ? told : hinted(told, path);
      }
      run.context.debug(() => `${job.source}: ${error.message}; copying it again`);
      run.onBytes(-moved);
    }
  }
}

/** A failure names the side that it came from: reading is the source's. */
function blamed(error: unknown, job: Job, destination: string, state: string): SluiceError {
  const reading = isSystemError(error) && /^p?readv?(64)?$/.test(error.syscall ?? '');
  return failure(error, { path: reading ? sourceName(job.source) : destination, state });
}

/** With what would do where the destination can be written to but not replaced. */
function hinted(error: SluiceError, path: string): SluiceError {
  const { code, syscall, message } = error;
  if (error.path !== path || !canOnlyOverwrite(error, path)) return error;
  const state = `${untouched}; --in-place would write into it`;
  return new SluiceError(message, { path, state, cause: error, ...(code && { code }), ...(syscall && { syscall }) });
}

/** A symlink to a file keeps its place, and the file it leads to is meant. */
function resolveDestination(destination: string): string {
  const stat = lstatSync(fsPath(destination), { throwIfNoEntry: false });
  if (!stat?.isSymbolicLink()) return destination;
  if (!statSync(fsPath(destination), { throwIfNoEntry: false }))
    throw new SluiceError('is a symlink that leads nowhere', { path: destination, state: 'nothing was made' });
  return decodePath(realpathSync(fsPath(destination), { encoding: 'buffer' }));
}

function skips(job: Job, path: string, run: Run): boolean {
  const { noClobber, update } = run.options;
  const there = (job.shown ? lstatSync : statSync)(fsPath(path), { bigint: true, throwIfNoEntry: false });
  if (!there) return false;
  if (there.isDirectory()) {
    const details = { code: 'EISDIR', path, state: untouched };
    throw new SluiceError('is a directory, and cannot be replaced by a file', details);
  }
  const current = update && job.stat && job.stat.mtimeNs <= there.mtimeNs;
  const reason = noClobber ? 'exists' : current ? 'is not older than the source' : undefined;
  if (reason !== undefined) skip(job, reason, run);
  return reason !== undefined;
}

async function replace(from: OpenSource, path: string, job: Job, run: Run, again: boolean): Promise<void> {
  const { options, context, totals } = run;
  const before = fstatSync(from.file.fileno(), { bigint: true });
  const resumes = options.resume && before.isFile();
  let sum: string | undefined;
  const { durable, noClobber, backup } = options;
  const readBack = options.verify ? (file: FileIO) => verify(file, Infinity, sum!, options, path, context) : undefined;
  const how = { durable, noClobber, backup, readBack };
  const partial = resumes ? await (await import('./copy-resume.js')).openPartial(path, before, how, context) : null;
  const atomic = partial?.atomic ?? new AtomicFile(path, how);
  try {
    const hash = await digest(options);
    if (partial) await partial.catchUp(from.file, hash);
    const sinkMode = atomic.existing ? 0o600 : Number(before.mode) & 0o777 & ~process.umask();
    const result = await content(from, atomic.file, options, hash, run, sinkMode);
    const bytes = result.bytes + (partial?.kept ?? 0);
    const size = fstatSync(atomic.file.fileno()).size;
    if (size !== bytes)
      throw new SluiceError(`only ${size} of ${bytes} bytes were written`, { path, state: untouched });
    // After end of file a pending signal wins: the producer may have died of the same one.
    if (!before.isFile()) await turn();
    checkSource(result, job, run, again);
    sum = hash?.digest('hex');
    const { outcome, lost, ...confirmed } = await atomic.commit(
      attributesOf(from.file.fileno(), before, options),
      Number(before.mode),
    );
    if (outcome === 'skipped') {
      skip(job, 'exists', run);
      return;
    }
    countLosses(lost, totals);
    if (outcome === 'replaced' && nativeReason())
      context.debug(() => `${path}: the old file's extended attributes were not looked at: ${nativeReason()}`);
    finished(job, { ...result, bytes }, sum, run, saved(confirmed, path, run));
  } catch (error) {
    atomic.discard();
    throw error;
  } finally {
    partial?.release();
  }
}

/** Write into the existing inode. From `begun` on, what fails leaves a file that is neither old nor new. */
async function overwrite(
  from: OpenSource,
  path: string,
  job: Job,
  run: Run,
  again: boolean,
  begun: () => void,
): Promise<void> {
  const { options, totals } = run;
  const before = fstatSync(from.file.fileno(), { bigint: true });
  const durability = options.durable === 'none' ? undefined : await import('../io/durability.js');
  if (options.durable === 'strict') await durability?.insistOnDurability(path, untouched);
  const into = new FileIO(path, 'r+');
  try {
    const hash = await digest(options);
    let result: ContentResult;
    try {
      result = await content(from, into, { ...options, reflink: 'never', sparse: 'never' }, hash, run, 0);
    } finally {
      // What can't be converted may show before anything is written. Copies inside the kernel do not move the offset.
      if (!options.conversion || into.tell() > 0) begun();
    }
    begun();
    into.truncate(result.bytes);
    checkSource(result, job, run, again);
    const sum = hash?.digest('hex');
    countLosses(
      applyAttributes(into.fileno(), fstatSync(into.fileno()), attributesOf(from.file.fileno(), before, options)),
      totals,
    );
    // What is only in memory cannot be read back from storage.
    if (options.durable !== 'none' || options.verify)
      await (await import('../io/durability.js')).fsyncFile(into.fileno());
    if (options.verify) await verify(into, result.bytes, sum!, options, path, run.context);
    finished(job, result, sum, run, durability && saved(await durability.confirmDirectory(path), path, run));
  } finally {
    into.close();
  }
}

/** stdout, a FIFO, a device, a descriptor: written through, nothing is replaced. */
export async function copyStream(job: Job, run: Run): Promise<void> {
  const { options } = run;
  const name = job.destination === '-' ? 'standard output' : job.destination;
  try {
    const from = await openSource(job);
    try {
      const into = await openChannel(job.destination, options.verify);
      // Our own stdout: a FIFO by name may get another reader yet.
      const reader = into.closefd ? undefined : downstream(into.fileno());
      try {
        promise(into, options, name);
        const hash = await digest(options);
        const plain = { ...options, reflink: 'never', sparse: 'never' } as const;
        const result = await content(from, into, plain, hash, run, 0, reader?.signal);
        const type = fstatSync(into.fileno());
        if (options.durable !== 'none' && (type.isFile() || type.isBlockDevice()))
          await (await import('../io/durability.js')).fsyncFile(into.fileno());
        const sum = hash?.digest('hex');
        if (options.verify) {
          await (await import('../io/durability.js')).fsyncFile(into.fileno());
          await verify(into, result.bytes, sum!, options, name, run.context);
        }
        finished(job, result, sum, run);
        checkSource(result, job, run, false);
      } finally {
        reader?.close();
        into.close();
      }
    } finally {
      from.close();
    }
  } catch (error) {
    throw blamed(error, job, name, 'what was written until then stays written');
  }
}

/** Throws where what was asked for cannot be had of this destination, before anything is written to it. */
function promise(into: FileIO, { verify, durable }: CopyOptions, path: string): void {
  const type = fstatSync(into.fileno());
  const state = 'nothing was written';
  if (verify && !(into.closefd && type.isBlockDevice()))
    throw new SluiceError('cannot be read back, as --verify asks', { code: 'ERR_VERIFY', path, state });
  if (durable === 'strict' && !type.isBlockDevice())
    throw new SluiceError('durability cannot be promised: it is written through, to wherever it leads', {
      path,
      state,
    });
}

async function openChannel(destination: string, readable: boolean): Promise<FileIO> {
  const own =
    destination === '-' || destination === '/dev/stdout'
      ? 1
      : destination === '/dev/stderr'
        ? 2
        : Number(/\/fd\/(\d+)$/.exec(destination)?.[1] ?? -1);
  if (own >= 0) return new FileIO(own, 'w', { closefd: false });
  // Opening a FIFO waits for its reader: in the thread pool, so that signals are heard.
  const mode = readable && statSync(fsPath(destination)).isBlockDevice() ? ('r+' as const) : ('w' as const);
  const flags = mode === 'r+' ? constants.O_RDWR : constants.O_WRONLY;
  return new FileIO(await promisify(open)(fsPath(destination), flags), mode);
}

async function content(
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
async function digest({ checksum, verify }: CopyOptions): Promise<Hash | undefined> {
  if (checksum === undefined && !verify) return undefined;
  return (await import('node:crypto')).createHash(checksum ?? 'sha256');
}

/** Read a file that was fsynced, or its first `limit` bytes, back from storage, and compare. */
async function verify(
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

/** The word for the record, where durability was asked for. */
const saved = (confirmed: Confirmed | { durability: 'none' }, path: string, run: Run): string | undefined =>
  confirmed.durability === 'none' ? undefined : told(confirmed, path, run);

function finished(
  job: Job,
  { bytes, method }: ContentResult,
  sum: string | undefined,
  run: Run,
  durability?: string,
): void {
  const { source, destination } = job.shown ?? job;
  const { checksum } = run.options;
  run.totals.files++;
  run.totals.bytes += bytes;
  const digests = checksum !== undefined && { [checksum]: sum };
  run.context.record({ type: 'copied', source, destination, bytes, method, ...digests, durability });
  if (checksum !== undefined) run.context.print(sumLine(sum!, destination));
}

/** A line as sha256sum writes it, and reads it with `-c`: a name with a newline or backslash is escaped, and marked. */
function sumLine(sum: string, path: string): string {
  const special: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r' };
  const escaped = path.replace(/[\\\n\r]/g, (character) => special[character]!);
  return `${escaped === path ? '' : '\\'}${sum}  ${escaped}`;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
