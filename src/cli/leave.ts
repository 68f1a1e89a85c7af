// The end of the process, without what its libraries would do then.

import module from 'node:module';
import { nativeIfLoaded } from '../io/native.js';

/** What these write, they write at an orderly end. */
const observed = /--(cpu-|heap-)?prof|--trace-event|--report|--heapsnapshot/;

/**
 * Once loaded, koffi has stdout and stderr fsynced at the end of the process: `copy disk.img - > there` would wait until the kernel
 * has all of it on storage, which nobody asked for. So the process ends itself, after every other 'exit' handler.
 */
export function leaveAtOnce(): void {
  process.on('exit', (code) => {
    const calls = nativeIfLoaded();
    if (!calls) return;
    const wanted = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].join(' ');
    if (process.env['NODE_V8_COVERAGE'] || observed.test(wanted)) return;
    // Node ≥ 22 keeps compiled code at the end; the first of them can't be told to do so before.
    if (Number(process.versions.node.split('.', 1)[0]) >= 22) {
      const { flushCompileCache, getCompileCacheDir } = module as typeof module & {
        flushCompileCache?(): void;
        getCompileCacheDir?(): string | undefined;
      };
      if (getCompileCacheDir?.() && !flushCompileCache) return;
      flushCompileCache?.();
    }
    calls.files.exitNow(code);
  });
}
