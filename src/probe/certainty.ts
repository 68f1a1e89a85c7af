// What is known, and how well. A field of a record is a plain value where it is a fact; an `Inferred` where it was concluded
// from evidence; an `Unknown` with the reason where it could not be had. No guess is ever shown as a fact.

/** A conclusion. `certainty` is from 0 to 1: the share of such cases in which it would hold. */
export interface Inferred<T> {
  value: T;
  inferred: true;
  certainty: number;
  /** What it was concluded from. */
  because?: string;
}

/** Not known, and why: `needs native calls`, `not permitted`. */
export interface Unknown {
  unknown: string;
}

export type Known<T> = T | Unknown;

export function inferred<T>(value: T, certainty: number, because?: string): Inferred<T> {
  const rounded = Math.round(Math.min(1, Math.max(0, certainty)) * 100) / 100;
  return { value, inferred: true, certainty: rounded, ...(because !== undefined && { because }) };
}

export const unknown = (reason: string): Unknown => ({ unknown: reason });

export function isUnknown(value: unknown): value is Unknown {
  return typeof value === 'object' && value !== null && typeof (value as Partial<Unknown>).unknown === 'string';
}

export function isInferred(value: unknown): value is Inferred<unknown> {
  return typeof value === 'object' && value !== null && (value as Partial<Inferred<unknown>>).inferred === true;
}
