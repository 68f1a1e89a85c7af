// Timers for any time: Node's own fire at once where more than 2³¹ − 1 ms are asked for.

const longest = 2 ** 31 - 1;

/** Calls `act` once, in so many milliseconds. Gives what calls it off. */
export function after(milliseconds: number, act: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (left: number) => {
    timer = setTimeout(() => (left > longest ? wait(left - longest) : act()), Math.min(left, longest));
  };
  wait(milliseconds);
  return () => clearTimeout(timer);
}

/** Calls `act` again and again, so many milliseconds apart (but no less than 10). Gives what ends it. */
export function every(milliseconds: number, act: () => void): () => void {
  const timer = setInterval(act, Math.min(Math.max(10, milliseconds), longest));
  return () => clearInterval(timer);
}
