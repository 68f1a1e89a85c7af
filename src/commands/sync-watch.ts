// `sync --watch`: once, and again whenever something in SRC changes. Events say that it's time, never what to do: the comparison
// does that. A slow look beside them finds what no event told of.

import { type FSWatcher, watch as watchDirectory } from 'node:fs';
import { dirname } from 'node:path';
import { isSystemError } from '../io/failure.js';
import { fsPath, trimmedPath } from '../io/path.js';
import { places } from '../tree/place.js';
import { below, Tree } from '../tree/tree.js';
import type { Context, Outcome } from './context.js';
import { sync } from './sync.js';
import type { SyncOptions } from './sync-options.js';

/** After an event, wait for this long for others to come (milliseconds), but not longer than the second figure. */
const settle = { quiet: 50, most: 1000 };
/** Look without an event, this often (milliseconds). */
const slowLook = 10_000;

/** Goes on until a signal ends it. */
export async function watch(options: SyncOptions, context: Context): Promise<Outcome> {
  const watches = new Map<string, FSWatcher>();
  for (let first = true; ; first = false) {
    const change = changed(options, watches, context);
    try {
      await sync(options, { do: 'run' }, first ? context : onlyNews(context));
    } catch (error) {
      if (first) {
        // Nothing that is watched, or waited for, is to keep the process alive.
        change.end();
        for (const each of watches.values()) each.close();
        throw error;
      }
      context.fail(error);
    }
    await change.come;
  }
}

interface Change {
  /** Something has changed, and a moment has passed without more. */
  come: Promise<void>;
  /** It is waited for no longer. */
  end(): void;
}

/** Watches every directory there is now. */
function changed(options: SyncOptions, watches: Map<string, FSWatcher>, context: Context): Change {
  let end = () => {};
  const come = new Promise<void>((settled) => {
    let firstEvent = 0;
    let timer = setTimeout(done, slowLook);
    function done(): void {
      clearTimeout(timer);
      for (const each of watches.values()) each.removeAllListeners('change');
      settled();
    }
    end = done;
    const onEvent = () => {
      firstEvent ||= Date.now();
      clearTimeout(timer);
      timer = setTimeout(done, Math.max(0, Math.min(settle.quiet, firstEvent + settle.most - Date.now())));
    };
    const present = new Set<string>();
    for (const path of directories(options.source, context)) {
      present.add(path);
      try {
        let each = watches.get(path);
        if (!each) {
          each = watchDirectory(fsPath(path) as string, { persistent: true });
          each.on('error', () => watches.delete(path));
          watches.set(path, each);
        }
        each.on('change', onEvent);
      } catch (error) {
        if (!isSystemError(error, 'ENOENT', 'ENOSPC', 'EMFILE', 'EACCES')) throw error;
        context.debug(
          () => `${path}: no events (${(error as NodeJS.ErrnoException).code}); looked at every ${slowLook / 1000} s`,
        );
      }
    }
    for (const [path, each] of watches) {
      if (present.has(path)) continue;
      each.close();
      watches.delete(path);
    }
  });
  return { come, end };
}

function* directories(root: string, context: Context): Generator<string> {
  let tree: Tree;
  try {
    tree = new Tree(root);
  } catch {
    // Gone for now: the sync says so. Its name comes back in the directory above.
    yield dirname(trimmedPath(root));
    return;
  }
  try {
    const waiting = [''];
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      yield tree.shown(path);
      const names: string[] = [];
      try {
        places().list(tree.at(path), (name) => names.push(name));
        for (const name of names)
          if (places().stat(tree.at(path), name)?.kind === 'directory') waiting.push(below(path, name));
      } catch (error) {
        context.debug(() => `${path}: ${String(error)}`);
      }
    }
  } finally {
    tree.close();
  }
}

/** A look that found nothing is not worth a line. */
function onlyNews(context: Context): Context {
  return {
    record(record) {
      const { type, created, updated, metadata, linked, deleted, errors } = record as Record<string, number> & {
        type: string;
      };
      if (type === 'summary' && !created && !updated && !metadata && !linked && !deleted && !errors) return;
      context.record(record);
    },
    print: (line) => context.print(line),
    warn: (message, details) => context.warn(message, details),
    fail: (error) => context.fail(error),
    debug: (text) => context.debug(text),
    progress: (state) => context.progress(state),
  };
}
