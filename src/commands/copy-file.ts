// One source into one file: an atomic replacement, or a rewrite in place.

import { fstatSync, lstatSync, statSync } from 'node:fs';
import { AtomicFile } from '../io/atomic-file.js';
import { applyAttributes } from '../io/attributes.js';
import type { ContentResult } from '../io/content.js';
import { failure, SluiceError } from '../io/failure.js';
import { FileIO } from '../io/file-io.js';
import { nativeReason } from '../io/native.js';
import { fsPath, realPath } from '../io/path.js';
import { canOnlyOverwrite } from '../io/target.js';
import type { Job, Run } from './copy.js';
import { content, digest, verify } from './copy-content.js';
import { attributesOf, checkSource, type OpenSource, openSource, SourceChanged } from './copy-source.js';
import { blamed, countLosses, finished, saved, skip, untouched } from './copy-told.js';

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
  return realPath(destination);
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

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
