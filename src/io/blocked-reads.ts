// Reads that wait in the thread pool and cannot be called off: an ended program waits for its threads.

let count = 0;

/** A read begins; the function given is called when it has ended. */
export function blockedRead(): () => void {
  count++;
  return () => {
    count--;
  };
}

/** How many reads are under way. */
export const blockedReads = (): number => count;
