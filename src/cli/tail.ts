// `sluice tail` on the command line: GNU's options and their order, and GNU's obsolete forms.

import { Command, InvalidArgumentError, Option } from 'commander';
import type { Context, JsonRecord, Outcome } from '../commands/context.js';
import { type TailOptions, tail } from '../commands/tail.js';
import { fileEncoding, headNeeded } from '../follow/line-ends.js';
import type { NewlineChoice } from '../follow/lines.js';
import type { GlobalOptions } from './globals.js';
import { parseDuration } from './quantities.js';
import { type Count, count, pids, seconds } from './tail-numbers.js';
import { UsageError } from './usage-error.js';

interface Options extends GlobalOptions {
  count?: Count;
  headers?: 'never' | 'always';
  follow?: 'name' | 'descriptor';
  byNameAndRetry?: boolean;
  retry?: boolean;
  pid?: number[];
  sleepInterval: number;
  rotateWait: number;
  timeout?: number;
  unbuffered?: boolean;
  until?: RegExp;
  encoding?: string;
  newline?: NewlineChoice;
  prefix?: boolean;
  timestamps?: boolean;
  checkpoint?: string;
  acrossRotations?: boolean;
  zeroTerminated?: boolean;
  digit?: string;
}

export function define(): Command {
  const option = (flags: string, text: string, name?: string) => {
    const made = new Option(flags, text);
    if (name) made.attributeName = () => name;
    return made;
  };
  const command = new Command('sluice tail')
    .usage('[options] [FILE...]')
    .argument('[files...]', 'what to print the end of; - or none is stdin')
    .optionsGroup('What is printed:')
    .addOption(
      option(
        '-n, --lines <number>',
        'so many of the last lines (10), or with +NUMBER everything from that line on',
        'count',
      ).argParser(count('lines')),
    )
    .addOption(
      option(
        '-c, --bytes <number>',
        'so many of the last bytes, or with +NUMBER everything from that byte on',
        'count',
      ).argParser(count('bytes')),
    )
    .addOption(option('-z, --zero-terminated', 'lines end with NUL, not with a newline'))
    .addOption(option('-q, --quiet', 'never print headers with file names', 'headers').preset('never'))
    .addOption(option('--silent', 'the same as --quiet', 'headers').preset('never'))
    .addOption(option('-v, --verbose', 'always print headers with file names', 'headers').preset('always'))
    .optionsGroup('Following:')
    .addOption(option('-f', 'go on with what is added to the open file', 'follow').preset('descriptor'))
    .addOption(
      option('--follow [how]', 'the same, by descriptor, or by name: whatever file has the name')
        .preset('descriptor')
        .argParser(followWay),
    )
    .addOption(option('-F', 'the same as --follow=name --retry', 'byNameAndRetry'))
    .addOption(option('--retry', 'keep trying to open a file that is not there'))
    .addOption(option('--pid <pid>', 'end when this process is gone; several: when all are').argParser(pids))
    .addOption(
      option('-s, --sleep-interval <seconds>', 'seconds between two looks that no event asks for')
        .default(1000, '1')
        .argParser(seconds),
    )
    .addOption(
      option('--rotate-wait <duration>', 'read a file that was rotated away until nothing came for so long')
        .default(5000, '5s')
        .argParser(parseDuration),
    )
    .addOption(
      option('--until <regex>', 'print up to the first line that matches, and end; exit 3 if none does').argParser(
        regex,
      ),
    )
    .addOption(option('--timeout <duration>', 'end after this time; with --until, exit 3').argParser(parseDuration))
    .optionsGroup('Rotated logs:')
    .addOption(option('--across-rotations', 'reach with -n into FILE.1, FILE.2.gz, … where FILE has too few lines'))
    .addOption(
      option(
        '--checkpoint <file>',
        'remember there how far it got; the next run goes on from there, through rotations',
      ),
    )
    .optionsGroup('How lines look:')
    .addOption(
      option('--encoding <encoding>', 'decode lines from this encoding, and write them as UTF-8').argParser(encoding),
    )
    .addOption(
      option('--newline <how>', 'LF, CRLF and CR all end a line, and are written as asked').choices([
        'keep',
        'lf',
        'crlf',
        'cr',
      ]),
    )
    .addOption(option('--prefix', "put the file's name before each line, and print no headers"))
    .addOption(option('--timestamps', 'put the time at which it was read before each line'))
    .addOption(option('-u, --unbuffered', 'same as --buffering none'))
    .addHelpText('beforeAll', examples);
  // Options of the obsolete form only, and elsewhere an error that says so.
  for (const digit of '0123456789') command.addOption(option(`-${digit}`, '', 'digit').preset(digit).hideHelp());
  return command;
}

function regex(text: string): RegExp {
  try {
    return new RegExp(text, 'u');
  } catch {
    // An escape that only the older syntax allows, perhaps.
  }
  try {
    return new RegExp(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function encoding(text: string): string {
  try {
    headNeeded(text);
    fileEncoding(text, 'newline', new Uint8Array());
    return text;
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

function followWay(text: string): 'name' | 'descriptor' {
  const found = (['name', 'descriptor'] as const).find((way) => text !== '' && way.startsWith(text));
  if (!found) throw new InvalidArgumentError("It is 'name' or 'descriptor'.");
  return found;
}

const examples = `Examples:
  sluice tail -n 100 app.log                      the last 100 lines, of a file of any size
  sluice tail -c +1024 image.bin                  everything from byte 1024 on
  make 2>&1 | sluice tail -n 20                   the last lines of a pipe
  sluice tail -F /var/log/app.log                 follow it through rotation and truncation
  sluice tail -F app.log --until 'listening on' --timeout 30s
  sluice tail -F app.log --checkpoint app.pos     go on where the last run ended, without a gap
`;

const sentences: Record<string, string> = {
  rotated: 'a new file has its name; following that',
  truncated: 'truncated; following its new content',
  lost: 'lost:',
  appeared: 'has appeared; following it',
  gone: 'is gone:',
};

export function render({ type, file, reason, certain }: JsonRecord): { err: string } | undefined {
  const sentence = certain === false ? 'may have been lost:' : sentences[type];
  if (sentence === undefined) return undefined;
  return { err: `sluice tail: ${file}: ${sentence}${reason === undefined ? '' : ` ${reason}`}` };
}

export { prepare } from './tail-obsolete.js';

export function run(options: Options, operands: string[], context: Context): Promise<Outcome> {
  return tail(settle(options, operands, context), context);
}

/** Raw options into final values, once. */
function settle(options: Options, operands: string[], context: Context): TailOptions {
  if (options.digit !== undefined) throw new UsageError(`option used in invalid context: -${options.digit}`);
  const names = operands.length > 0 ? operands : ['-'];
  const follow = options.byNameAndRetry ? 'name' : options.follow;
  const retry = options.byNameAndRetry || (options.retry ?? false);
  if (follow === 'name' && names.includes('-')) throw new UsageError('stdin has no name to follow it by');
  if (options.zeroTerminated && options.newline) throw new UsageError('-z and --newline exclude each other');
  if (options.acrossRotations && (options.count?.unit === 'bytes' || options.count?.fromStart))
    throw new UsageError('--across-rotations goes with -n N alone');
  if (options.retry && !follow) context.warn('--retry is of use only when following');
  if (options.retry && follow === 'descriptor') context.warn('--retry is of use only for the first opening with -f');
  if (options.pid?.some((pid) => pid > 0) && !follow) context.warn('--pid is of use only when following');
  const { unit, fromStart, number } = options.count ?? { unit: 'lines', fromStart: false, number: 10 };
  return {
    names,
    follow,
    retry: retry && follow !== undefined,
    pids: (options.pid ?? []).filter((pid) => pid > 0),
    interval: options.sleepInterval,
    rotateWait: options.rotateWait,
    timeout: options.timeout,
    selection: {
      unit,
      fromStart,
      // `+1` leaves nothing out, and `+0` is the same.
      count: fromStart ? Math.max(0, number - 1) : number,
    },
    headers: options.headers ?? 'several',
    zeroTerminated: options.zeroTerminated ?? false,
    buffering: options.unbuffered ? 'none' : options.buffering,
    until: options.until,
    encoding: options.encoding,
    newline: options.newline,
    prefix: options.prefix ?? false,
    timestamps: options.timestamps ?? false,
    json: options.json ?? false,
    checkpoint: options.checkpoint,
    acrossRotations: options.acrossRotations ?? false,
  };
}
