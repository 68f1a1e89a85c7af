// `sluice inspect`: what a file, a stream, a pipe or a process is. Nothing it looks at is changed.

import { failure } from '../io/failure.js';
import { type FileFacts, fileFacts, type Located, locate } from '../probe/file-facts.js';
import { identityKey, openersOf } from '../probe/openers.js';
import { streamFacts } from '../probe/stream-facts.js';
import type { Context, Outcome } from './context.js';

export interface InspectFilesOptions {
  paths: string[];
  /** Read only the head. */
  quick: boolean;
}

/** A record each; what cannot be read is an error, and the others go on. */
export async function inspectFiles({ paths, quick }: InspectFilesOptions, context: Context): Promise<Outcome> {
  const located: Located[] = [];
  let failed = false;
  for (const path of paths) {
    try {
      located.push(locate(path));
    } catch (error) {
      failed = true;
      context.fail(failure(error, { path }));
    }
  }
  const openers = openersOf(new Set(located.map(({ stat }) => identityKey(stat))));
  let bytes = 0;
  for (const each of located) {
    const onBytes = (count: number, totalBytes: number) => {
      bytes += count;
      context.progress({ bytes, totalBytes: located.length === 1 ? totalBytes : undefined, name: each.path });
    };
    try {
      const { facts, error } = await fileFacts(each, { quick, openers, onBytes });
      context.record(facts as FileFacts & { [key: string]: unknown });
      if (error) {
        failed = true;
        context.fail(error);
      }
    } catch (error) {
      failed = true;
      context.fail(failure(error, { path: each.path }));
    }
  }
  return failed ? 'failed' : 'done';
}

/** stdin, stdout and stderr, a record each. */
export function inspectStreams(context: Context): Outcome {
  for (const facts of streamFacts()) context.record({ ...facts });
  return 'done';
}
