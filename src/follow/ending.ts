// The part of a file that tail prints at first: its last lines or bytes, or everything from a place on.

import { setImmediate as turn } from 'node:timers/promises';
import { type Native, native } from '../io/native.js';
import { copyInto } from '../io/pump.js';
import type { Source } from '../io/raw.js';
import { enlargePipe } from '../io/splicing.js';
import { startOfLastLines } from './last-lines.js';
import { headLength, type LineEnds } from './line-ends.js';
import { type OpenFile, readAt, sizeOf, sourceFrom, streamOf } from './operand.js';
import { paced, type Room } from './paced.js';
import { lastBytes, lastLines, type Ring } from './ring.js';
import { skipBytes, skipLines, WholeUnits } from './skip.js';

/** `fromStart`: `count` is what to leave out at the beginning; else it's what to print of the end. */
export interface Selection {
  unit: 'lines' | 'bytes';
  fromStart: boolean;
  count: number;
  ends: LineEnds;
}

/** Takes bytes of a file in order; `offset` is where in the file (or stream) they lie. Done with their memory on return. */
export type Take = (bytes: Uint8Array, offset: number) => void;

/**
 * Up to this size a file is read from its beginning, like a stream: the sizes of `/proc` and `/sys` are made up, and one pass over
 * a small file costs no more than a search.
 */
const small = 64 * 1024;

export interface EndingHooks {
  /** A stream has nothing more at the moment. */
  idle?: () => void;
  /** Gets the file's first bytes before anything is taken, and says what ends its lines. A stream is asked for `headNeeded` of them. */
  begin?: (head: Uint8Array) => LineEnds;
  headNeeded?: number;
  /** A stream that closing it ends the wait for. */
  opened?: (stream: { close(): void }) => void;
  /** Where `take` puts it: while that is full, nothing more is taken. */
  room?: Room;
}

const everRoom: Room = { full: false, ready: () => Promise.resolve() };

/** Where what is read goes. */
interface Out {
  take: Take;
  room: Room;
}

/** Gives the offset of the first byte that was not read. Throws the system's error for a failed read, and what `take` throws. */
export async function printEnding(
  file: OpenFile,
  selection: Selection,
  take: Take,
  { idle, begin, headNeeded = headLength, opened, room = everRoom }: EndingHooks = {},
): Promise<number> {
  const { fd, start } = file;
  const out = { take, room };
  if (!file.seekable) {
    const stream = await streamOf(file, opened);
    let source = hurried(file, {
      readInto: (view) => stream.readInto(view),
      ready: () => {
        idle?.();
        return stream.ready?.() ?? Promise.resolve();
      },
    });
    try {
      if (begin) {
        const peeked = await peek(source, headNeeded);
        source = peeked.source;
        selection = { ...selection, ends: begin(peeked.head) };
      }
      return await printStream(source, 0, selection, out);
    } finally {
      stream.close();
    }
  }
  if (begin) {
    const head = Buffer.alloc(headLength);
    selection = { ...selection, ends: begin(head.subarray(0, readAt(fd, head, 0))) };
  }
  const end = sizeOf(file);
  if (fd !== 0) {
    if (end - start <= small) {
      const reached = await printStream(sourceFrom(fd, start), start, selection, out);
      // What is asked for may begin beyond the end, where it will be one day.
      return selection.fromStart && selection.unit === 'bytes' ? Math.max(reached, start + selection.count) : reached;
    }
    return printRange(file, end, selection, out);
  }
  // The descriptor's place is shared with the programs before and after us in a script: it must be at the end afterwards.
  const seek = end - start > small ? native()?.copying.seek : undefined;
  if (!seek) {
    const stream = await streamOf(file, opened);
    return printStream(stream, start, selection, out);
  }
  const reached = await printRange(file, end, selection, out);
  seek(fd, reached, 0);
  return reached;
}

/** A file with a size: only what is printed is read, but for the search. */
async function printRange(file: OpenFile, end: number, selection: Selection, out: Out): Promise<number> {
  const { fd, start } = file;
  const { unit, fromStart, count, ends } = selection;
  if (fromStart) {
    if (unit === 'lines') return printStream(sourceFrom(fd, start), start, selection, out);
    const from = start + count;
    return from + (await pump(fd, from, Number.POSITIVE_INFINITY, out));
  }
  const from =
    unit === 'bytes'
      ? Math.max(start, end - count)
      : startOfLastLines((view, at) => readAt(fd, view, at), start, end, count, ends).offset;
  return from + (await pump(fd, from, end - from, out));
}

function pump(fd: number, from: number, limit: number, out: Out): Promise<number> {
  return moveInto(sourceFrom(fd, from), from, out, limit);
}

function moveInto(
  source: Source,
  offset: number,
  { take, room }: Out,
  limit = Number.POSITIVE_INFINITY,
): Promise<number> {
  const write = (view: Uint8Array) => {
    take(view, offset);
    offset += view.length;
    return view.length;
  };
  return copyInto(paced(source, room), { write: write as (view: unknown) => number }, { limit });
}

/** From where the source is, at byte `offset`, to its end. */
async function printStream(source: Source, offset: number, selection: Selection, out: Out): Promise<number> {
  const { unit, fromStart, count, ends } = selection;
  const { take, room } = out;
  if (fromStart) {
    const skip = unit === 'lines' ? skipLines(count, ends, offset) : skipBytes(count);
    const units = new WholeUnits(unit === 'lines' && count > 0 ? ends.width : 1, offset);
    let at = offset;
    const pass = (chunk: Uint8Array) => {
      at += chunk.length;
      const rest = skip(chunk);
      if (rest) take(rest, at - rest.length);
    };
    const moved = await moveInto(source, offset, { take: (bytes) => pass(units.of(bytes)), room });
    pass(units.rest);
    return offset + moved;
  }
  const ring = unit === 'lines' ? lastLines(count, ends) : lastBytes(count);
  const total = await fill(ring, source);
  const rest = ring.rest();
  let at = offset + ring.offset;
  for (const chunk of rest) {
    take(chunk, at);
    at += chunk.length;
    if (room.full) await room.ready();
  }
  return offset + total;
}

async function fill(ring: Ring, source: Source): Promise<number> {
  let total = 0;
  for (let sliceEnd = performance.now() + 20; ; ) {
    const count = source.readInto(ring.room());
    if (count === 0) return total;
    if (count === null) await source.ready?.();
    else {
      total += count;
      ring.added(count);
      if (performance.now() < sliceEnd) continue;
      await turn();
    }
    sliceEnd = performance.now() + 20;
  }
}

/** Bytes after which a pipe is worth native calls: loading them takes as long as moving these. */
const much = 4 * 1024 * 1024;
/** Milliseconds for which the event loop can do without us. */
const briefly = 10;

/** A pipe that carries much: it is made to hold more, and short waits are waited out, since a turn of the event loop costs more. */
function hurried({ fd, stat }: OpenFile, source: Source): Source {
  if (!stat.isFIFO()) return source;
  let total = 0;
  let calls: Native | null = null;
  return {
    readInto(view) {
      let count = source.readInto(view);
      if (count === null && calls?.polling.waitBriefly(fd, 'read', briefly)) count = source.readInto(view);
      if (count === null) return null;
      const before = total;
      total += count;
      if (before < much && total >= much) {
        calls = native();
        if (calls) enlargePipe(calls, fd);
      }
      return count;
    },
    ready: () => source.ready?.() ?? Promise.resolve(),
  };
}

/** The first `length` bytes of a stream, and the stream with them still in it. */
async function peek(source: Source, length: number): Promise<{ head: Uint8Array; source: Source }> {
  const head = Buffer.alloc(length);
  let got = 0;
  while (got < head.length) {
    const count = source.readInto(head.subarray(got));
    if (count === 0) break;
    if (count === null) await source.ready?.();
    else got += count;
  }
  let given = 0;
  const whole: Source = {
    readInto(view) {
      if (given === got) return source.readInto(view);
      const count = head.copy(view, 0, given, got);
      given += count;
      return count;
    },
    ready: () => source.ready?.() ?? Promise.resolve(),
  };
  return { head: head.subarray(0, got), source: whole };
}
