// The exit codes, in one table.

import type { Outcome } from '../commands/context.js';

export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  refused: 3,
  undurable: 4,
  /** What a shell reports for a program that SIGPIPE ended. */
  closedPipe: 141,
} as const;

export const exitCodeOf = (outcome: Outcome): number => exitCodes[outcome];
