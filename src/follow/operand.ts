// What is named on the command line, opened for reading without ever blocking the event loop.

import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSystemError } from '../io/failure.js';
import { FileIO } from '../io/file-io.js';
import { fsPath } from '../io/path.js';
import type { Source } from '../io/raw.js';
import { canBlock, streamInput } from '../io/stream-input.js';

/** A name on the command line. */
export interface Operand {
  readonly name: string;
  readonly isStdin: boolean;
  /** As GNU's tail shows it. */
  readonly label: string;
}

export function operand(name: string): Operand {
  const isStdin = name === '-';
  return { name, isStdin, label: isStdin ? 'standard input' : name };
}

/** An open file. `seekable`: bytes can be read from any place (regular files, disks). */
export interface OpenFile {
  readonly fd: number;
  readonly stat: BigIntStats;
  readonly seekable: boolean;
  /** The place where reading starts: that of a descriptor handed in, else 0. */
  readonly start: number;
  close(): void;
}

/** Opens; a FIFO without waiting for a writer (`streamOf` waits). Throws the system's error. */
export function openOperand({ name, isStdin }: Operand): OpenFile {
  const { O_RDONLY, O_NONBLOCK = 0, O_NOCTTY = 0 } = constants;
  // Without O_NONBLOCK this would wait for a FIFO's writer, and signals and time limits with it.
  const fd = isStdin ? 0 : openSync(fsPath(name), O_RDONLY | O_NONBLOCK | O_NOCTTY);
  try {
    return openFile(fd, isStdin);
  } catch (error) {
    if (!isStdin) closeSync(fd);
    throw error;
  }
}

function openFile(fd: number, isStdin: boolean): OpenFile {
  const stat = fstatSync(fd, { bigint: true });
  const seekable = stat.isFile() || stat.isBlockDevice();
  return {
    fd,
    stat,
    seekable,
    start: isStdin && seekable ? new FileIO(fd, 'r', { closefd: false }).tell() : 0,
    close: () => {
      if (!isStdin) closeSync(fd);
    },
  };
}

/** Bytes now in a seekable file. */
export function sizeOf({ fd, stat }: OpenFile): number {
  return stat.isFile() ? fstatSync(fd).size : new FileIO(fd, 'r', { closefd: false }).seek(0, 2);
}

/** pread(2) as often as it takes to fill `view`; fewer bytes only at the end of the file. */
export function readAt(fd: number, view: Uint8Array, at: number): number {
  let got = 0;
  while (got < view.length) {
    const count = readOnce(fd, view, got, at + got);
    if (count === 0) break;
    got += count;
  }
  return got;
}

function readOnce(fd: number, view: Uint8Array, start: number, position: number | null): number {
  for (;;) {
    try {
      return readSync(fd, view, start, view.length - start, position);
    } catch (error) {
      if (!isSystemError(error, 'EINTR')) throw error;
    }
  }
}

/** The file from `at` on, to whatever is its end then. */
export function sourceFrom(fd: number, at: number): Source {
  return {
    readInto(view) {
      const count = readOnce(fd, view, 0, at);
      at += count;
      return count;
    },
  };
}

/** Everything that can be read from here on, one after the other. Close it, then the file. `opened` gets it before anything is waited for. */
export async function streamOf(
  { fd, stat }: OpenFile,
  opened: (stream: { close(): void }) => void = () => {},
): Promise<Source & { close(): void }> {
  if (!canBlock(fd)) {
    return { readInto: (view) => readOnce(fd, view, 0, null), ready: () => sleep(10), close: () => {} };
  }
  const input = streamInput(fd);
  opened(input);
  // A FIFO that nobody has opened for writing yet looks ended: wait for its first writer, or its bytes.
  if (stat.isFIFO() && fd !== 0) await input.ready();
  return input;
}
