// Size arguments of the read calls.
import { invalidArgument } from './errors.js';

/** A size argument: none and null = -1 = all. */
export function sizeOf(size: number | null | undefined): number {
  if (size === undefined || size === null) return -1;
  if (!Number.isInteger(size)) throw invalidArgument('a size is a whole number');
  return size;
}
