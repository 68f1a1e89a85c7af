// Told to stop: undo what is unfinished, then die by the same signal. A second signal finds the default action restored.

import { beforeFirstUnfinished, undoUnfinished } from '../io/unfinished.js';

const stopping = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/** Handlers are installed only once there is something to undo; until then the default action is right, and prompter. */
export function handleSignals(beforeDeath: () => void): void {
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
