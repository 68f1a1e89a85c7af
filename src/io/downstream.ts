// Knowing that nobody reads what we write, before there is anything to write: a reader that leaves while its writer is idle
// is otherwise noticed only by the next write, which may never come.

/** How often it is looked, in milliseconds: prompt to a person, and nothing to a processor. */
const interval = 200;

/**
 * A signal that is aborted with EPIPE once nobody will ever read what is written to `fd` (a pipe, socket or terminal; of others, and without
 * native calls, never). It costs nothing before the first look, and does not keep the process alive. `close` ends it.
 */
export function downstream(fd: number): { signal: AbortSignal; close(): void } {
  const controller = new AbortController();
  let busy = false;
  const timer = setInterval(async () => {
    if (busy) return;
    busy = true;
    const { native } = await import('./native.js');
    const calls = native();
    if (!calls) clearInterval(timer);
    else if (isGone(() => calls.polling.readerGone(fd))) {
      clearInterval(timer);
      const { systemError } = await import('./native/system-error.js');
      controller.abort(systemError(32, 'write'));
    }
    busy = false;
  }, interval);
  timer.unref();
  return { signal: controller.signal, close: () => clearInterval(timer) };
}

/** A descriptor that was closed meanwhile is somebody else's error. */
function isGone(ask: () => boolean): boolean {
  try {
    return ask();
  } catch {
    return false;
  }
}
