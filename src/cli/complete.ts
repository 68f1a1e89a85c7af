// `sluice complete -- WORDS`: what the scripts of `sluice completion` ask while a line is typed. Words are those after `sluice`,
// the last one unfinished.

import tab from '@bomb.sh/tab/commander';
import { Command } from 'commander';
import type { Context, Outcome } from '../commands/context.js';
import { commands } from './commands.js';
import { program } from './definitions.js';

export function define(): Command {
  return new Command('sluice complete').argument('[words...]', 'the words of the line');
}

/** Bits of the scripts' protocol, which is cobra's: 0 lets the shell complete file names where there is nothing to choose from. */
const fileNames = 0;
const noFileNames = 4;

export async function run(_: unknown, words: string[], context: Context): Promise<Outcome> {
  const typed = words.at(-1) ?? '';
  // Only the command in question is loaded: somebody waits.
  const name = words.slice(0, -1).find((word) => Object.hasOwn(commands, word));
  // The library adds a command of its own, for which ours stands.
  const all = await program((each) => each === name);
  const root = tab(all, { completionCommandName: 'tab' });
  root.commands.delete('tab');
  // The library's own prints by the console, and never lets the shell complete file names.
  const complete = (last: string) => {
    const begun = last.slice(last.startsWith('-') ? last.indexOf('=') + 1 : 0);
    const fitting = new Map([
      ...afterOneDash(all.commands.find((each) => each.name() === name) ?? all, typed),
      ...root.completions
        .filter(({ value }) => value.startsWith(begun))
        .map(({ value, description }) => [value, description ?? ''] as const),
    ]);
    for (const [value, description] of fitting) context.print(`${value}\t${description}`);
    const choosing = fitting.size > 0 || name === undefined || (typed.startsWith('-') && !typed.includes('='));
    context.print(`:${choosing ? noFileNames : fileNames}`);
  };
  Object.assign(root, { complete });
  // Behind `--`, and behind a command's own `--`, there are only names.
  if (words.slice(0, -1).includes('--')) context.print(`:${fileNames}`);
  else root.parse([...words]);
  return 'done';
}

/** Options for `-` or `-x`: the library knows no short one that has no long one, and offers no long one until both dashes are there. */
function afterOneDash(command: Command, typed: string): [string, string][] {
  if (!/^-[^-=]?$/.test(typed)) return [];
  return command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ short, long, description }) =>
      [short, long]
        .filter((flag): flag is string => flag?.startsWith(typed) === true)
        .map((flag): [string, string] => [flag, description]),
    );
}
