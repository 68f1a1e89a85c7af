// `sluice inspect` on the command line.

import type { ChalkInstance } from 'chalk';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Context, JsonRecord, Outcome } from '../commands/context.js';
import { inspectFiles, inspectPipe, inspectProcesses, inspectStack, inspectStreams } from '../commands/inspect.js';
import { isTerminal } from '../io/terminal.js';
import type { Newline } from '../io/text-options.js';
import type { FileFacts } from '../probe/file-facts.js';
import type { PipeReport } from '../probe/pipe-report.js';
import type { ProcessFacts } from '../probe/process-facts.js';
import type { StackFacts } from '../probe/stack-facts.js';
import type { StreamFacts } from '../probe/stream-facts.js';
import type { GlobalOptions } from './globals.js';
import { filePage } from './inspect-file-page.js';
import { Page } from './inspect-page.js';
import { pipePage } from './inspect-pipe-page.js';
import { processPage } from './inspect-process-page.js';
import { stackPage } from './inspect-stack-page.js';
import { streamPage } from './inspect-stream-page.js';
import { parseCount, parseDuration } from './quantities.js';
import { wantsColor } from './terminal.js';
import { UsageError } from './usage-error.js';

interface Options extends GlobalOptions {
  pythonBuffering?: number;
  unbuffered?: boolean;
  stack?: string;
  mode?: string;
  encoding?: string;
  newline?: Newline;
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
    .optionsGroup('Layers:')
    .addOption(
      new Option(
        '--stack <path>',
        'the layers that open() builds over it; it is not touched (--buffering N is its too)',
      ),
    )
    .addOption(new Option('--mode <mode>', "open()'s mode, as in Python (r)"))
    .addOption(new Option('--python-buffering <n>').argParser(Number).hideHelp())
    .addOption(new Option('--encoding <name>', "open()'s encoding (utf-8)"))
    .addOption(
      new Option('--newline <kind>', "open()'s newline: universal, keep, lf, crlf or cr").argParser(parseNewline),
    )
    .optionsGroup('Output:')
    .addOption(new Option('-u, --unbuffered', 'same as --buffering none'))
    .addHelpText('beforeAll', examples);
}

/** A number is open()'s buffering, a word is how to buffer stdout: `--buffering` is for both. */
export function prepare(argv: string[]): string[] {
  const end = argv.indexOf('--');
  const options = end < 0 ? argv : argv.slice(0, end);
  const settled = options.map((argument, i) => {
    if (argument === '--buffering' && /^-?\d+$/.test(argv[i + 1] ?? '')) return '--python-buffering';
    if (/^--buffering=-?\d+$/.test(argument)) return argument.replace('--', '--python-');
    return argument;
  });
  if (options.includes('-u') || options.includes('--unbuffered')) settled.push('--buffering', 'none');
  // `--python-buffering -1` would be two options.
  const joined = settled.flatMap((argument, i) =>
    settled[i - 1] === '--python-buffering'
      ? []
      : argument === '--python-buffering'
        ? [`${argument}=${settled[i + 1]}`]
        : [argument],
  );
  return [...joined, ...argv.slice(options.length)];
}

const newlines: Record<string, Newline> = { universal: null, keep: '', lf: '\n', crlf: '\r\n', cr: '\r' };

function parseNewline(text: string): Newline {
  const plain = text.replace('\\r', '\r').replace('\\n', '\n');
  if (Object.hasOwn(newlines, plain)) return newlines[plain]!;
  const known = Object.values(newlines).find((each) => each === plain);
  if (known === undefined) throw new InvalidArgumentError('It is universal, keep, lf, crlf or cr.');
  return known;
}

const examples = `Examples:
  sluice inspect data.csv                            its encoding, line ends, holes, cache, who has it open
  sluice inspect                                     how programs will buffer on these stdin, stdout and stderr
  tail -f log | grep x | sluice inspect - | cat      does grep sit on its output? (kill -USR1 asks while it runs)
  sluice inspect --pid 4711 --watch                  its descriptors, and which stage of its pipeline waits for which
  sluice inspect --stack out.txt --mode w            the layers, and buffer sizes, that open() would build
`;

/** The only operand, and stdin in place of a file. */
export const dataOnStdout = (_: Options, operands: string[]): boolean => operands.length === 1 && operands[0] === '-';

let watching = false;
let paint: { out: ChalkInstance | null; err: ChalkInstance | null } = { out: null, err: null };

export function render(record: JsonRecord): { out?: string; err?: string; styled: boolean } | undefined {
  if (record.type === 'pipe') {
    const page = new Page({ paint: paint.err, terminal: isTerminal(2) });
    return { err: pipePage(record as unknown as PipeReport, page), styled: true };
  }
  const page = new Page({ paint: paint.out, terminal: isTerminal(1) });
  if (record.type === 'file') return { out: filePage(record as unknown as FileFacts, page), styled: true };
  if (record.type === 'stack') return { out: stackPage(record as unknown as StackFacts, page), styled: true };
  if (record.type === 'process') {
    // On a terminal each look takes the place of the one before.
    const clear = watching && isTerminal(1) ? '\x1b[H\x1b[2J' : '';
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
  const { pid, watch, stack } = options;
  if (stack === undefined) {
    for (const name of ['mode', 'encoding', 'newline'] as const)
      if (options[name] !== undefined) throw new UsageError(`--${name} goes with --stack`);
    if (options.pythonBuffering !== undefined) throw new UsageError('--buffering with a number goes with --stack');
  } else {
    if (operands.length > 0 || pid !== undefined) throw new UsageError('--stack goes without other operands');
    const { mode = 'r', pythonBuffering, encoding, newline } = options;
    const given = { encoding, newline, ...(pythonBuffering !== undefined && { buffering: pythonBuffering }) };
    try {
      return await inspectStack({ path: stack, mode, ...given }, context);
    } catch (error) {
      if (/^ERR_(INVALID_ARG_VALUE|UNKNOWN_ENCODING)$/.test(String((error as { code?: unknown }).code)))
        throw new UsageError((error as Error).message);
      throw error;
    }
  }
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
