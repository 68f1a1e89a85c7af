// `sluice inspect` on the command line.

import { isatty } from 'node:tty';
import type { ChalkInstance } from 'chalk';
import { Command, Option } from 'commander';
import type { Context, JsonRecord, Outcome } from '../commands/context.js';
import { inspectFiles, inspectPipe, inspectProcesses, inspectStreams } from '../commands/inspect.js';
import type { FileFacts } from '../probe/file-facts.js';
import type { PipeReport } from '../probe/pipe-report.js';
import type { ProcessFacts } from '../probe/process-facts.js';
import type { StreamFacts } from '../probe/stream-facts.js';
import type { GlobalOptions } from './globals.js';
import { filePage, Page, streamPage } from './inspect-page.js';
import { pipePage } from './inspect-pipe-page.js';
import { processPage } from './inspect-process-page.js';
import { parseCount, parseDuration } from './quantities.js';
import { wantsColor } from './terminal.js';
import { UsageError } from './usage-error.js';

interface Options extends GlobalOptions {
  quick?: boolean;
  pid?: number[];
  watch?: number;
}

export function define(): Command {
  return new Command('sluice inspect')
    .usage(
      '[options] PATH...\n       sluice inspect\n       producer | sluice inspect - | consumer\n       sluice inspect --pid PID [--watch]',
    )
    .argument('[paths...]', 'files to look at; none: stdin, stdout and stderr')
    .addOption(new Option('--quick', 'read only the head of files'))
    .addOption(
      new Option('--pid <pid>', 'a process, and the pipeline it stands in (repeatable)').argParser(
        (text: string, given: number[] = []) => [...given, parseCount(1)(text)],
      ),
    )
    .addOption(new Option('--watch [every]', 'look again and again (every 1s)').preset('1s').argParser(parseDuration))
    .addHelpText('beforeAll', examples);
}

const examples = `Examples:
  sluice inspect data.csv                            its encoding, line ends, holes, cache, who has it open
  sluice inspect                                     how programs will buffer on these stdin, stdout and stderr
  tail -f log | grep x | sluice inspect - | cat      does grep sit on its output? (kill -USR1 asks while it runs)
  sluice inspect --pid 4711 --watch                  its descriptors, and which stage of its pipeline waits for which
`;

/** The only operand, and stdin in place of a file. */
export const dataOnStdout = (_: Options, operands: string[]): boolean => operands.length === 1 && operands[0] === '-';

let watching = false;
let paint: { out: ChalkInstance | null; err: ChalkInstance | null } = { out: null, err: null };

export function render(record: JsonRecord): { out?: string; err?: string; styled: boolean } | undefined {
  if (record.type === 'pipe') {
    const page = new Page({ paint: paint.err, terminal: isatty(2) });
    return { err: pipePage(record as unknown as PipeReport, page), styled: true };
  }
  const page = new Page({ paint: paint.out, terminal: isatty(1) });
  if (record.type === 'file') return { out: filePage(record as unknown as FileFacts, page), styled: true };
  if (record.type === 'process') {
    // On a terminal each look takes the place of the one before.
    const clear = watching && isatty(1) ? '\x1b[H\x1b[2J' : '';
    return { out: clear + processPage(record as unknown as ProcessFacts, page), styled: true };
  }
  if (record.type === 'stream') return { out: streamPage(record as unknown as StreamFacts, page), styled: true };
  return undefined;
}

export async function run(options: Options, operands: string[], context: Context): Promise<Outcome> {
  if (operands.includes('')) throw new UsageError('an operand is empty');
  if (operands.length > 1 && operands.includes('-'))
    throw new UsageError("'-' is the pipe itself, and goes without other operands");
  const colors = { out: wantsColor(1, options.color), err: wantsColor(2, options.color) };
  if (!options.json && (colors.out || colors.err)) {
    const { Chalk } = await import('chalk');
    const chalk = new Chalk({ level: 1 });
    paint = { out: colors.out ? chalk : null, err: colors.err ? chalk : null };
  }
  const { pid, watch } = options;
  if (watch !== undefined && pid === undefined) throw new UsageError('--watch goes with --pid');
  if (watch !== undefined && watch < 10) throw new UsageError('--watch needs at least 10ms');
  if (pid !== undefined) {
    if (operands.length > 0) throw new UsageError(`--pid goes without other operands ('${operands[0]}')`);
    watching = watch !== undefined;
    return inspectProcesses({ pids: pid, every: watch }, context);
  }
  if (operands[0] === '-') return inspectPipe(context);
  if (operands.length === 0) return inspectStreams(context);
  return inspectFiles({ paths: operands, quick: options.quick ?? false }, context);
}
