// From the arguments to the exit code: find the command, parse, run, and say how it ended.

import { Command, CommanderError } from 'commander';
import type { Outcome } from '../commands/context.js';
import { blockedReads } from '../io/blocked-reads.js';
import { bufferingChoices, unknownBuffering } from '../io/buffering.js';
import { failure } from '../io/failure.js';
import { isTerminal } from '../io/terminal.js';
import { givenArguments } from './argv.js';
import { type CommandLine, commands } from './commands.js';
import { exitCodeOf, exitCodes } from './exit-codes.js';
import { addGlobalOptions, flags, type GlobalOptions, valued } from './globals.js';
import { leaveAtOnce } from './leave.js';
import { StandardError, StandardOutput } from './output.js';
import { ClosedPipe, Reporter, wording } from './reporter.js';
import { handleSignals } from './signals.js';
import { columnsOf, escapeForTerminal } from './terminal.js';
import { UsageError } from './usage-error.js';

declare const SLUICE_VERSION: string;

/** Runs the command line and sets the process's exit code. Never throws. */
export async function run(): Promise<void> {
  await settle(givenArguments());
  leaveAtOnce();
  // A read that was given up still blocks its thread, and the program would wait for it: for a key on a terminal, say.
  if (blockedReads() > 0) {
    const { native } = await import('../io/native.js');
    native()?.files.exitNow(Number(process.exitCode));
  }
}

async function settle(argv: string[]): Promise<void> {
  try {
    process.exitCode = await dispatch(argv);
  } catch (error) {
    const told = failure(error);
    if (error instanceof ClosedPipe || told.code === 'EPIPE') {
      process.exitCode = exitCodes.closedPipe;
      return;
    }
    new StandardError().write(`sluice: ${told.path === undefined ? '' : `${told.path}: `}${wording(told)}\n`);
    if (argv.includes('--debug')) new StandardError().write(`${(error as Error).stack}\n`);
    process.exitCode = exitCodes.failed;
  }
}

async function dispatch(argv: string[]): Promise<number> {
  const { before, name, after } = splitCommand(argv);
  if (name === undefined || !Object.hasOwn(commands, name) || name === 'help') return top(before, name, after);
  const entry = commands[name]!;
  if (!entry.load) return usageError(`sluice ${name}`, `${name} is not built yet`, argv, '');
  return runCommand(name, await entry.load(), [...before, ...after]);
}

/** The command's name, and the global options before it. */
function splitCommand(argv: string[]): { before: string[]; name: string | undefined; after: string[] } {
  let i = 0;
  while (i < argv.length) {
    const argument = argv[i]!;
    if (valued.has(argument)) i += 2;
    else if (
      flags.has(argument) ||
      /^-[qv]+$/.test(argument) ||
      (argument.startsWith('--') && valued.has(argument.split('=', 1)[0]!))
    )
      i++;
    else break;
  }
  return { before: argv.slice(0, i), name: argv[i], after: argv.slice(i + 1) };
}

/** No command: the help, the version, or a usage error that names the nearest command. */
async function top(before: string[], name: string | undefined, after: string[]): Promise<number> {
  if (name === 'help' && after[0] !== undefined && Object.hasOwn(commands, after[0])) {
    return dispatch([after[0], '--help']);
  }
  const { topHelp } = await import('./help.js');
  const program = new Command('sluice').version(`sluice ${SLUICE_VERSION}`, '-V, --version');
  for (const [command, { summary, hidden = false }] of Object.entries(commands))
    program.command(command, { hidden }).description(summary);
  program.helpCommand(false).helpOption('-h, --help');
  addGlobalOptions(program);
  program.addHelpText('beforeAll', '');
  program.helpInformation = () => topHelp(columnsOf(1));
  if (name === undefined && before.length === 0) {
    // Like git and npm: the help, as an error, since nothing was done.
    new StandardError().write(topHelp(columnsOf(2)));
    return exitCodes.usage;
  }
  const argv = name === 'help' ? ['--help'] : name === undefined ? before : [...before, name, ...after];
  return parse('sluice', program, argv, argv) ?? usageError('sluice', 'a command is missing', argv);
}

async function runCommand(name: string, line: CommandLine, given: string[]): Promise<number> {
  const command = line.define();
  addGlobalOptions(command);
  let argv: string[];
  try {
    argv = withDefaults(command, line.prepare?.(given) ?? given);
  } catch (error) {
    if (error instanceof UsageError) return usageError(`sluice ${name}`, error.message, given);
    throw error;
  }
  const ended = parse(`sluice ${name}`, command, argv, given);
  if (ended !== undefined) return ended;

  const options = command.opts<GlobalOptions>();
  const operands = command.args;
  const render = line.render && ((record: { type: string }) => line.render!(record, options as never));
  const reporter = new Reporter({
    ...options,
    command: `sluice ${name}`,
    dataOnStdout: line.dataOnStdout?.(options as never, operands) ?? false,
    render,
  });
  handleSignals(() => reporter.abandon());
  const unknown = options.buffering === undefined ? unknownBuffering(process.env) : undefined;
  if (unknown !== undefined)
    reporter.warn(`SLUICE_BUFFERING has no '${unknown}'; there are ${bufferingChoices.join(', ')}: auto is taken`, {
      code: 'ERR_ENVIRONMENT',
    });
  let outcome: Outcome;
  try {
    outcome = await line.run(options as never, operands, reporter, options);
  } catch (error) {
    if (error instanceof UsageError) {
      reporter.abandon();
      return usageError(`sluice ${name}`, error.message, given);
    }
    reporter.fail(error);
    outcome = 'failed';
  }
  try {
    await reporter.close();
  } catch (error) {
    reporter.fail(error);
  }
  if (reporter.failures > 0 && (outcome === 'done' || outcome === 'undurable')) outcome = 'failed';
  return exitCodeOf(outcome);
}

/** Parse; an exit code if that ends it (help, version, a usage error). */
function parse(name: string, command: Command, argv: string[], given: string[]): number | undefined {
  const stdout = new StandardOutput(undefined);
  let error = '';
  for (const each of [command, ...command.commands])
    each.exitOverride().configureOutput({
      writeOut: (text) => stdout.write(Buffer.from(text)),
      writeErr: () => {},
      outputError: (text) => {
        error = text;
      },
      getOutHelpWidth: () => columnsOf(1),
      getErrHelpWidth: () => columnsOf(2),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  // For the nearest name the value does not count: `--progres=never` is near to --progress.
  const parser = command as unknown as { unknownOption(flag: string): void };
  const { unknownOption } = parser;
  parser.unknownOption = (flag) => unknownOption.call(command, flag.replace(/(?<=^--[^=]+)=.*/s, ''));
  try {
    command.parse(argv, { from: 'user' });
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown;
    stdout.close();
    if (thrown.exitCode === 0) return exitCodes.done;
    return usageError(name, (error || thrown.message).replace(/^error: /, '').trim(), given);
  }
}

/** GNU's `--option[=value]`: a value only with `=`, so that the next argument is never taken for one. */
function withDefaults(command: Command, argv: string[]): string[] {
  const presets = new Map(
    command.options.filter(({ optional }) => optional).map(({ long, presetArg }) => [long, presetArg]),
  );
  const end = argv.indexOf('--');
  return argv.map((argument, i) =>
    (end < 0 || i < end) && presets.has(argument) ? `${argument}=${presets.get(argument)}` : argument,
  );
}

function usageError(name: string, message: string, argv: string[], hint = `\nTry '${name} --help'.`): number {
  const text = message.replace(/\n\(Did you mean (.*)\?\)/s, (_, nearest) => ` (did you mean ${nearest}?)`);
  const end = argv.indexOf('--');
  if ((end < 0 ? argv : argv.slice(0, end)).includes('--json')) {
    const stdout = new StandardOutput(undefined);
    stdout.write(Buffer.from(`${JSON.stringify({ type: 'error', code: 'ERR_USAGE', message: text })}\n`));
    stdout.close();
  } else new StandardError().write(`${name}: ${isTerminal(2) ? escapeForTerminal(text) : text}${hint}\n`);
  return exitCodes.usage;
}
