// The new content, into a temp file: where that lies, and all of the input into it.

import { fstatSync } from 'node:fs';
import { AtomicFile } from '../io/atomic-file.js';
import type { Ended } from '../io/child-output.js';
import { failure, SluiceError } from '../io/failure.js';
import { copyInto } from '../io/pump.js';
import type { Sink } from '../io/raw.js';
import type { StreamOutput } from '../io/stream-output.js';
import { canOnlyOverwrite } from '../io/target.js';
import type { Version } from '../io/version.js';
import { Changed, changed, insistCurrent } from './atomic-compare.js';
import { sealRefusal } from './atomic-guards.js';
import type { Input } from './atomic-input.js';
import { type Facts, type Run, statOf, untouched } from './atomic-run.js';

/** The temp file. `compared` is what must still be there when it replaces it. */
export async function newFile(run: Run, compared: Version | null, mustBeNew = false): Promise<AtomicFile> {
  const { durable, backup, ifMatch, noClobber, inPlace } = run.options;
  run.compared = compared;
  run.overwrites = inPlace && statOf(run.path) !== null;
  if (run.overwrites) return (await import('./atomic-in-place.js')).newSidecar(run);
  try {
    return new AtomicFile(run.path, {
      durable,
      backup,
      noClobber: noClobber || ifMatch === 'none' || mustBeNew,
      settle: compared ? () => insistCurrent(compared) : undefined,
      guard: compared
        ? () => {
            if (!compared.looksCurrent()) throw changed();
          }
        : undefined,
      lookBack: compared
        ? (old) => {
            if (!compared.was(old)) throw changed();
          }
        : undefined,
    });
  } catch (error) {
    throw hinted(error, run.path);
  }
}

/** All of the input behind what the temp file has, and to stdout for `--tee`. Throws where the input, or its command, failed. */
export async function receive(run: Run, atomic: AtomicFile, input: Input): Promise<void> {
  const { options, context, facts, tee, path } = run;
  const started = fstatSync(atomic.file.fileno()).size;
  let bytes = 0;
  const onBytes = (chunk: Uint8Array) => {
    bytes += chunk.length;
    context.progress({ bytes, totalBytes: input.totalBytes, name: options.path });
  };
  try {
    const sink = tee ? teeSink(atomic.file, tee) : atomic.file;
    await copyInto(input.source, sink, { onBytes, signal: input.failed });
    facts.bytes = started + bytes;
    const size = fstatSync(atomic.file.fileno()).size;
    if (size !== started + bytes)
      throw new SluiceError(`only ${size} of ${started + bytes} bytes were written`, { path, state: untouched });
    await tee?.ready();
    noteCommand(facts, await input.finish());
  } catch (error) {
    facts.bytes = started + bytes;
    noteCommand(facts, input.outcome());
    throw sealRefusal(error, options.seal) ?? failure(error, { path: options.path, state: untouched });
  } finally {
    input.close();
  }
}

function noteCommand(facts: Facts, ended: Ended | undefined): void {
  if (!ended) return;
  facts.commandStatus = ended.status;
  if (ended.signal !== undefined) facts.commandSignal = ended.signal;
}

/** The file first; what happens to stdout does not stop it, and is told at the end. */
export function teeSink(first: Sink & { readonly isBusy?: boolean }, tee: StreamOutput): Sink {
  let listening = true;
  return {
    write(view) {
      if (first.isBusy || (listening && tee.isBusy)) return null;
      const count = first.write(view);
      if (count && listening) {
        try {
          tee.write((view as Uint8Array).subarray(0, count));
        } catch {
          listening = false;
        }
      }
      return count;
    },
    async ready() {
      await Promise.all([first.ready?.(), tee.ready()]);
    },
  };
}

/** Where a rename cannot replace a file that could be written to, say what can. */
export function hinted(error: unknown, path: string): unknown {
  if (!(error instanceof SluiceError) || error instanceof Changed) return error;
  const { code, syscall, state } = error;
  if (!canOnlyOverwrite(error, path)) return error;
  const beside = syscall === 'open' ? ' with --sidecar DIR' : '';
  const message = `${error.message}: it cannot be replaced here; --in-place${beside} would overwrite it`;
  return new SluiceError(message, {
    ...(code && { code }),
    ...(syscall && { syscall }),
    path,
    ...(state && { state }),
    cause: error,
  });
}
