// What a command gets from its surroundings: it reports facts, and somebody else decides how they look.

/** How a command ended; the command line maps it to the exit code. */
export type Outcome = 'done' | 'failed' | 'refused' | 'undurable';

/** A JSON record as the contract names it. Strings in it may be paths (PEP 383): those that are not UTF-8 get their bytes beside them. */
export interface JsonRecord {
  type: string;
  [key: string]: unknown;
}

/** How far the work is. Absent totals are not known (yet). */
export interface Progress {
  bytes: number;
  totalBytes?: number | undefined;
  files?: number | undefined;
  totalFiles?: number | undefined;
  /** What is being worked on: a path. */
  name?: string | undefined;
}

export interface Context {
  /** A fact of the contract: JSON where that is asked for, else the command's own text for it, if it has one. */
  record(record: JsonRecord): void;
  /** A line on stdout that is the command's output proper (`--checksum`); with `--json` the records say it. */
  print(line: string): void;
  /** Something that went otherwise than hoped, without failing anything. */
  warn(message: string, details?: { path?: string; code?: string }): void;
  /** One thing failed; the others go on. The outcome will be at least 'failed'. */
  fail(error: unknown): void;
  /** A decision taken, for `--debug`. Costs nothing when nobody listens. */
  debug(text: () => string): void;
  /** True if somebody watches. */
  progress(state: Progress): boolean;
  /** From now on `write` gets what would go to stdout, as whole lines: a command that writes there itself puts them in their place. */
  printTo?(write: ((lines: Uint8Array) => void) | undefined): void;
}
