// What `sluice bench` measures, each with the code that the other commands move bytes with. Every one is given a buffer size and
// gives milliseconds for the whole of its bytes; what it makes on the way is gone when it returns.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { closeSync, constants, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fsyncFile } from '../io/durability.js';
import { isSystemError, SluiceError } from '../io/failure.js';
import { FileIO } from '../io/file-io.js';
import { native, nativeReason } from '../io/native.js';
import { fsPath } from '../io/path.js';
import { copyInto } from '../io/pump.js';
import type { Sink, Source } from '../io/raw.js';

export type OperationName = 'read' | 'read-cold' | 'write' | 'fsync' | 'copy' | 'pipe';

export interface Operation {
  name: OperationName;
  /** What it is, for people. */
  title: string;
  run(bufferSize: number): Promise<number>;
}

interface Plan {
  operations: Operation[];
  /** What could not be measured, and why. */
  omitted: { name: OperationName; reason: string }[];
  close(): void;
}

/** Bytes that no file system can make less of: the first fill of the pump's buffer, which is then written again and again. */
function noise(total: number): Source {
  let left = total;
  let filled: ArrayBufferLike | undefined;
  return {
    readInto(view) {
      if (filled !== view.buffer) {
        view.set(random.subarray(0, view.length));
        filled = view.buffer;
      }
      const count = Math.min(view.length, left);
      left -= count;
      return count;
    },
  };
}
const random = randomFillSync(Buffer.allocUnsafeSlow(4 * 2 ** 20));

const nowhere: Sink = { write: (view) => (view as Uint8Array).length };

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** The operations that can be measured in `directory`, on files of `size` bytes. */
export async function operationsIn(directory: string, size: number): Promise<Plan> {
  const calls = native();
  const sourcePath = join(directory, 'source');
  const source = new FileIO(sourcePath, 'w+');
  await copyInto(noise(size), source);
  await fsyncFile(source.fileno());

  let count = 0;
  /** A fresh file each time: a rewritten one is another matter for most file systems. */
  async function intoFile(work: (file: FileIO) => Promise<unknown>): Promise<number> {
    const path = join(directory, `file-${count++}`);
    const file = new FileIO(path, 'x');
    try {
      return await timed(() => work(file));
    } finally {
      file.close();
      rmSync(fsPath(path));
    }
  }
  const read = (bufferSize: number) => {
    source.seek(0);
    return timed(() => copyInto(source, nowhere, { bufferSize }));
  };
  const operations: Operation[] = [
    { name: 'read', title: 'read, from the page cache', run: read },
    {
      name: 'write',
      title: 'write, into the page cache',
      run: (bufferSize) => intoFile((file) => copyInto(noise(size), file, { bufferSize })),
    },
    {
      name: 'copy',
      title: 'copy, from and into the page cache',
      run: (bufferSize) => {
        source.seek(0);
        return intoFile((file) => copyInto(source, file, { bufferSize }));
      },
    },
    {
      name: 'fsync',
      title: 'write and fsync, onto storage',
      run: (bufferSize) =>
        intoFile(async (file) => {
          await copyInto(noise(size), file, { bufferSize });
          await fsyncFile(file.fileno());
        }),
    },
  ];
  const omitted: Plan['omitted'] = [];

  const uncache = () => calls!.copying.advise(source.fileno(), 0, 0, 'dontneed');
  const why = calls ? staysCached(source.fileno(), uncache) : nativeReason()!;
  if (why === undefined)
    operations.splice(1, 0, {
      name: 'read-cold',
      title: 'read, from storage',
      run: (bufferSize) => {
        uncache();
        return read(bufferSize);
      },
    });
  else omitted.push({ name: 'read-cold', reason: why });

  const open = pipeOpener(directory);
  if (typeof open === 'string') omitted.push({ name: 'pipe', reason: open });
  else
    operations.push({
      name: 'pipe',
      title: 'write into a pipe, to cat',
      run: async (bufferSize) => {
        const pipe = await open();
        try {
          // The reader is under way before the clock starts.
          await copyInto(noise(65536), pipe.sink);
          return await timed(() => copyInto(noise(size), pipe.sink, { bufferSize }));
        } finally {
          await pipe.close();
        }
      },
    });
  return { operations, omitted, close: () => source.close() };

  function staysCached(fd: number, drop: () => void): string | undefined {
    drop();
    const left = calls!.pageCache.of(fd);
    if (left && left.cached * left.pageSize > size / 10) return 'this file system keeps its files in memory';
    return undefined;
  }
}

interface Pipe {
  sink: FileIO;
  close(): Promise<void>;
}

/** How to have a pipe with a reader; or why that can't be. */
function pipeOpener(directory: string): (() => Promise<Pipe>) | string {
  if (process.platform === 'win32') return 'there are no pipes of this kind on Windows';
  const calls = native();
  if (calls)
    return async () => {
      const { read, write } = calls.pipes.create();
      const cat = spawn('cat', [], { stdio: [read, 'ignore', 'ignore'] });
      closeSync(read);
      return ready(cat, write);
    };
  const path = join(directory, 'fifo');
  try {
    execFileSync('mkfifo', ['-m', '600', path], { stdio: 'ignore' });
  } catch {
    return 'a pipe cannot be had: no native calls, and no mkfifo';
  }
  return async () => {
    const cat = spawn('cat', [path], { stdio: ['ignore', 'ignore', 'ignore'] });
    return ready(cat, await whenRead(path));
  };
}

async function ready(cat: ChildProcess, write: number): Promise<Pipe> {
  const gone = new Promise<void>((resolve) => {
    cat.on('exit', () => resolve());
    cat.on('error', () => resolve());
  });
  const sink = new FileIO(write, 'w');
  return {
    sink,
    async close() {
      sink.close();
      await gone;
    },
  };
}

/** Opens a FIFO for writing once somebody reads from it: waiting in open(2) would be for ever if nobody came. */
async function whenRead(path: string): Promise<number> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    try {
      const probe = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
      try {
        return openSync(path, constants.O_WRONLY);
      } finally {
        closeSync(probe);
      }
    } catch (error) {
      if (!isSystemError(error, 'ENXIO')) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  throw new SluiceError('nobody reads from the pipe: is there no cat?', { path });
}
