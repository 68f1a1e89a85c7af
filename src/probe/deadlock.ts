// Who can never go on: processes that each wait for one of the others alone.

/** A process that waits, and any of those whose doing would let it go on. */
export interface Wait {
  pid: number;
  on: number[];
}

/**
 * The processes among `waits` that only each other could set free. One that waits for anybody who is not waiting, or whom
 * somebody else can set free, is not among them; one that waits for itself alone is.
 */
export function deadlocked(waits: readonly Wait[]): number[] {
  const stuck = new Map(waits.filter(({ on }) => on.length > 0).map((wait) => [wait.pid, wait]));
  for (let freed = true; freed; ) {
    freed = false;
    for (const [pid, { on }] of stuck) {
      if (on.every((other) => stuck.has(other))) continue;
      stuck.delete(pid);
      freed = true;
    }
  }
  return [...stuck.keys()];
}
