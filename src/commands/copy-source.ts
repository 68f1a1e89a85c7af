// A source, opened for copying: any kind of file, stdin, or something that makes us wait; and what became of it meanwhile.

import { fstatSync, open, statSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Attributes } from '../io/attributes.js';
import type { ContentResult, ContentSource } from '../io/content.js';
import { failure, SluiceError } from '../io/failure.js';
import { FileIO } from '../io/file-io.js';
import { fsPath } from '../io/path.js';
import { readAccessAcl, readExtended } from '../io/xattrs.js';
import type { CopyOptions, Job, Run } from './copy.js';

export interface OpenSource {
  /** What messages call it. */
  name: string;
  file: FileIO;
  /** `readInto` of one that can block answers null, and it has `ready`. */
  source: FileIO & ContentSource;
  close(): void;
}

export async function openSource({ source, stat }: Job): Promise<OpenSource> {
  let file: FileIO;
  try {
    if (source === '-') file = new FileIO(0, 'r', { closefd: false });
    // Opening a FIFO waits for its writer: in the thread pool, so that signals are heard.
    else if (stat?.isFIFO()) file = new FileIO(await promisify(open)(fsPath(source), 'r'), 'r');
    else file = new FileIO(source, 'r');
  } catch (error) {
    throw failure(error, { path: sourceName(source) });
  }
  const type = fstatSync(file.fileno());
  const name = sourceName(source);
  if (!type.isFIFO() && !type.isSocket() && !type.isCharacterDevice())
    return { name, file, source: file, close: () => closeQuietly(file) };
  const { canBlock, streamInput } = await import('../io/stream-input.js');
  if (!canBlock(file.fileno())) return { name, file, source: file, close: () => closeQuietly(file) };
  const stream = streamInput(file.fileno());
  return {
    name,
    file,
    source: Object.assign(Object.create(file) as FileIO, {
      readInto: (view: Uint8Array) => stream.readInto(view),
      ready: () => stream.ready(),
      held: () => stream.held,
      fileno: () => file.fileno(),
      tell: () => 0,
    }),
    close: () => {
      stream.close();
      closeQuietly(file);
    },
  };
}

/** What has been read has been read: there is nothing that closing could still tell. */
function closeQuietly(file: FileIO): void {
  try {
    file.close();
  } catch {
    // It is closed all the same.
  }
}

/** What messages call it. */
export const sourceName = (source: string): string => (source === '-' ? 'standard input' : source);

/** Thrown where the copy may be of no one moment, and doing it again is worth a try. */
export class SourceChanged extends SluiceError {}

/**
 * Say what the source did while it was copied. Growing is a warning; vanishing and changing end the copy, unless
 * `--allow-changed` makes them warnings too. `again`: another try comes after this one.
 */
export function checkSource(
  { change, bytes }: ContentResult,
  job: Job,
  { options, context }: Run,
  again: boolean,
): void {
  const path = sourceName(job.source);
  if (change === 'grew')
    context.warn(`grew while it was copied; the ${bytes} bytes it had at first were copied`, { path });
  else if (change) {
    const message = `source ${change} while it was copied`;
    if (again || !options.allowChanged) throw new SourceChanged(message, { code: 'ERR_SOURCE_CHANGED', path });
    context.warn(message, { path, code: 'ERR_SOURCE_CHANGED' });
  }
  if (job.source === '-' || statSync(fsPath(job.source), { throwIfNoEntry: false })) return;
  if (!options.allowChanged) throw new SluiceError('vanished while it was copied', { code: 'ENOENT', path });
  context.warn('vanished while it was copied', { path, code: 'ENOENT' });
}

/** What is to be kept of a source, open or (a symlink) by its path. */
export function attributesOf(
  source: number | string,
  before: { mode: bigint; uid: bigint; gid: bigint; atimeNs: bigint; mtimeNs: bigint },
  { preserve }: CopyOptions,
): Attributes {
  return {
    // An ACL goes with the mode, whose group bits are its mask.
    ...(preserve.has('mode') &&
      typeof source === 'number' && {
        mode: Number(before.mode) & 0o7777,
        acl: readAccessAcl(source),
        aclModel: source,
      }),
    ...(preserve.has('ownership') && { uid: Number(before.uid), gid: Number(before.gid) }),
    ...(preserve.has('timestamps') && { atimeNs: before.atimeNs, mtimeNs: before.mtimeNs }),
    ...(preserve.has('xattr') && (readExtended(source) ?? { unreadable: true })),
  };
}
