// Told to stop: undo what is unfinished, then die by the same signal. A second signal finds the default action restored.

import { fstatSync, readFileSync } from 'node:fs';
import { beforeFirstUnfinished, undoUnfinished } from '../io/unfinished.js';

/** Handlers are installed only once there is something to undo; until then the default action is right, and prompter. */
export function handleSignals(beforeDeath: () => void): void {
  const stopping: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGQUIT'];
  if (outlivesHangup()) process.on('SIGHUP', () => {});
  else stopping.push('SIGHUP');
  beforeFirstUnfinished(() => {
    const handler = (signal: NodeJS.Signals) => {
      for (const each of stopping) process.removeListener(each, handler);
      undoUnfinished(signal);
      beforeDeath();
      process.kill(process.pid, signal);
    };
    for (const signal of stopping) process.on(signal, handler);
  });
}

/**
 * Were we started with SIGHUP ignored? Node has put the default back before any of our code runs, so it's told by what is left of it:
 * nohup(1) makes stdin of a terminal /dev/null, open for writing of all things; and whoever ignores the signal (a shell, by
 * `trap '' HUP` or being started by nohup itself) has children that do.
 */
function outlivesHangup(): boolean {
  try {
    if (fstatSync(0).rdev === 0x103 && /^flags:\s*0[0-7]*1$/m.test(readFileSync('/proc/self/fdinfo/0', 'latin1')))
      return true;
    return /^SigIgn:\s*[0-9a-f]*[13579bdf]$/m.test(readFileSync(`/proc/${process.ppid}/status`, 'latin1'));
  } catch {
    return false; // closed, or no /proc
  }
}
