// One source into one destination: an atomic replacement, a rewrite in place, a stream, or a symlink copied as one.

import type { Hash } from 'node:crypto';
import {
  constants,
  fstatSync,
  lstatSync,
  open,
  readlinkSync,
  realpathSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { promisify } from 'node:util';
import { AtomicFile } from '../io/atomic-file.js';
import { type Attributes, applyAttributes, applyLinkAttributes, type Loss } from '../io/attributes.js';
import { type ContentResult, copyContent } from '../io/content.js';
import { downstream } from '../io/downstream.js';
import { failure, isSystemError, SluiceError } from '../io/failure.js';
import { FileIO } from '../io/file-io.js';
import { native, nativeReason } from '../io/native.js';
import { decodePath, fsPath } from '../io/path.js';
import type { Sink } from '../io/raw.js';
import { tempName } from '../io/temp-name.js';
import { whileUnfinished } from '../io/unfinished.js';
import { readAccessAcl, readExtended } from '../io/xattrs.js';
import type { Context } from './context.js';
import type { CopyOptions, Job, Run, Totals } from './copy.js';
import { checkSource, type OpenSource, openSource, SourceChanged, sourceName } from './copy-source.js';

const untouched = 'destination left as it was';

/** Replace the destination as a whole, or with `--in-place` its content. */
export async function copyFile(job: Job, run: Run): Promise<void> {
  const path = job.shown ? job.destination : resolveDestination(job.destination);
  if (skips(job, path, run)) return;
  for (let attempt = 1; ; attempt++) {
    let moved = 0;
    const counting: Run = {
      ...run,
      onBytes: (count) => {
        moved += count;
        run.onBytes(count);
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
      if (!(error instanceof SourceChanged) || attempt === 2) throw told(error, job, job.destination, state);
      run.context.debug(() => `${job.source}: ${error.message}; copying it again`);
      run.onBytes(-moved);
    }
  }
}

/** A failure names the side that it came from: reading is the source's. */
function told(error: unknown, job: Job, destination: string, state: string): SluiceError {
  const reading = isSystemError(error) && /^p?readv?(64)?$/.test(error.syscall ?? '');
  return failure(error, { path: reading ? sourceName(job.source) : destination, state });
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

function skip(job: Job, reason: string, { context, totals }: Run): void {
  const { source, destination } = job.shown ?? job;
  totals.skipped++;
  context.record({ type: 'skipped', source, destination, reason });
}

async function replace(from: OpenSource, path: string, job: Job, run: Run, again: boolean): Promise<void> {
  const { options, context, totals } = run;
  const before = fstatSync(from.file.fileno(), { bigint: true });
  const resumes = options.resume && before.isFile();
  let sum: string | undefined;
  const { durable, noClobber, backup } = options;
  const readBack = options.verify ? (file: FileIO) => verify(file, sum!, options, path, context) : undefined;
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
    const { outcome, lost, unconfirmed } = await atomic.commit(
      attributesOf(from.file.fileno(), before, options),
      Number(before.mode),
    );
    if (outcome === 'skipped') {
      skip(job, 'exists', run);
      return;
    }
    countLosses(lost, totals);
    if (outcome === 'replaced' && nativeReason())
      context.debug(() => `${path}: the old file's ACL and extended attributes were not looked at: ${nativeReason()}`);
    if (unconfirmed) {
      totals.unconfirmed++;
      const { message, code = 'ERR_DURABILITY', syscall, state } = unconfirmed;
      context.warn(`${message} (${code}, ${syscall}) — ${state}`, { path, code });
    }
    finished(job, { ...result, bytes }, sum, run);
  } catch (error) {
    atomic.discard();
    throw error;
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
  const into = new FileIO(path, 'r+');
  try {
    const hash = await digest(options);
    begun();
    const result = await content(from, into, { ...options, reflink: 'never', sparse: 'never' }, hash, run, 0);
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
    if (options.verify) await verify(into, sum!, options, path, run.context);
    finished(job, result, sum, run);
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
      const into = await openChannel(job.destination);
      // Our own stdout: a FIFO by name may get another reader yet.
      const reader = into.closefd ? undefined : downstream(into.fileno());
      try {
        const hash = await digest(options);
        const plain = { ...options, reflink: 'never', sparse: 'never' } as const;
        const result = await content(from, into, plain, hash, run, 0, reader?.signal);
        const type = fstatSync(into.fileno());
        if (options.durable !== 'none' && (type.isFile() || type.isBlockDevice()))
          await (await import('../io/durability.js')).fsyncFile(into.fileno());
        finished(job, result, hash?.digest('hex'), run);
        checkSource(result, job, run, false);
      } finally {
        reader?.close();
        into.close();
      }
    } finally {
      from.close();
    }
  } catch (error) {
    throw told(error, job, name, 'what was written until then stays written');
  }
}

async function openChannel(destination: string): Promise<FileIO> {
  const own =
    destination === '-' || destination === '/dev/stdout'
      ? 1
      : destination === '/dev/stderr'
        ? 2
        : Number(/\/fd\/(\d+)$/.exec(destination)?.[1] ?? -1);
  if (own >= 0) return new FileIO(own, 'w', { closefd: false });
  // Opening a FIFO waits for its reader: in the thread pool, so that signals are heard.
  return new FileIO(await promisify(open)(fsPath(destination), constants.O_WRONLY), 'w');
}

/** A symlink, as one: made beside, then renamed over. */
export function copyLink(job: Job, run: Run): void {
  const { source, destination } = job;
  const there = lstatSync(fsPath(destination), { throwIfNoEntry: false });
  if (there && run.options.noClobber) {
    skip(job, 'exists', run);
    return;
  }
  const temp = tempName(destination);
  const done = whileUnfinished(() => removeQuietly(temp));
  try {
    if (there?.isDirectory())
      throw new SluiceError('is a directory, and cannot be replaced by a symlink', { code: 'EISDIR' });
    symlinkSync(readlinkSync(fsPath(source), { encoding: 'buffer' }), fsPath(temp));
    const stat = lstatSync(fsPath(source), { bigint: true });
    countLosses(applyLinkAttributes(temp, attributesOf(source, stat, run.options)), run.totals);
    renameSync(fsPath(temp), fsPath(destination));
  } catch (error) {
    removeQuietly(temp);
    throw failure(error, { path: destination, state: untouched });
  } finally {
    done();
  }
  run.totals.symlinks++;
  run.context.record({ type: 'copied', source, destination, bytes: 0, method: 'symlink' });
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(fsPath(path));
  } catch {
    // It was not made, or is gone.
  }
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

/** Read a file that was fsynced back from storage, and compare. */
async function verify(
  file: FileIO,
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
  await copyInto(file, nowhere, { bufferSize, onBytes: (chunk) => void hash.update(chunk) });
  if (hash.digest('hex') !== expected)
    throw new SluiceError('what was read back is not what was written', { code: 'ERR_VERIFY', path });
}

function attributesOf(
  source: number | string,
  before: { mode: bigint; uid: bigint; gid: bigint; atimeNs: bigint; mtimeNs: bigint },
  { preserve }: CopyOptions,
): Attributes {
  return {
    // An ACL goes with the mode, whose group bits are its mask.
    ...(preserve.has('mode') &&
      typeof source === 'number' && { mode: Number(before.mode) & 0o7777, acl: readAccessAcl(source) }),
    ...(preserve.has('ownership') && { uid: Number(before.uid), gid: Number(before.gid) }),
    ...(preserve.has('timestamps') && { atimeNs: before.atimeNs, mtimeNs: before.mtimeNs }),
    ...(preserve.has('xattr') && (readExtended(source) ?? { unreadable: true })),
  };
}

function countLosses(lost: Loss[], totals: Totals): void {
  for (const each of lost) totals.lost.set(each, (totals.lost.get(each) ?? 0) + 1);
}

function finished(job: Job, { bytes, method }: ContentResult, sum: string | undefined, run: Run): void {
  const { source, destination } = job.shown ?? job;
  const { checksum } = run.options;
  run.totals.files++;
  run.totals.bytes += bytes;
  const digests = checksum !== undefined && { [checksum]: sum };
  run.context.record({ type: 'copied', source, destination, bytes, method, ...digests });
  if (checksum !== undefined) run.context.print(sumLine(sum!, destination));
}

/** A line as sha256sum writes it, and reads it with `-c`: a name with a newline or backslash is escaped, and marked. */
function sumLine(sum: string, path: string): string {
  const special: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r' };
  const escaped = path.replace(/[\\\n\r]/g, (character) => special[character]!);
  return `${escaped === path ? '' : '\\'}${sum}  ${escaped}`;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
