// One entry of a tree put in place: a temp file beside it, all of its content, its attributes, rename. The same promise as
// AtomicFile's, relative to open directories and in a handful of system calls, for trees of many small files.

import { constants } from 'node:fs';
import type { Loss } from '../io/attributes.js';
import { copyContent, type Method, type When } from '../io/content.js';
import { failure, isSystemError, SluiceError } from '../io/failure.js';
import { FileIO } from '../io/file-io.js';
import { tempNameOf } from '../io/temp-name.js';
import { whileUnfinished } from '../io/unfinished.js';
import type { Work } from './action.js';
import { dressNamed, dressOpen, type Keep } from './dress.js';
import { describe, type Facts } from './facts.js';
import { type Place, places } from './place.js';

/** Files up to this size go through one buffer in one read and one write. */
export const smallFile = 256 * 1024;

export interface EntrySettings {
  keep: Keep;
  /** The source's symlinks are followed. */
  follow: boolean;
  /** Never replace: what exists by now is skipped. */
  noClobber: boolean;
  sparse: When;
  reflink: When;
  /** A source that changed again, or is gone, is a warning. */
  allowChanged: boolean;
  /** Leave the new file under its temp name: it is renamed when all of them are durable. */
  stage: boolean;
}

export interface Done {
  bytes: number;
  /** 'told': by whoever copied it. */
  method: Method | 'symlink' | 'fifo' | 'device' | 'link' | 'metadata' | 'told';
  lost: Loss[];
  skipped?: true;
  warning?: string;
  /** The temp name that it waits under, with `stage`. */
  staged?: string;
}

/** An error on its way out of a thread. `side`: whose name belongs to it. */
export interface Failed {
  message: string;
  code: string | undefined;
  syscall: string | undefined;
  side: 'source' | 'destination';
  state: string | undefined;
}

export function failedAs(error: unknown): Failed {
  const { message, code, syscall, state } = failure(error);
  const ofSource =
    (error as { ofSource?: boolean }).ofSource === true || syscall === 'read' || (code?.endsWith('CHANGED') ?? false);
  return { message, code, syscall, side: ofSource ? 'source' : 'destination', state };
}

/** Where an entry comes from and goes to. */
export interface Way {
  source: Place;
  target: Place;
}

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_NONBLOCK, O_NOCTTY } = constants;

/**
 * Do it, if that is a matter of a moment; null = this file takes `copyLarge`. Throws with the destination as it was and no temp
 * file left.
 */
export function copyEntry(way: Way, work: Work, settings: EntrySettings, buffer: Buffer): Done | null {
  const { source } = work;
  if (work.action === 'metadata') return setMetadata(way, work, settings);
  switch (source.kind) {
    case 'file':
      return isSmall(source, settings) ? copySmall(way, work, settings, buffer) : null;
    case 'symlink': {
      const to = places().readLink(way.source, work.name);
      return makeNamed(way, work, settings, 'symlink', (temp) => places().symlink(to, way.target, temp));
    }
    case 'fifo':
      return makeNamed(way, work, settings, 'fifo', (temp) => places().makeFifo(way.target, temp, 0o600));
    case 'character':
    case 'block':
      return makeNamed(way, work, settings, 'device', (temp) => places().makeDevice(way.target, temp, source));
    default:
      throw new SluiceError(`is ${describe[source.kind]}, which cannot be copied`);
  }
}

const hasHoles = ({ size, blocks }: Facts): boolean => blocks * 512 < size && size > 4096;

/** One read and one write do. */
export const isSmall = (facts: Facts, { sparse, reflink }: EntrySettings): boolean =>
  facts.size < smallFile && !hasHoles(facts) && sparse !== 'always' && reflink !== 'always';

/** Opened for reading, without waiting and, unless links are followed, what the name itself stands for. */
export function openSource({ source }: Way, name: string, { follow }: EntrySettings): number {
  // Not blocking: what was a file when it was listed may be a FIFO by now.
  try {
    return places().open(source, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, follow);
  } catch (error) {
    throw Object.assign(error as Error, { ofSource: true });
  }
}

/** What an open source is. Throws where it is no file any more. */
export function openFacts(fd: number): Facts {
  const facts = places().statOpen(fd);
  if (facts.kind !== 'file')
    throw Object.assign(new SluiceError(`was a file, and now is ${describe[facts.kind]}`, { code: 'ERR_CHANGED' }), {
      ofSource: true,
    });
  return facts;
}

/** null if it turns out not to be small, or to change under our hands: `copyLarge` knows what to do then. */
function copySmall(way: Way, work: Work, settings: EntrySettings, buffer: Buffer): Done | null {
  const from = openSource(way, work.name, settings);
  try {
    const facts = openFacts(from);
    return isSmall(facts, settings) ? copyOpen(from, facts, way, work, settings, buffer) : null;
  } finally {
    places().closeFile(from);
  }
}

/** A small file, open as `from`, with these facts. null if it changes under our hands. */
export function copyOpen(
  from: number,
  facts: Facts,
  way: Way,
  work: Work,
  settings: EntrySettings,
  buffer: Buffer,
): Done | null {
  const { size } = facts;
  // One byte more than it should have: the answer shows the end of the file too.
  if (places().read(from, buffer, size + 1) !== size) return null;
  let temp: string | undefined = tempNameOf(work.name);
  let to = places().open(way.target, temp, O_WRONLY | O_CREAT | O_EXCL, 0o600);
  try {
    if (size > 0) places().write(to, buffer, size);
    if (!sameVersion(facts, places().statOpen(from))) return null;
    const lost = dress(to, from, facts, way, work, settings);
    if (settings.stage) places().startWriting(to);
    const fd = to;
    to = -1;
    places().closeFile(fd);
    const done = place(way, temp, work, { bytes: size, method: 'readinto', lost }, settings);
    temp = undefined;
    return done;
  } finally {
    if (to >= 0) places().closeFile(to);
    if (temp !== undefined) remove(way.target, temp);
  }
}

const sameVersion = (a: Facts, b: Facts): boolean =>
  a.size === b.size && a.seconds === b.seconds && a.nanoseconds === b.nanoseconds;

/** A new file gets the source's attributes where they are kept; one that replaces another, those of the other. */
function dress(
  fd: number,
  from: number,
  source: Facts,
  way: Way,
  { name, target }: Work,
  { keep }: EntrySettings,
): Loss[] {
  const existing = target?.kind === 'file' ? target : null;
  const replaced = existing && !(keep.mode && keep.xattrs) ? places().pathOf(way.target, name) : null;
  return dressOpen(fd, source, existing, { source: from, replaced }, way, keep);
}

/** The rename, which is the commit; or, without clobbering, a link, which fails where the name is taken. */
function place({ target }: Way, temp: string, work: Work, done: Done, settings: EntrySettings): Done {
  if (settings.stage) return { ...done, staged: temp };
  return commitEntry(target, temp, work, done, settings.noClobber);
}

/** Give a staged file its name. Throws with the destination as it was; the temp file is the caller's to remove. */
export function commitEntry(target: Place, temp: string, work: Work, done: Done, noClobber: boolean): Done {
  const name = work.as ?? work.name;
  if (!noClobber) {
    // An empty directory in its place: rename replaces those by directories only.
    if (work.target?.kind === 'directory') places().removeDirectory(target, name);
    places().rename(target, temp, target, name);
    return done;
  }
  try {
    places().link(target, temp, target, name);
    return done;
  } catch (error) {
    if (isSystemError(error, 'EEXIST')) return { ...done, bytes: 0, skipped: true };
    throw error;
  } finally {
    remove(target, temp);
  }
}

export function remove(at: Place, temp: string): void {
  try {
    places().unlink(at, temp);
  } catch {
    // It was not made, or is gone.
  }
}

/** What is made by one call, complete: under a temp name, so that it is dressed, and replaces what is there, in one step. */
function makeNamed(
  way: Way,
  work: Work,
  settings: EntrySettings,
  method: Done['method'],
  make: (temp: string) => void,
): Done {
  const { name, source } = work;
  const temp = tempNameOf(name);
  try {
    make(temp);
    const lost = dressNamed(way, name, temp, source, settings.keep);
    return place(way, temp, work, { bytes: 0, method, lost }, settings);
  } catch (error) {
    remove(way.target, temp);
    throw error;
  }
}

/** Content and kind are the same: attributes alone, in place. */
function setMetadata(way: Way, { name, source }: Work, { keep }: EntrySettings): Done {
  const lost = dressNamed(way, name, name, source, keep);
  return { bytes: 0, method: 'metadata', lost };
}

/** The source may have been no one thing while it was copied: once more is worth a try. */
class SourceChanged extends Error {}

/** A file of any size and kind of content, in slices; `onBytes` may throw to stop. */
export async function copyLarge(
  way: Way,
  work: Work,
  settings: EntrySettings,
  onBytes: (count: number) => void,
): Promise<Done> {
  for (let attempt = 1; ; attempt++) {
    const source = new FileIO(openSource(way, work.name, settings), 'r');
    try {
      return await copyOnce(way, work, settings, source, attempt === 1, onBytes);
    } catch (error) {
      if (!(error instanceof SourceChanged)) throw error;
      if (attempt === 2) throw new SluiceError(error.message, { code: 'ERR_SOURCE_CHANGED' });
    } finally {
      source.close();
    }
  }
}

async function copyOnce(
  way: Way,
  work: Work,
  settings: EntrySettings,
  source: FileIO,
  again: boolean,
  onBytes: (count: number) => void,
): Promise<Done> {
  const { name } = work;
  const { sparse, reflink, allowChanged } = settings;
  const before = openFacts(source.fileno());
  const temp = tempNameOf(name);
  const finished = whileUnfinished(() => remove(way.target, temp));
  let sink: FileIO | undefined;
  try {
    sink = new FileIO(places().open(way.target, temp, O_RDWR | O_CREAT | O_EXCL, 0o600), 'r+');
    const { bytes, method, change } = await copyContent(source, sink, { sparse, reflink, onBytes });
    const written = places().statOpen(sink.fileno()).size;
    if (written !== bytes) throw new SluiceError(`only ${written} of ${bytes} bytes were written`);
    let warning: string | undefined;
    if (change === 'grew') warning = `grew while it was copied; the ${bytes} bytes it had at first were copied`;
    else if (change && (again || !allowChanged)) throw new SourceChanged(`${change} while it was copied`);
    else if (change) warning = `${change} while it was copied`;
    const lost = dress(sink.fileno(), source.fileno(), before, way, work, settings);
    if (settings.stage) places().startWriting(sink.fileno());
    sink.close();
    const done = { bytes, method, lost, ...(warning !== undefined && { warning }) };
    return place(way, temp, work, done, settings);
  } catch (error) {
    sink?.close();
    remove(way.target, temp);
    throw error;
  } finally {
    finished();
  }
}
