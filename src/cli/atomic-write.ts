// `sluice atomic-write` on the command line.

import { Command, InvalidArgumentError, Option } from 'commander';
import type { AtomicWriteOptions } from '../commands/atomic-run.js';
import { atomicWrite } from '../commands/atomic-write.js';
import type { Context, JsonRecord, Outcome } from '../commands/context.js';
import { addTextOptions, conversionOf, type TextOptions } from './conversion.js';
import { type GlobalOptions, valued as globalValued } from './globals.js';
import { parseCount } from './quantities.js';
import { UsageError } from './usage-error.js';

interface Options extends GlobalOptions, TextOptions {
  shell?: string;
  edit?: boolean;
  retries?: number;
  append?: boolean;
  seal?: string;
  allowEmpty?: boolean;
  maxShrink?: number;
  ifMatch?: string;
  noClobber?: boolean;
  check: string[];
  skipUnchanged?: boolean;
  backup?: string;
  tee?: boolean;
  mode?: number;
  inPlace?: boolean;
  sidecar?: string;
  recover?: boolean;
  leftovers?: boolean;
  remove?: boolean;
  durable?: 'strict' | 'durable' | false;
}

export function define(): Command {
  const flag = (flags: string, text: string, name?: string) => {
    const option = new Option(flags, text);
    if (name) option.attributeName = () => name;
    return option;
  };
  const command = new Command('sluice atomic-write')
    .usage(
      '[options] FILE\n       sluice atomic-write [options] FILE -- COMMAND [ARG...]\n       sluice atomic-write [options] --edit FILE -- COMMAND [ARG...]',
    )
    .argument('[operands...]', 'the file, and behind -- the command whose output it gets instead of stdin')
    .optionsGroup('Where the content comes from:')
    .addOption(flag('--shell <line>', 'the output of a shell pipeline, every part of which must succeed'))
    .addOption(flag('--edit', 'FILE is the input of the command, and must still be what was read'))
    .addOption(flag('--retries <n>', 'try an edit again when FILE has changed meanwhile (3)').argParser(parseCount(0)))
    .addOption(flag('-a, --append', 'old content and the input behind it'))
    .addOption(flag('--seal <token>', "the input's last line, before any conversion, must be TOKEN, and is taken off"))
    .optionsGroup('Leave FILE as it is (exit 3):')
    .addOption(flag('--allow-empty', 'not if the input is empty'))
    .addOption(flag('--max-shrink <percent>', 'if it would lose more than this share').argParser(parsePercent))
    .addOption(
      flag('--if-match <sha256>', 'unless this is its digest; none: unless it does not exist').argParser(parseDigest),
    )
    .addOption(flag('-n, --no-clobber', 'if it exists', 'noClobber').default(false).preset(true))
    .addOption(
      flag('--check <command>', 'unless this shell command accepts the new file, {} (repeatable)')
        .default([], 'none')
        .argParser((value: string, before: string[]) => [...before, value]),
    )
    .optionsGroup('How it is replaced:')
    .addOption(flag('--skip-unchanged', 'touch nothing if the content is the same'))
    .addOption(flag('--backup [suffix]', 'keep the old file under its name with a suffix (~)').preset('~'))
    .addOption(flag('-m, --mode <mode>', 'permissions in octal, as in chmod').argParser(parseMode))
    .addOption(flag('--tee', 'copy to stdout too'))
    .addOption(
      flag('--durable [how]', 'be on stable storage before exit (the default); strict: or fail before replacing')
        .choices(['durable', 'strict'])
        .preset('durable'),
    )
    .addOption(flag('--no-durable', 'leave it to the kernel'))
    .optionsGroup('Where no file can be replaced (a bind mount, a read-only directory):')
    .addOption(flag('--in-place', 'overwrite FILE; its new content lies saved in a sidecar meanwhile'))
    .addOption(flag('--sidecar <directory>', 'where the sidecar is (beside FILE)'))
    .addOption(flag('--recover', 'finish what an interrupted --in-place has left of FILE'))
    .optionsGroup('After a crash:')
    .addOption(flag('--leftovers', 'list the temp files in the directory FILE'))
    .addOption(flag('--remove', 'and remove those whose writer is gone'))
    .addHelpText('beforeAll', examples)
    .optionsGroup('What becomes of text:');
  return addTextOptions(command);
}

const examples = `Examples:
  generate | sluice atomic-write config.json              all of it, on stable storage, or the old one
  sluice atomic-write config.json -- generate --full      and only if generate succeeds
  sluice atomic-write --edit data.json -- jq .version=2   what jq … data.json > data.json would like to be
  sluice atomic-write --check 'visudo -cf {}' /etc/sudoers < new
`;

/**
 * The first `--` behind FILE starts the command; one before it ends the options. The parser takes the first one away in any
 * case: so the first of both is given twice where it is the command's.
 */
export function prepare(given: string[]): string[] {
  // Their operand may be given with them.
  const end = given.indexOf('--');
  const argv = given.flatMap((argument, i) => {
    const [, option, operand] = (end < 0 || i < end ? /^(--recover|--leftovers)=(.*)$/s : /$^/).exec(argument) ?? [];
    return option === undefined ? [argument] : [option, operand!];
  });
  if (!argv.includes('--')) return argv;
  const valued = new Set([
    ...globalValued,
    ...define()
      .options.filter(({ required }) => required)
      .flatMap(({ short, long }) => [short, long]),
  ]);
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i]!;
    if (argument === '--') return argv;
    if (takesNext(argument, valued)) i++;
    else if (!argument.startsWith('-') || argument === '-') {
      const at = argv.indexOf('--', i);
      return at < 0 ? argv : argv.toSpliced(at, 0, '--');
    }
  }
  return argv;
}

/** `--mode`, `-m`, or a cluster of flags that ends with one that wants a value; not `--mode=` or `-m644`. */
function takesNext(argument: string, valued: ReadonlySet<string | undefined>): boolean {
  if (argument.startsWith('--')) return valued.has(argument);
  if (!argument.startsWith('-')) return false;
  for (let i = 1; i < argument.length; i++) if (valued.has(`-${argument[i]}`)) return i === argument.length - 1;
  return false;
}

export function dataOnStdout({ tee }: Options, [path]: string[]): boolean {
  return tee === true || path === '-' || /^\/dev\/(stdout|fd\/1)$/.test(path ?? '');
}

export function render(record: JsonRecord, { verbose, quiet }: Options): { out?: string; err?: string } | undefined {
  if (record.type === 'leftover') return { out: leftover(record) };
  const { path, outcome, reason, bytes, durability } = record as Record<string, string>;
  if (outcome === 'refused') return { err: `sluice atomic-write: ${path}: ${reason} — destination left as it was` };
  if (outcome === 'unchanged' && reason !== undefined && !quiet)
    return { err: `sluice atomic-write: ${path}: ${reason}` };
  if (!verbose || outcome === 'failed') return undefined;
  return { err: `${path}: ${outcome}, ${bytes} bytes${durability === 'none' ? '' : ` (${durability})`}` };
}

function leftover(record: JsonRecord): string {
  const { path, target, bytes, ageSeconds, writer, removed } = record as Record<string, string>;
  return `${path}: for ${target}, ${bytes} bytes, ${ageSeconds} s old, writer ${writer}${removed ? ', removed' : ''}`;
}

export async function run(options: Options, operands: string[], context: Context): Promise<Outcome> {
  if (options.leftovers) {
    const { leftovers } = await import('../commands/leftovers.js');
    return leftovers({ directory: alone('--leftovers', operands), remove: options.remove ?? false }, context);
  }
  if (options.remove) throw new UsageError('--remove is for --leftovers');
  if (options.recover) {
    const { recover } = await import('../commands/atomic-in-place.js');
    return recover({ path: alone('--recover', operands), sidecar: options.sidecar }, context);
  }
  const settled = settle(options, operands);
  const conversion = await conversionOf(options);
  if (conversion) {
    const { conversionStage } = await import('../io/conversion.js');
    const name = settled.command || settled.shell !== undefined ? "the command's output" : 'standard input';
    settled.stages = [await conversionStage(conversion, name)];
  }
  return atomicWrite(settled, context);
}

function alone(option: string, operands: string[]): string {
  if (operands.length !== 1 || operands[0] === '') throw new UsageError(`${option} takes one operand`);
  return operands[0]!;
}

/** Raw options into final values, once. */
function settle(options: Options, operands: string[]): AtomicWriteOptions {
  const [path, separator, ...command] = operands;
  const { shell, edit = false, append = false, seal, ifMatch, noClobber = false } = options;
  if (path === undefined) throw new UsageError('missing file operand');
  if (path === '') throw new UsageError('the file operand is empty');
  if (separator !== undefined && separator !== '--')
    throw new UsageError(`extra operand '${separator}' (a command stands behind --)`);
  if (separator === '--' && command.length === 0) throw new UsageError('missing command after --');
  if (shell !== undefined && command.length > 0)
    throw new UsageError('--shell and a command behind -- exclude each other');
  if (edit && shell === undefined && command.length === 0)
    throw new UsageError('--edit needs a command behind --, or --shell');
  if (edit && append) throw new UsageError('--edit and --append exclude each other');
  if (options.retries !== undefined && !edit) throw new UsageError('--retries is for --edit');
  if (noClobber && (edit || append || options.backup !== undefined || (ifMatch !== undefined && ifMatch !== 'none')))
    throw new UsageError('-n wants no file, and excludes --edit, --append, --backup and --if-match SHA256');
  if (ifMatch === 'none' && (edit || options.backup !== undefined))
    throw new UsageError('--if-match none wants no file, and excludes --edit and --backup');
  if (options.sidecar !== undefined && !options.inPlace)
    throw new UsageError('--sidecar is for --in-place and --recover');
  if (options.inPlace && (noClobber || ifMatch === 'none'))
    throw new UsageError('--in-place wants a file, and excludes -n and --if-match none');
  if (options.backup === '' || options.backup?.includes('/'))
    throw new UsageError('a backup suffix is not empty, and has no /');
  if (seal !== undefined && (seal === '' || seal.includes('\n')))
    throw new UsageError('a seal is one line, and not empty');
  return {
    path,
    command: command.length > 0 ? command : undefined,
    shell,
    edit,
    retries: options.retries ?? 3,
    append,
    seal,
    anyNewline: options.newline !== undefined,
    stages: [],
    allowEmpty: options.allowEmpty ?? false,
    maxShrink: options.maxShrink,
    ifMatch,
    noClobber,
    checks: options.check,
    skipUnchanged: options.skipUnchanged ?? false,
    backup: options.backup,
    tee: options.tee ?? false,
    mode: options.mode,
    inPlace: options.inPlace ?? false,
    sidecar: options.sidecar,
    durable: options.durable === false ? 'none' : (options.durable ?? 'durable'),
    digests: options.json ?? false,
  };
}

function parsePercent(text: string): number {
  const number = Number(text.replace(/%$/, ''));
  if (!/^\d+(\.\d+)?%?$/.test(text) || number > 100) throw new InvalidArgumentError('Not a percentage from 0 to 100.');
  return number;
}

function parseDigest(text: string): string {
  const digest = text.toLowerCase();
  if (digest !== 'none' && !/^[0-9a-f]{64}$/.test(digest))
    throw new InvalidArgumentError("Not a sha256 in hexadecimal, nor 'none'.");
  return digest;
}

function parseMode(text: string): number {
  if (!/^[0-7]{1,4}$/.test(text)) throw new InvalidArgumentError("Not a mode in octal, as in '644' or '0600'.");
  return Number.parseInt(text, 8);
}
