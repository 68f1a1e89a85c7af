// One source into a stream: written through, nothing is replaced.

import { constants, fstatSync, open, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { downstream } from '../io/downstream.js';
import { SluiceError } from '../io/failure.js';
import { FileIO } from '../io/file-io.js';
import { fsPath } from '../io/path.js';
import type { CopyOptions, Job, Run } from './copy.js';
import { content, digest, verify } from './copy-content.js';
import { checkSource, openSource } from './copy-source.js';
import { blamed, finished } from './copy-told.js';

/** stdout, a FIFO, a device, a descriptor: written through, nothing is replaced. */
export async function copyStream(job: Job, run: Run): Promise<void> {
  const { options } = run;
  const name = job.destination === '-' ? 'standard output' : job.destination;
  try {
    const from = await openSource(job);
    try {
      const into = await openChannel(job.destination, options.verify);
      // Our own stdout: a FIFO by name may get another reader yet.
      const reader = into.closefd ? undefined : downstream(into.fileno());
      try {
        promise(into, options, name);
        const hash = await digest(options);
        const plain = { ...options, reflink: 'never', sparse: 'never' } as const;
        const result = await content(from, into, plain, hash, run, 0, reader?.signal);
        const type = fstatSync(into.fileno());
        if (options.durable !== 'none' && (type.isFile() || type.isBlockDevice()))
          await (await import('../io/durability.js')).fsyncFile(into.fileno());
        const sum = hash?.digest('hex');
        if (options.verify) {
          await (await import('../io/durability.js')).fsyncFile(into.fileno());
          await verify(into, result.bytes, sum!, options, name, run.context);
        }
        finished(job, result, sum, run);
        checkSource(result, job, run, false);
      } finally {
        reader?.close();
        into.close();
      }
    } finally {
      from.close();
    }
  } catch (error) {
    throw blamed(error, job, name, 'what was written until then stays written');
  }
}

/** Throws where what was asked for cannot be had of this destination, before anything is written to it. */
function promise(into: FileIO, { verify, durable }: CopyOptions, path: string): void {
  const type = fstatSync(into.fileno());
  const state = 'nothing was written';
  if (verify && !(into.closefd && type.isBlockDevice()))
    throw new SluiceError('cannot be read back, as --verify asks', { code: 'ERR_VERIFY', path, state });
  if (durable === 'strict' && !type.isBlockDevice())
    throw new SluiceError('durability cannot be promised: it is written through, to wherever it leads', {
      path,
      state,
    });
}

async function openChannel(destination: string, readable: boolean): Promise<FileIO> {
  const own =
    destination === '-' || destination === '/dev/stdout'
      ? 1
      : destination === '/dev/stderr'
        ? 2
        : Number(/\/fd\/(\d+)$/.exec(destination)?.[1] ?? -1);
  if (own >= 0) return new FileIO(own, 'w', { closefd: false });
  // Opening a FIFO waits for its reader: in the thread pool, so that signals are heard.
  const mode = readable && statSync(fsPath(destination)).isBlockDevice() ? ('r+' as const) : ('w' as const);
  const flags = mode === 'r+' ? constants.O_RDWR : constants.O_WRONLY;
  return new FileIO(await promisify(open)(fsPath(destination), flags), mode);
}
