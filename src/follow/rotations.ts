// A log's older files beside it: NAME.1, NAME.2.gz, …, as bytes, from the newest to the oldest.

import { type BigIntStats, closeSync, fstatSync, openSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import { failure, isSystemError } from '../io/failure.js';
import { decodePath, fsPath } from '../io/path.js';
import { readAt } from './operand.js';

export interface OlderFile {
  readonly name: string;
  readonly fd: number;
  readonly compressed: boolean;
  readonly stat: BigIntStats;
}

const chunkSize = 256 * 1024;
/** A rotation is over long before so many looks. */
const tries = 10;

/**
 * Opens `name`'s older files, newest first. They are held open, since a rotation may rename them at any moment; opened
 * in this order, one that is renamed meanwhile is seen twice rather than not at all, and is left out the second time.
 * The oldest may get a name that there was not before: then once more. Ends after the one that is `enough`.
 */
export function openOlder(
  name: string,
  current: { dev: bigint; ino: bigint } | undefined,
  enough: (file: OlderFile) => boolean = () => false,
): OlderFile[] {
  for (let left = tries; ; left--) {
    const listed = listOlder(name);
    const files = openAll(listed, current, enough);
    const oldest = listOlder(name).at(-1)?.path;
    if (left === 0 || oldest === undefined || listed.some(({ path }) => path === oldest)) return files;
    closeOlder(files);
  }
}

function openAll(
  listed: { path: string; compressed: boolean }[],
  current: { dev: bigint; ino: bigint } | undefined,
  enough: (file: OlderFile) => boolean,
): OlderFile[] {
  const seen = new Set(current ? [`${current.dev} ${current.ino}`] : []);
  const files: OlderFile[] = [];
  for (const { path, compressed } of listed) {
    let fd: number;
    try {
      fd = openSync(fsPath(path), 'r');
    } catch (error) {
      if (isSystemError(error, 'ENOENT', 'EACCES')) continue; // Gone since it was listed, or not ours to read.
      closeOlder(files);
      throw failure(error, { path });
    }
    const stat = fstatSync(fd, { bigint: true });
    const key = `${stat.dev} ${stat.ino}`;
    if (!stat.isFile() || seen.has(key)) {
      closeSync(fd);
      continue;
    }
    seen.add(key);
    const file = { name: path, fd, compressed, stat };
    files.push(file);
    if (enough(file)) break;
  }
  return files;
}

function listOlder(name: string): { path: string; compressed: boolean }[] {
  const directory = dirname(name);
  const prefix = `${basename(name)}.`;
  const byNumber = new Map<number, { path: string; compressed: boolean }>();
  let entries: Buffer[];
  try {
    entries = readdirSync(fsPath(directory), { encoding: 'buffer' });
  } catch {
    return [];
  }
  for (const entry of entries.map(decodePath)) {
    if (!entry.startsWith(prefix)) continue;
    const match = /^(\d+)(\.gz)?$/.exec(entry.slice(prefix.length));
    if (!match) continue;
    const number = Number(match[1]);
    const compressed = match[2] !== undefined;
    // While one is being compressed, both are there, and the plain one is whole.
    if (compressed && byNumber.get(number)?.compressed === false) continue;
    byNumber.set(number, { path: join(directory, entry), compressed });
  }
  return [...byNumber].sort(([a], [b]) => a - b).map(([, file]) => file);
}

export function closeOlder(files: OlderFile[]): void {
  for (const { fd } of files) closeSync(fd);
}

/** Its content from byte `from` of the uncompressed text on. Memory: one chunk. Whoever has enough may stop: it stays open. */
export async function* contentOf({ fd, compressed }: OlderFile, from = 0): AsyncGenerator<Buffer> {
  if (!compressed) {
    yield* bytesOf(fd, from);
    return;
  }
  const text = createGunzip({ chunkSize });
  const raw = Readable.from(bytesOf(fd, 0));
  raw.on('error', (error) => text.destroy(error));
  let skip = from;
  for await (const chunk of raw.pipe(text) as AsyncIterable<Buffer>) {
    if (skip >= chunk.length) skip -= chunk.length;
    else {
      yield chunk.subarray(skip);
      skip = 0;
    }
  }
}

async function* bytesOf(fd: number, from: number): AsyncGenerator<Buffer> {
  for (let at = from; ; ) {
    const chunk = Buffer.allocUnsafe(chunkSize);
    const got = readAt(fd, chunk, at);
    if (got === 0) return;
    at += got;
    yield chunk.subarray(0, got);
    await turn(); // Signals and the clock are heard.
  }
}
