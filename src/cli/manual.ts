// The manual pages, from the definitions that --help is made of. Written by scripts/manual.mjs when the package is built.

import type { Command, Option } from 'commander';
import { commands } from './commands.js';
import { program } from './definitions.js';
import { topHelp } from './help.js';

declare const SLUICE_VERSION: string;

/** Each page's text in man(7)'s macros, by its file's name. */
export async function manualPages(): Promise<Map<string, string>> {
  const all = await program(() => true);
  const pages = new Map([['sluice.1', overview(all)]]);
  for (const command of all.commands)
    if (commands[command.name()]?.load) pages.set(`sluice-${command.name()}.1`, page(command));
  return pages;
}

function overview(all: Command): string {
  const [, exitCodes = ''] = /Exit codes: (.*)$/s.exec(topHelp(80)) ?? [];
  return [
    heading('sluice', 'file utilities whose files are whole, saved and prompt'),
    '.SH SYNOPSIS',
    '.B sluice',
    '.I command',
    '[options] [operands]',
    '.SH DESCRIPTION',
    roff(
      'A file under its final name is complete; what is reported as saved is saved; what you read is prompt. Each command has a page of its own.',
    ),
    '.SH COMMANDS',
    ...all.commands.map((command) => item(`.BR sluice\\-${roff(command.name())} (1)`, command.description())),
    ...options(all),
    '.SH EXIT STATUS',
    roff(exitCodes.replaceAll('\n', ' ')),
    ...environment,
    ...seeAlso(all.commands),
  ].join('\n');
}

function page(command: Command): string {
  const name = `sluice ${command.name()}`;
  const usages = command
    .usage()
    .split('\n')
    .map((line) => line.trim().replace(/^sluice \S+ /, ''));
  return [
    heading(name.replace(' ', '-'), command.description()),
    '.SH SYNOPSIS',
    ...usages.flatMap((usage, i) => [...(i > 0 ? ['.br'] : []), `.B ${roff(name)}`, roff(usage)]),
    ...(command.registeredArguments.length > 0 ? ['.SH OPERANDS'] : []),
    ...command.registeredArguments.map((argument) =>
      item(`.I ${roff(argument.name())}`, argument.description + choices(argument.argChoices, argument.description)),
    ),
    ...options(command),
    '.SH EXAMPLES',
    '.nf',
    ...examples(command).map(roff),
    '.fi',
    ...seeAlso([]),
  ].join('\n');
}

const heading = (name: string, summary: string): string =>
  [
    `.TH ${name.toUpperCase().replaceAll('-', '\\-')} 1 "" "sluice ${SLUICE_VERSION}" "sluice"`,
    '.SH NAME',
    `${roff(name)} \\- ${roff(summary)}`,
  ].join('\n');

/** Options under the headings that --help gives them. */
function options(command: Command): string[] {
  const groups = new Map<string, Option[]>();
  for (const option of command.options) {
    if (option.hidden) continue;
    const group = option.helpGroupHeading ?? 'Options:';
    groups.set(group, [...(groups.get(group) ?? []), option]);
  }
  return [
    '.SH OPTIONS',
    ...[...groups].flatMap(([group, list]) => [
      ...(groups.size > 1 ? [`.SS "${roff(group.replace(/:$/, ''))}"`] : []),
      ...list.map((option) =>
        item(
          `.B ${roff(option.flags)}`,
          option.description + choices(option.argChoices, option.description) + defaultOf(option),
        ),
      ),
    ]),
  ];
}

/** The choices, where the description does not name them. */
const choices = (list: string[] | undefined, description: string): string =>
  !list || list.every((choice) => description.includes(choice)) ? '' : ` (${list.join(', ')})`;

function defaultOf({ defaultValue, defaultValueDescription }: Option): string {
  const value = defaultValueDescription ?? (typeof defaultValue === 'string' ? defaultValue : undefined);
  return value === undefined ? '' : `; default: ${value}`;
}

/** The examples stand before the usage in --help. */
function examples(command: Command): string[] {
  let help = '';
  command.configureOutput({
    writeOut: (part) => {
      help += part;
    },
  });
  command.outputHelp();
  const [before] = help.split(/^Usage:/m);
  return before!.split('\n').filter((line) => line.startsWith('  '));
}

const environment = [
  '.SH ENVIRONMENT',
  item('.B SLUICE_BUFFERING', 'how stdout is buffered where --buffering does not say: auto, line, block or none'),
  item('.B SLUICE_UNBUFFERED', '1: the same as SLUICE_BUFFERING=none'),
  item('.B SLUICE_NATIVE', '0: no native calls; everything works without them, or says what it cannot know'),
  item('.B NO_COLOR', 'if not empty: no colours'),
  item('.B FORCE_COLOR', 'colours, though the stream is no terminal'),
  item('.B TERM', 'dumb: no colours'),
];

function seeAlso(list: readonly Command[]): string[] {
  const names = list.length > 0 ? list.map((command) => `sluice-${command.name()}`) : ['sluice'];
  return ['.SH SEE ALSO', ...names.map((name, i) => `.BR ${roff(name)} (1)${i < names.length - 1 ? ',' : ''}`), ''];
}

function item(tag: string, description: string): string {
  return `.TP\n${tag}\n${roff(description)}`;
}

/** Plain text for roff: no line of it is taken for a request, and a hyphen stays one that can be copied. */
function roff(words: string): string {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(['.])/gm, '\\&$1')
    .replace(
      /[^\x00-\x7f]/g,
      (character) => `\\[u${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}
