// What lies in a log's older files: the lines that its newest file has too few of, and those that have come since a checkpoint.

import { fstatSync } from 'node:fs';
import { isIn, isInOlder, isOf, type Place } from './checkpoint.js';
import { startOfLastLines } from './last-lines.js';
import type { LineEnds } from './line-ends.js';
import { type OpenFile, readAt, sizeOf } from './operand.js';
import { lastLines } from './ring.js';
import { contentOf, type OlderFile } from './rotations.js';

/** A part of an older file to print, from byte `from` of its text on. */
export interface Part {
  file: OlderFile;
  from: number;
}

/** The parts of `older` (newest first) that, with all of `file`, are the last `count` lines; in the order of printing. `fail` is told of one that cannot be read. */
export async function lastLinesAcross(
  file: OpenFile,
  older: OlderFile[],
  count: number,
  ends: LineEnds,
  fail: (error: Error, path: string) => void,
): Promise<Part[]> {
  const parts: Part[] = [];
  const reader = (fd: number) => (view: Uint8Array, at: number) => readAt(fd, view, at);
  let { missing } = startOfLastLines(reader(file.fd), file.start, sizeOf(file), count, ends);
  for (const each of older) {
    if (missing === 0) break;
    let from: number;
    try {
      if (each.compressed) ({ from, missing } = await compressedStart(each, missing, ends));
      else ({ offset: from, missing } = startOfLastLines(reader(each.fd), 0, fstatSync(each.fd).size, missing, ends));
    } catch (error) {
      // Damaged: what is older would not join on to what is newer.
      if (!(error instanceof Error)) throw error;
      fail(error, each.name);
      break;
    }
    parts.unshift({ file: each, from });
  }
  return parts;
}

async function compressedStart(
  file: OlderFile,
  count: number,
  ends: LineEnds,
): Promise<{ from: number; missing: number }> {
  const ring = lastLines(count, ends);
  for await (const chunk of contentOf(file)) {
    for (let at = 0; at < chunk.length; ) {
      const room = ring.room();
      const size = Math.min(room.length, chunk.length - at);
      room.set(chunk.subarray(at, at + size));
      ring.added(size);
      at += size;
    }
  }
  ring.rest();
  return { from: ring.offset, missing: ring.missing };
}

export interface Resumption {
  /** In the order of printing. */
  parts: Part[];
  /** Where to go on in the file that has the name now. */
  position: number;
  /** Why there may be a gap; undefined: there is none. */
  gap?: string;
}

/**
 * Where to go on after `place`: in the file that has the name now, or in an older one (`older`, newest first) and then through
 * all that are newer. Where it is found nowhere, everything that has changed since is printed: rather twice than not.
 */
export async function resume(place: Place, file: OpenFile | undefined, older: OlderFile[]): Promise<Resumption> {
  const after = (index: number): Resumption => ({
    parts: older
      .slice(0, index + 1)
      .reverse()
      .map((each, i) => ({ file: each, from: i === 0 ? place.offset : 0 })),
    position: 0,
  });
  // The same file by its inode and by its content, under any name.
  if (file && isOf(place, file.stat) && isIn(place, file.fd)) return { parts: [], position: place.offset };
  for (const [i, each] of older.entries())
    if (isOf(place, each.stat) && (await isInOlder(place, each))) return after(i);
  if (place.offset > 0) {
    // A copy of it, compressed perhaps. Of several that look alike the oldest, so that there is no gap.
    for (let i = older.length - 1; i >= 0; i--) if (await isInOlder(place, older[i]!)) return after(i);
    if (file && isIn(place, file.fd)) return { parts: [], position: place.offset };
  }
  const since = older.filter(({ stat }) => Number(stat.mtimeMs) >= place.at).reverse();
  return {
    parts: since.map((each) => ({ file: each, from: 0 })),
    position: 0,
    gap: `byte ${place.offset}, where the last run ended, is in no file any more`,
  };
}
