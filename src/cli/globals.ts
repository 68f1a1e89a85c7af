// The options that every command has, before or after its name.

import { type Command, Option } from 'commander';
import type { When } from './terminal.js';

const whens = ['auto', 'always', 'never'];

/** Settings as the command line gives them; absent = not given. */
export interface GlobalOptions {
  quiet?: boolean;
  verbose?: boolean;
  debug?: boolean;
  json?: boolean;
  progress?: When;
  color?: When;
  buffering?: 'auto' | 'line' | 'block' | 'none';
}

/** Global options that take a value, for finding the command's name behind them. */
export const valued = new Set(['--progress', '--color', '--buffering']);
export const flags = new Set(['-q', '--quiet', '-v', '--verbose', '--debug', '--json']);

/** Add the global options to `command`, but for those that it defines itself (`-q` and `-v` are GNU's in tail). */
export function addGlobalOptions(command: Command): void {
  const own = new Set(command.options.flatMap(({ short, long }) => [short, long]));
  const globals = [
    new Option('-q, --quiet', 'print only errors'),
    new Option('-v, --verbose', 'print a line for each file'),
    new Option('--debug', 'print decisions taken, and stacks of errors'),
    new Option('--json', 'print newline-delimited JSON records'),
    new Option('--progress <when>', 'show progress on stderr: auto, always or never').choices(whens),
    new Option('--color <when>', 'use colours: auto, always or never').choices(whens),
    new Option('--buffering <how>', 'buffer stdout: auto, line, block or none').choices([
      'auto',
      'line',
      'block',
      'none',
    ]),
  ];
  command.optionsGroup('Global options:');
  for (const option of globals) if (!own.has(option.long)) command.addOption(option);
  command.helpOption('-h, --help', 'show this help');
}
