// How far each file has been printed, kept in a small JSON file that is replaced atomically: old or new, never half.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { AtomicFile } from '../io/atomic-file.js';
import { failure, isSystemError, SluiceError } from '../io/failure.js';
import { encodePath, fsPath } from '../io/path.js';
import { resolveFile } from '../io/target.js';
import { readAt } from './operand.js';
import { contentOf, type OlderFile } from './rotations.js';

/** A place in a file, and what the file is known by: its inode and when that was made, its first bytes, and those before the place. */
export interface Place {
  dev: string;
  ino: string;
  /** In nanoseconds since 1970: an inode's number is soon another file's. Zero where the filesystem does not keep it. */
  birth?: string;
  offset: number;
  /** SHA-256 of the first `headLength` bytes, and of the `windowLength` bytes before `offset`. */
  headLength: number;
  head: string;
  windowLength: number;
  window: string;
  /** When this was printed, in milliseconds since 1970. */
  at: number;
}

const headLength = 256;
const windowLength = 1024;

export interface Inode {
  dev: bigint;
  ino: bigint;
  birthtimeNs: bigint;
}

const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** The place `offset` of the open file `fd`, by what its bytes are now. */
export function placeOf(fd: number, inode: Inode, offset: number): Place {
  const head = Buffer.alloc(Math.min(headLength, offset));
  const window = Buffer.alloc(Math.min(windowLength, offset));
  return placeBy(inode, offset, {
    head: head.subarray(0, readAt(fd, head, 0)),
    window: window.subarray(0, readAt(fd, window, offset - window.length)),
  });
}

const placeBy = ({ dev, ino, birthtimeNs }: Inode, offset: number, { head, window }: Marks): Place => ({
  dev: String(dev),
  ino: String(ino),
  birth: String(birthtimeNs),
  offset,
  headLength: Math.min(headLength, offset),
  head: digest(head),
  windowLength: Math.min(windowLength, offset),
  window: digest(window),
  at: Date.now(),
});

/** Was `place` in this very inode? */
export function isOf({ dev, ino, birth }: Place, inode: Inode): boolean {
  return (
    dev === String(inode.dev) &&
    ino === String(inode.ino) &&
    (birth === undefined || birth === String(inode.birthtimeNs))
  );
}

/** Is `place` in this file: the same bytes at its beginning and before the place? */
export function isIn(place: Place, fd: number): boolean {
  const same = (length: number, from: number, expected: string) => {
    const bytes = Buffer.alloc(length);
    return readAt(fd, bytes, from) === length && digest(bytes) === expected;
  };
  return (
    same(place.headLength, 0, place.head) && same(place.windowLength, place.offset - place.windowLength, place.window)
  );
}

/** The same for an older file, compressed or not. A place at offset 0 is known by the inode alone. */
export async function isInOlder(place: Place, file: OlderFile): Promise<boolean> {
  if (place.offset === 0) return isOf(place, file.stat);
  if (!file.compressed) return isIn(place, file.fd);
  const marks = await marksOf(file, place);
  return marks !== undefined && digest(marks.head) === place.head && digest(marks.window) === place.window;
}

/** The place `offset` of an older file's text, which is not at its beginning. Undefined: it cannot be read. */
export async function placeInOlder(file: OlderFile, offset: number): Promise<Place | undefined> {
  if (!file.compressed) return placeOf(file.fd, file.stat, offset);
  const lengths = { headLength: Math.min(headLength, offset), windowLength: Math.min(windowLength, offset) };
  const marks = await marksOf(file, { offset, ...lengths });
  return marks && placeBy(file.stat, offset, marks);
}

interface Marks {
  head: Buffer;
  window: Buffer;
}

/** The first bytes of a compressed file's text, and those before `offset`. Undefined: it has no such place. */
async function marksOf(
  file: OlderFile,
  { offset, headLength, windowLength }: Pick<Place, 'offset' | 'headLength' | 'windowLength'>,
): Promise<Marks | undefined> {
  let head = Buffer.alloc(0);
  let window = Buffer.alloc(0);
  let at = 0;
  try {
    for await (const chunk of contentOf(file)) {
      if (head.length < headLength) head = Buffer.concat([head, chunk]).subarray(0, headLength);
      const used = chunk.subarray(0, offset - at);
      window = Buffer.concat([window, used]).subarray(-windowLength);
      at += used.length;
      if (at === offset) return { head, window };
    }
  } catch (error) {
    // Damaged, or still being written: it is not there, as far as anybody can tell.
    if (!(error instanceof Error)) throw error;
  }
  return undefined;
}

export class Checkpoint {
  readonly #path: string;
  readonly #places: Map<string, Place>;
  #written = '';

  /** Reads what is there. Throws where it is no checkpoint: overwriting somebody's file would be worse than stopping. */
  constructor(path: string) {
    this.#path = path;
    this.#places = new Map(Object.entries(read(path)));
  }

  place(name: string): Place | undefined {
    return this.#places.get(key(name));
  }

  set(name: string, place: Place): void {
    this.#places.set(key(name), place);
  }

  /** Replaces the file, if there is something new to say. */
  save(): void {
    const text = `${JSON.stringify({ version: 1, files: Object.fromEntries(this.#places) })}\n`;
    const compared = text.replace(/"at":\d+/g, '');
    if (compared === this.#written) return;
    const file = new AtomicFile(resolveFile(this.#path, 'it was left as it was'));
    try {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; ) at += file.file.write(bytes.subarray(at)) ?? 0;
      file.commitSync();
    } catch (error) {
      file.discard();
      throw error;
    }
    this.#written = compared;
  }
}

/** Names can be any bytes, JSON keys cannot. */
const key = (name: string): string => (name.isWellFormed() ? name : `base64:${encodePath(name).toString('base64')}`);

function read(path: string): Record<string, Place> {
  let text: string;
  try {
    text = readFileSync(fsPath(path), 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return {};
    throw failure(error, { path });
  }
  if (text === '') return {};
  try {
    const { version, files } = JSON.parse(text) as { version?: unknown; files?: Record<string, Place> };
    if (version === 1 && typeof files === 'object' && files !== null) return files;
  } catch {
    // It says so below.
  }
  throw new SluiceError('not a checkpoint of this version', { path, state: 'left as it was' });
}
