// Every command by name: what it is for, and where it lives. A command's code is loaded only when it is called.

import type { Command } from 'commander';
import type { Context, Outcome } from '../commands/context.js';
import type { GlobalOptions } from './globals.js';

/** What a command's file in this folder exports. */
export interface CommandLine {
  /** The command with its options, arguments and help; global options are added by the caller. */
  define(): Command;
  /** Arguments, where they are not commander's shape yet (GNU's obsolete forms, a command behind `--`). */
  prepare?(argv: string[]): string[];
  /** Do stdout's bytes belong to data, so that records go to stderr? */
  dataOnStdout?(options: never, operands: string[]): boolean;
  /** What a person sees of a record; nothing if undefined. `styled`: it has colours, and has made its names safe for a terminal itself. */
  render?(
    record: { type: string; [key: string]: unknown },
    options: never,
  ): { out?: string; err?: string; styled?: boolean } | undefined;
  run(options: never, operands: string[], context: Context, settings: GlobalOptions): Promise<Outcome> | Outcome;
}

interface Entry {
  summary: string;
  load?: () => Promise<CommandLine>;
  /** Not for people: no help names it. */
  hidden?: boolean;
}

export const commands: Record<string, Entry> = {
  copy: {
    summary: 'copy files; a destination is the old file or the complete new one',
    load: () => import('./copy.js'),
  },
  'atomic-write': {
    summary: "replace a file with stdin's or a command's output, durably or not at all",
    load: () => import('./atomic-write.js'),
  },
  tail: {
    summary: "print files' last lines, and follow them through rotation and truncation",
    load: () => import('./tail.js'),
  },
  inspect: { summary: 'say what a file, a stream, a pipe or a process is', load: () => import('./inspect.js') },
  sync: { summary: "make a directory's contents equal to another's", load: () => import('./sync.js') },
  flush: { summary: 'make files that exist already survive a power cut', load: () => import('./flush.js') },
  bench: { summary: 'measure this storage over buffer sizes', load: () => import('./bench.js') },
  completion: {
    summary: 'print the script that makes a shell complete what you type',
    load: () => import('./completion.js'),
  },
  complete: { summary: 'what the completion scripts ask', load: () => import('./complete.js'), hidden: true },
};
