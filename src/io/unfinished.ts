// What has to be undone if the process is told to stop now: temp files to remove, children to end.

const undoing = new Set<(signal: NodeJS.Signals) => void>();
let onFirst: (() => void) | undefined;

/**
 * Have `undo` called, with the signal, if the process is stopped before the returned function is called. `undo` is
 * synchronous and must not throw.
 */
export function whileUnfinished(undo: (signal: NodeJS.Signals) => void): () => void {
  undoing.add(undo);
  onFirst?.();
  onFirst = undefined;
  return () => undoing.delete(undo);
}

/** Undo all that is unfinished, newest first, since `signal` says to stop. */
export function undoUnfinished(signal: NodeJS.Signals): void {
  for (const undo of [...undoing].reverse()) {
    undoing.delete(undo);
    undo(signal);
  }
}

/** Call `prepare` (once) when there is something to undo for the first time: until then a signal may end us at once. */
export function beforeFirstUnfinished(prepare: () => void): void {
  if (undoing.size > 0) prepare();
  else onFirst = prepare;
}
