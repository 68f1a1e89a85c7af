// `sluice inspect` on the command line.

import { isatty } from 'node:tty';
import type { ChalkInstance } from 'chalk';
import { Command, Option } from 'commander';
import type { Context, JsonRecord, Outcome } from '../commands/context.js';
import { inspectFiles, inspectStreams } from '../commands/inspect.js';
import type { FileFacts } from '../probe/file-facts.js';
import type { StreamFacts } from '../probe/stream-facts.js';
import type { GlobalOptions } from './globals.js';
import { filePage, Page, streamPage } from './inspect-page.js';
import { wantsColor } from './terminal.js';
import { UsageError } from './usage-error.js';

interface Options extends GlobalOptions {
  quick?: boolean;
}

export function define(): Command {
  return new Command('sluice inspect')
    .usage('[options] PATH...\n       sluice inspect')
    .argument('[paths...]', 'files to look at; none: stdin, stdout and stderr')
    .addOption(new Option('--quick', 'read only the head of files'))
    .addHelpText('beforeAll', examples);
}

const examples = `Examples:
  sluice inspect data.csv                            its encoding, line ends, holes, cache, who has it open
  sluice inspect                                     how programs will buffer on these stdin, stdout and stderr
`;

let paint: ChalkInstance | null = null;

export function render(record: JsonRecord): { out?: string; err?: string; styled: boolean } | undefined {
  const text = textOf(record, new Page({ paint, terminal: isatty(1) }));
  return text === undefined ? undefined : { out: text, styled: true };
}

function textOf(record: JsonRecord, page: Page): string | undefined {
  if (record.type === 'file') return filePage(record as unknown as FileFacts, page);
  if (record.type === 'stream') return streamPage(record as unknown as StreamFacts, page);
  return undefined;
}

export async function run(options: Options, operands: string[], context: Context): Promise<Outcome> {
  if (operands.includes('')) throw new UsageError('an operand is empty');
  if (!options.json && wantsColor(1, options.color)) {
    const { Chalk } = await import('chalk');
    paint = new Chalk({ level: 1 });
  }
  if (operands.length === 0) return inspectStreams(context);
  return inspectFiles({ paths: operands, quick: options.quick ?? false }, context);
}
