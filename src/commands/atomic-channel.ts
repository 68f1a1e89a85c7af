// A FIFO, a device, a descriptor of our own: nothing there can be replaced, so what comes is written through.

import { constants, fstatSync, open } from 'node:fs';
import { promisify } from 'node:util';
import { failure, SluiceError } from '../io/failure.js';
import { FileIO } from '../io/file-io.js';
import { fsPath } from '../io/path.js';
import { copyInto } from '../io/pump.js';
import { StreamOutput } from '../io/stream-output.js';
import type { Target } from '../io/target.js';
import { teeSink } from './atomic-content.js';
import { Refused, sealRefusal } from './atomic-guards.js';
import { openInput } from './atomic-input.js';
import type { Placed, Run } from './atomic-run.js';

const openAsync = promisify(open);
const state = 'what was written until then stays written';

export async function writeThrough(run: Run, target: Target & { kind: 'channel' }): Promise<Placed> {
  const { options, context, facts, tee } = run;
  refuse(run);
  // Opening a FIFO waits for its reader: in the thread pool, so that signals are heard.
  const file =
    target.fd !== undefined
      ? new FileIO(target.fd, 'w', { closefd: false })
      : new FileIO(await openAsync(fsPath(target.path), constants.O_WRONLY), 'w');
  try {
    const output = new StreamOutput(file.fileno());
    const input = await openInput(options, 0);
    try {
      const hash = options.digests ? (await import('node:crypto')).createHash('sha256') : undefined;
      const onBytes = (chunk: Uint8Array) => {
        facts.bytes += chunk.length;
        hash?.update(chunk);
        context.progress({ bytes: facts.bytes, totalBytes: input.totalBytes, name: options.path });
      };
      await copyInto(input.source, tee ? teeSink(output, tee) : output, { onBytes, signal: input.failed });
      await output.finish();
      const ended = await input.finish();
      if (ended) facts.commandStatus = ended.status;
      if (hash) facts.sha256 = hash.digest('hex');
    } catch (error) {
      const ended = input.outcome();
      if (ended) facts.commandStatus = ended.status;
      throw sealRefusal(error, options.seal) ?? error;
    } finally {
      input.close();
    }
    facts.outcome = 'replaced';
    const stat = fstatSync(file.fileno());
    if (options.durable !== 'none' && (stat.isFile() || stat.isBlockDevice())) {
      await (await import('../io/durability.js')).fsyncFile(file.fileno());
      facts.durability = 'durable';
    }
    return { unconfirmed: false };
  } catch (error) {
    throw failure(error, { path: options.path, state });
  } finally {
    file.close();
  }
}

/** What is promised of files and cannot be kept here. */
function refuse({ options }: Run): void {
  const { noClobber, ifMatch, checks, edit, seal, backup, inPlace } = options;
  if (noClobber || ifMatch === 'none') throw new Refused('it exists');
  const impossible = [
    edit && '--edit',
    checks.length > 0 && '--check',
    seal !== undefined && '--seal',
    ifMatch !== undefined && '--if-match',
    backup !== undefined && '--backup',
    inPlace && '--in-place',
  ].filter(Boolean);
  if (impossible.length > 0)
    throw new SluiceError(`is no regular file, and is written through: ${impossible.join(', ')} cannot be kept there`, {
      path: options.path,
      state: 'nothing was written',
    });
}
