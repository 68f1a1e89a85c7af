// All commands as one commander program, from the definitions that --help is made of: for completions and the manual.

import { Command } from 'commander';
import { type CommandLine, commands } from './commands.js';
import { addGlobalOptions } from './globals.js';

/** Commands that `wanted` names have all their options and operands; of the others, names and summaries are all there is. */
export async function program(wanted: (name: string) => boolean): Promise<Command> {
  const all = new Command('sluice').helpCommand(false);
  addGlobalOptions(all);
  all.option('-V, --version', 'print the version');
  for (const [name, { summary, load, hidden }] of Object.entries(commands)) {
    if (hidden) continue;
    const command = load && wanted(name) ? defined(await load()) : new Command();
    all.addCommand(command.name(name).description(summary));
  }
  return all;
}

function defined(line: CommandLine): Command {
  const command = line.define();
  addGlobalOptions(command);
  return command;
}
