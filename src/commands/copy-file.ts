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
import { type Attributes, applyAttributes, type Loss } from '../io/attributes.js';
import { type ContentResult, copyContent, type Method, SourceChanged } from '../io/content.js';
import { failure, SluiceError } from '../io/failure.js';
import { FileIO } from '../io/file-io.js';
import { native, nativeReason } from '../io/native.js';
import { decodePath, fsPath } from '../io/path.js';
import type { Sink, Source } from '../io/raw.js';
import { tempName } from '../io/temp-name.js';
import { whileUnfinished } from '../io/unfinished.js';
import { readAccessAcl, readExtended } from '../io/xattrs.js';
import type { Context } from './context.js';
import type { CopyOptions, Job, Totals } from './copy.js';

const openAsync = promisify(open);
const untouched = 'destination left as it was';

/** Replace the destination as a whole, or with `--in-place` its content. */
export async function copyFile(
  job: Job,
  options: CopyOptions,
  context: Context,
  totals: Totals,
  onBytes: (count: number) => void,
): Promise<void> {
  const path = resolveDestination(job.destination);
  if (skips(job, path, options, context, totals)) return;
  for (let attempt = 1; ; attempt++) {
    const from = await openSource(job);
    try {
      if (options.inPlace && lstatSync(fsPath(path), { throwIfNoEntry: false }))
        await overwrite(from, path, job, options, context, totals, onBytes);
      else await replace(from, path, job, options, context, totals, onBytes);
      return;
    } catch (error) {
      if (!(error instanceof SourceChanged)) throw failure(error, { path: job.destination, state: untouched });
      if (attempt === 2) throw failure(error, { path: job.source, state: untouched });
      context.debug(() => `${job.source}: ${error.message}; copying it again`);
    } finally {
      from.close();
    }
  }
}

/** A symlink to a file keeps its place, and the file it leads to is meant. */
function resolveDestination(destination: string): string {
  const stat = lstatSync(fsPath(destination), { throwIfNoEntry: false });
  if (!stat?.isSymbolicLink()) return destination;
  if (!statSync(fsPath(destination), { throwIfNoEntry: false }))
    throw new SluiceError('is a symlink that leads nowhere', { path: destination, state: 'nothing was made' });
  return decodePath(realpathSync(fsPath(destination), { encoding: 'buffer' }));
}

function skips(job: Job, path: string, options: CopyOptions, context: Context, totals: Totals): boolean {
  const there = statSync(fsPath(path), { bigint: true, throwIfNoEntry: false });
  if (there?.isDirectory())
    throw new SluiceError('is a directory, and cannot be replaced by a file', {
      code: 'EISDIR',
      path,
      state: untouched,
    });
  const reason = !there
    ? undefined
    : options.noClobber
      ? 'exists'
      : options.update && job.stat && job.stat.mtimeNs <= there.mtimeNs
        ? 'is not older than the source'
        : undefined;
  if (reason === undefined) return false;
  skip(job, reason, context, totals);
  return true;
}

function skip(job: Job, reason: string, context: Context, totals: Totals): void {
  totals.skipped++;
  context.record({ type: 'skipped', source: job.source, destination: job.destination, reason });
}

/** A source, opened; `readInto` of one that can block answers null and has `ready`. */
interface OpenSource {
  file: FileIO;
  source: FileIO & Source;
  close(): void;
}

async function openSource({ source, stat }: Job): Promise<OpenSource> {
  let file: FileIO;
  try {
    if (source === '-') file = new FileIO(0, 'r', { closefd: false });
    // Opening a FIFO waits for its writer: in the thread pool, so that signals are heard.
    else if (stat?.isFIFO()) file = new FileIO(await openAsync(fsPath(source), 'r'), 'r');
    else file = new FileIO(source, 'r');
  } catch (error) {
    throw failure(error, { path: source, state: untouched });
  }
  const type = fstatSync(file.fileno());
  if (!type.isFIFO() && !type.isSocket() && !type.isCharacterDevice())
    return { file, source: file, close: () => file.close() };
  const { canBlock, streamInput } = await import('../io/stream-input.js');
  if (!canBlock(file.fileno())) return { file, source: file, close: () => file.close() };
  const stream = streamInput(file.fileno());
  return {
    file,
    source: Object.assign(Object.create(file) as FileIO, {
      readInto: (view: Uint8Array) => stream.readInto(view),
      ready: () => stream.ready(),
      fileno: () => file.fileno(),
    }),
    close: () => {
      stream.close();
      file.close();
    },
  };
}

async function replace(
  from: OpenSource,
  path: string,
  job: Job,
  options: CopyOptions,
  context: Context,
  totals: Totals,
  onBytes: (count: number) => void,
): Promise<void> {
  const before = fstatSync(from.file.fileno(), { bigint: true });
  const resumes = options.resume && before.isFile();
  const target = resumes ? await (await import('./copy-resume.js')).openPartial(path, before, options, context) : null;
  const atomic = target?.atomic ?? new AtomicFile(path, options);
  try {
    const hash = await digest(options);
    if (target) await target.catchUp(from.file, hash);
    const result = await content(
      from,
      atomic.file,
      options,
      hash,
      onBytes,
      Number(before.mode) & 0o777 & ~process.umask(),
    );
    const bytes = result.bytes + (target?.kept ?? 0);
    context.debug(() => `${job.source}: ${result.method}${result.why ? `; ${result.why}` : ''}`);
    const size = fstatSync(atomic.file.fileno()).size;
    if (size !== bytes)
      throw new SluiceError(`only ${size} of ${bytes} bytes were written`, { path, state: untouched });
    if (job.source === '-' || before.isFIFO()) await turn(); // After end of file a pending signal wins: the producer may have died of it.
    checkSource(result, job, options, context);
    const sum = hash?.digest('hex');
    if (options.verify) await verify(atomic.file, sum!, options, path, context);
    const { outcome, lost, unconfirmed } = await atomic.commit(
      attributesOf(from.file.fileno(), before, options),
      Number(before.mode),
    );
    if (outcome === 'skipped') {
      skip(job, 'exists', context, totals);
      return;
    }
    count(lost, totals);
    if (outcome === 'replaced' && nativeReason())
      context.debug(() => `${path}: the old file's ACL and extended attributes were not looked at: ${nativeReason()}`);
    if (unconfirmed) {
      totals.unconfirmed++;
      context.warn(`${unconfirmed.message} (${unconfirmed.code}, ${unconfirmed.syscall}) — ${unconfirmed.state}`, {
        path,
        code: unconfirmed.code ?? 'ERR_DURABILITY',
      });
    }
    done(job, bytes, result.method, sum, options, context, totals);
  } catch (error) {
    atomic.discard();
    throw error;
  }
}

/** Write into the existing inode. What fails here leaves a file that is neither old nor new, and says so. */
async function overwrite(
  from: OpenSource,
  path: string,
  job: Job,
  options: CopyOptions,
  context: Context,
  totals: Totals,
  onBytes: (count: number) => void,
): Promise<void> {
  const before = fstatSync(from.file.fileno(), { bigint: true });
  let into: FileIO;
  try {
    into = new FileIO(path, 'r+');
  } catch (error) {
    throw failure(error, { path, state: untouched });
  }
  try {
    const hash = await digest(options);
    const result = await content(from, into, { ...options, reflink: 'never', sparse: 'never' }, hash, onBytes, 0);
    into.truncate(result.bytes);
    checkSource(result, job, { ...options, allowChanged: true }, context);
    const sum = hash?.digest('hex');
    if (options.verify) await verify(into, sum!, options, path, context);
    count(
      applyAttributes(into.fileno(), fstatSync(into.fileno()), attributesOf(from.file.fileno(), before, options)),
      totals,
    );
    if (options.durable !== 'none') await (await import('../io/durability.js')).fsyncFile(into.fileno());
    done(job, result.bytes, result.method, sum, options, context, totals);
  } catch (error) {
    const wrong = error instanceof SourceChanged ? new SluiceError(error.message, { path: job.source }) : error;
    throw failure(wrong, { path, state: 'destination is incomplete: it was being overwritten in place' });
  } finally {
    into.close();
  }
}

/** stdout, a FIFO, a device, a descriptor: written through, nothing is replaced. */
export async function copyStream(
  job: Job,
  options: CopyOptions,
  context: Context,
  totals: Totals,
  onBytes: (count: number) => void,
): Promise<void> {
  const from = await openSource(job);
  try {
    const into = await openChannel(job.destination);
    try {
      const hash = await digest(options);
      const result = await content(from, into, { ...options, reflink: 'never', sparse: 'never' }, hash, onBytes, 0);
      checkSource(result, job, { ...options, allowChanged: true }, context);
      const storage = fstatSync(into.fileno()).isFile() || fstatSync(into.fileno()).isBlockDevice();
      if (options.durable !== 'none' && storage) await (await import('../io/durability.js')).fsyncFile(into.fileno());
      done(job, result.bytes, result.method, hash?.digest('hex'), options, context, totals);
    } finally {
      into.close();
    }
  } catch (error) {
    if (error instanceof SourceChanged)
      throw failure(new SluiceError(error.message, { path: job.source }), {
        state: 'what was read until then is written',
      });
    throw failure(error, {
      path: job.destination === '-' ? 'standard output' : job.destination,
      state: 'what was written until then stays written',
    });
  } finally {
    from.close();
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
  return new FileIO(await openAsync(fsPath(destination), constants.O_WRONLY), 'w');
}

/** A symlink, as one: made beside, then renamed over. */
export function copyLink(job: Job, options: CopyOptions, context: Context, totals: Totals): void {
  const { source, destination } = job;
  const there = lstatSync(fsPath(destination), { throwIfNoEntry: false });
  if (there && options.noClobber) {
    skip(job, 'exists', context, totals);
    return;
  }
  try {
    const target = readlinkSync(fsPath(source), { encoding: 'buffer' });
    const temp = tempName(destination);
    const finished = whileUnfinished(() => removeQuietly(temp));
    try {
      symlinkSync(target, fsPath(temp));
      if (there?.isDirectory())
        throw new SluiceError('is a directory, and cannot be replaced by a symlink', { path: destination });
      renameSync(fsPath(temp), fsPath(destination));
    } catch (error) {
      removeQuietly(temp);
      throw error;
    } finally {
      finished();
    }
  } catch (error) {
    throw failure(error, { path: destination, state: untouched });
  }
  totals.symlinks++;
  context.record({ type: 'copied', source, destination, bytes: 0, method: 'symlink' });
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(fsPath(path));
  } catch {
    // It was not made, or is gone.
  }
}

function content(
  from: OpenSource,
  sink: FileIO,
  options: CopyOptions,
  hash: Hash | undefined,
  onBytes: (count: number) => void,
  sinkMode: number,
): Promise<ContentResult> {
  const { bufferSize, limitRate, reflink, sparse } = options;
  const onChunk = hash && ((chunk: Uint8Array) => void hash.update(chunk));
  return copyContent(from.source, sink, { bufferSize, limitRate, reflink, sparse, onBytes, onChunk, sinkMode });
}

/** One digest serves both: `--checksum` prints it, `--verify` compares it. */
async function digest({ checksum, verify }: CopyOptions): Promise<Hash | undefined> {
  if (checksum === undefined && !verify) return undefined;
  return (await import('node:crypto')).createHash(checksum ?? 'sha256');
}

/** A source that only grew, or is gone by now, is told. */
function checkSource(result: ContentResult, job: Job, options: CopyOptions, context: Context): void {
  const path = job.source;
  if (result.grew)
    context.warn(`grew while it was copied; the ${result.bytes} bytes it had at first were copied`, { path });
  if (path === '-' || statSync(fsPath(path), { throwIfNoEntry: false })) return;
  if (options.allowChanged) context.warn('vanished while it was copied', { path });
  else throw new SluiceError('vanished while it was copied', { code: 'ENOENT', path, state: untouched });
}

/** Read the new file back from storage, and compare. */
async function verify(
  file: FileIO,
  expected: string,
  { checksum = 'sha256', bufferSize }: CopyOptions,
  path: string,
  context: Context,
): Promise<void> {
  const { fsyncFile } = await import('../io/durability.js');
  const { createHash } = await import('node:crypto');
  const { copyInto } = await import('../io/pump.js');
  await fsyncFile(file.fileno()); // What is only in memory cannot be read back from storage.
  const calls = native();
  if (calls) calls.copying.advise(file.fileno(), 0, 0, 'dontneed');
  else context.debug(() => `${path}: verified from memory, not from storage: ${nativeReason()}`);
  file.seek(0);
  const hash = createHash(checksum);
  const nowhere: Sink = { write: (view) => (view as Uint8Array).length };
  await copyInto(file, nowhere, { bufferSize, onBytes: (chunk) => void hash.update(chunk) });
  if (hash.digest('hex') !== expected)
    throw new SluiceError('what was read back is not what was written', { code: 'ERR_VERIFY', path, state: untouched });
}

function attributesOf(
  source: number,
  before: { mode: bigint; uid: bigint; gid: bigint; atimeNs: bigint; mtimeNs: bigint },
  { preserve }: CopyOptions,
): Attributes {
  return {
    // An ACL goes with the mode, whose group bits are its mask.
    ...(preserve.has('mode') && { mode: Number(before.mode) & 0o7777, acl: readAccessAcl(source) }),
    ...(preserve.has('ownership') && { uid: Number(before.uid), gid: Number(before.gid) }),
    ...(preserve.has('timestamps') && { atimeNs: before.atimeNs, mtimeNs: before.mtimeNs }),
    ...(preserve.has('xattr') && (readExtended(source) ?? { unreadable: true })),
  };
}

function count(lost: Loss[], totals: Totals): void {
  for (const each of lost) totals.lost.set(each, (totals.lost.get(each) ?? 0) + 1);
}

function done(
  job: Job,
  bytes: number,
  method: Method,
  sum: string | undefined,
  { checksum }: CopyOptions,
  context: Context,
  totals: Totals,
): void {
  const { source, destination } = job;
  totals.files++;
  totals.bytes += bytes;
  context.record({
    type: 'copied',
    source,
    destination,
    bytes,
    method,
    ...(checksum !== undefined && { [checksum]: sum }),
  });
  if (checksum !== undefined) context.print(sumLine(sum!, destination));
}

/** A line as sha256sum writes it, and reads it with `-c`: a name with a newline or backslash is escaped, and marked. */
function sumLine(sum: string, path: string): string {
  const escaped = path.replace(/[\\\n\r]/g, (character) => ({ '\\': '\\\\', '\n': '\\n', '\r': '\\r' })[character]!);
  return `${escaped === path ? '' : '\\'}${sum}  ${escaped}`;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
