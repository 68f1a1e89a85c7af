// The options that say which entries of a tree are meant: the same in copy and sync.

import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { failure } from '../io/failure.js';
import { decodePath, fsPath } from '../io/path.js';
import { type GlobRule, parseRules } from '../tree/rules.js';

/** Adds them; `rules` has all of them in the order they were given. */
export function addFilterOptions(command: Command): void {
  const rule = (flags: string, text: string, parse: (value: string) => GlobRule[]) => {
    const option = new Option(flags, text).argParser((value: string, before: GlobRule[] = []) => [
      ...before,
      ...parse(value),
    ]);
    option.attributeName = () => 'rules';
    return option;
  };
  const one = (include: boolean) => (pattern: string) => {
    if (pattern === '') throw new InvalidArgumentError('A pattern is empty.');
    return [{ include, pattern }];
  };
  command
    .addOption(
      rule('--exclude <glob>', 'leave out what matches; the first rule that matches decides', one(false)).default(
        [],
        'none',
      ),
    )
    .addOption(rule('--include <glob>', 'keep what matches, whatever later rules say', one(true)))
    .addOption(rule('--exclude-from <file>', 'rules from a file, a line each (- is stdin)', fromFile))
    .addOption(new Option('--gitignore', 'leave out what git ignores'))
    .addOption(new Option('-x, --one-file-system', 'stay on the filesystem of the source'));
}

function fromFile(file: string): GlobRule[] {
  try {
    return parseRules(decodePath(file === '-' ? readFileSync(0) : readFileSync(fsPath(file))));
  } catch (error) {
    throw new InvalidArgumentError(`${file}: ${failure(error).message}.`);
  }
}
