// `sluice bench` on the command line: the options, and the chart on the terminal.

import { constants } from 'node:fs';
import { Chalk } from 'chalk';
import { Command, Option } from 'commander';
import { bench, sizeName } from '../commands/bench.js';
import type { Context, JsonRecord, Outcome } from '../commands/context.js';
import { fsPath } from '../io/path.js';
import type { GlobalOptions } from './globals.js';
import { parseDuration, parsePositiveSize } from './quantities.js';
import { columnsOf, escapeForTerminal, wantsColor } from './terminal.js';
import { UsageError } from './usage-error.js';

interface Options extends GlobalOptions {
  size: number;
  time: number;
  svg?: string;
}

export function define(): Command {
  return new Command('sluice bench')
    .usage('[options] [DIRECTORY]')
    .argument('[directory]', 'the storage to measure: files are made there, and removed (default: here)')
    .addOption(
      new Option('--size <size>', 'bytes a measurement moves, at least 8M')
        .default(parsePositiveSize('32M'), '32M')
        .argParser(parsePositiveSize),
    )
    .addOption(
      new Option('--time <duration>', 'about how long all of it may take, at least three rounds')
        .default(parseDuration('20s'), '20s')
        .argParser(parseDuration),
    )
    .addOption(new Option('--svg <file>', 'draw the rates into this file too; - is stdout'))
    .addHelpText('beforeAll', examples);
}

const examples = `Examples:
  sluice bench                       is the default buffer size right for this disk?
  sluice bench /mnt/nfs --svg nfs.svg
  sluice bench --json | jq -r 'select(.type == "verdict") | .message'
`;

export async function run(options: Options, operands: string[], context: Context): Promise<Outcome> {
  if (operands.length > 1) throw new UsageError(`extra operand '${operands[1]}'`);
  const directory = operands[0] ?? '.';
  if (directory === '') throw new UsageError('an operand is empty');
  // Where the picture cannot be put is better known before the measuring.
  const picture = options.svg === undefined ? undefined : await openPicture(options.svg);
  try {
    const fileSize = Math.max(options.size, 8 * 2 ** 20);
    const result = await bench({ directory, fileSize, time: options.time }, context);
    if (picture) await picture.save(Buffer.from((await import('./bench-svg.js')).benchSvg(result)));
  } catch (error) {
    picture?.discard();
    throw error;
  }
  return 'done';
}

export const dataOnStdout = ({ svg }: Options): boolean => svg === '-' || svg === '/dev/stdout';

/** A file is replaced as a whole; a FIFO, a device, a descriptor of ours is written to. */
async function openPicture(path: string): Promise<{ save(svg: Buffer): Promise<unknown>; discard(): void }> {
  const { resolveTarget } = await import('../io/target.js');
  const target = resolveTarget(path, 'nothing was measured');
  if (target.kind === 'file') {
    const { AtomicFile } = await import('../io/atomic-file.js');
    const file = new AtomicFile(target.path);
    return {
      async save(svg) {
        const { writeAll } = await import('../io/write-all.js');
        writeAll(file.file.fileno(), svg);
        await file.commit();
      },
      discard: () => file.discard(),
    };
  }
  const { writeFile } = await import('node:fs/promises');
  const { StreamOutput } = await import('../io/stream-output.js');
  return {
    async save(svg) {
      if (target.fd === undefined) return writeFile(fsPath(target.path), svg, { flag: constants.O_WRONLY });
      const output = new StreamOutput(target.fd);
      output.write(svg);
      return output.finish();
    },
    discard: () => {},
  };
}

interface Style {
  chalk: InstanceType<typeof Chalk>;
  width: number;
}
let style: Style | undefined;

export function render(record: JsonRecord, options: Options): { out: string; styled: true } | undefined {
  style ??= { chalk: new Chalk({ level: wantsColor(1, options.color) ? 1 : 0 }), width: Math.min(columnsOf(1), 100) };
  const text = textOf(record, style);
  return text === undefined ? undefined : { out: text, styled: true };
}

let current: unknown;

function textOf(record: JsonRecord, { chalk, width }: Style): string | undefined {
  if (record.type === 'omitted') return chalk.dim(`not measured: ${record['operation']} (${record['reason']})`);
  if (record.type === 'measurement') return measurement(record, chalk, width);
  if (record.type === 'verdict') {
    const paint = record['verdict'] === 'default' ? chalk.green : chalk.yellow;
    return `${paint(`  ${record['message']}`)}`;
  }
  if (record.type !== 'summary') return undefined;
  const { fileSize, rounds, elapsedMs, directory } = record as unknown as Record<string, number> & {
    directory: string;
  };
  const facts = `${sizeName(fileSize!)} a measurement, ${rounds} rounds, ${Math.round(elapsedMs! / 1000)} s, in ${escapeForTerminal(directory)}`;
  return `\n${chalk.bold(sentence(record['message'] as string))}\n${chalk.dim(facts)}`;
}

const sentence = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}.`;

function measurement(record: JsonRecord, chalk: Style['chalk'], width: number): string {
  const { bufferSize, bytesPerSecond, low, high, fastest } = record as unknown as Record<string, number>;
  const heading = current === record['operation'] ? '' : `\n${chalk.bold(record['title'] as string)}\n`;
  current = record['operation'];
  const label = sizeName(bufferSize!).padStart(9);
  const spread = Math.max(high! / bytesPerSecond! - 1, 1 - low! / bytesPerSecond!);
  const tail = ` ${rate(bytesPerSecond!).padStart(10)} ±${spread < 1 ? Math.round(100 * spread) : '> 99'} %`.padEnd(20);
  const mark = width < 60 ? '←' : '← default';
  const room = Math.max(4, width - label.length - tail.length - mark.length - 3);
  const bar = barOf(bytesPerSecond! / fastest!, room);
  const isDefault = record['default'] as boolean;
  return `${heading}${label}  ${isDefault ? chalk.cyan(bar) : bar}${' '.repeat(room - bar.length)}${tail}${isDefault ? chalk.cyan(mark) : ''}`.trimEnd();
}

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

function barOf(share: number, room: number): string {
  const units = Math.round(share * room * 8);
  return '█'.repeat(units >> 3) + eighths[units & 7];
}

export function rate(bytesPerSecond: number): string {
  const [value, unit] = bytesPerSecond >= 1e9 ? [bytesPerSecond / 1e9, 'GB/s'] : [bytesPerSecond / 1e6, 'MB/s'];
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${unit}`;
}
