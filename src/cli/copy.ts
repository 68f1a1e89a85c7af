// `sluice copy` on the command line.

import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import type { Context, JsonRecord, Outcome } from '../commands/context.js';
import { type CopyOptions, copy, type Preserved } from '../commands/copy.js';
import type { When } from '../io/content.js';
import type { GlobRule } from '../tree/rules.js';
import {
  addCompressionOptions,
  addTextOptions,
  type CompressionOptions,
  conversionOf,
  type TextOptions,
} from './conversion.js';
import { addFilterOptions } from './filters.js';
import type { GlobalOptions } from './globals.js';
import { parseBufferSize, parseCount, parsePositiveSize } from './quantities.js';
import { UsageError } from './usage-error.js';

const whens = ['auto', 'always', 'never'];
const digests = [
  'sha256',
  'sha512',
  'blake2b512',
  'sha1',
  'md5',
  'sha384',
  'sha224',
  'sha3-256',
  'sha3-512',
  'blake2s256',
];

interface Options extends GlobalOptions, TextOptions, CompressionOptions {
  targetDirectory?: string;
  targetDirectoryNot?: boolean;
  recursive?: boolean;
  archive?: boolean;
  links?: CopyOptions['followLinks'];
  oneFileSystem?: boolean;
  rules: GlobRule[];
  gitignore?: boolean;
  jobs?: number;
  p?: boolean;
  preserve?: string;
  noClobber?: boolean;
  update?: boolean;
  backup?: string;
  inPlace?: boolean;
  reflink: When;
  sparse: When;
  verify?: boolean;
  checksum?: string;
  durable?: 'strict' | 'durable' | false;
  bufferSize?: number;
  limitRate?: number;
  resume?: boolean;
  allowChanged?: boolean;
  strict?: boolean;
  dryRun?: boolean;
}

export function define(): Command {
  const flag = (flags: string, text: string, name?: string) => {
    const option = new Option(flags, text);
    if (name) option.attributeName = () => name;
    return option;
  };
  const command = new Command('sluice copy')
    .usage(
      '[options] SOURCE DEST\n       sluice copy [options] SOURCE... DIRECTORY\n       sluice copy [options] -t DIRECTORY SOURCE...',
    )
    .argument('[operands...]', 'what to copy, and where to; - is stdin or stdout')
    .optionsGroup('What goes where:')
    .addOption(flag('-t, --target-directory <directory>', 'copy all sources into this directory'))
    .addOption(
      flag(
        '-T, --no-target-directory',
        'never copy into the destination, though it is a directory',
        'targetDirectoryNot',
      )
        .default(false)
        .preset(true),
    )
    .addOption(flag('-r, --recursive', 'copy directories with all that is in them'))
    .addOption(
      flag('-L, --dereference', 'copy what symlinks lead to (the default without -r)', 'links').preset('always'),
    )
    .addOption(
      flag('-P, --no-dereference', 'copy symlinks as symlinks (the default with -r)', 'links')
        .default(undefined)
        .preset('never'),
    )
    .addOption(flag('-H', 'follow symlinks that are operands, and no others', 'links').preset('operands'))
    .addOption(flag('-n, --no-clobber', 'keep what exists, without a race', 'noClobber').default(false).preset(true))
    .addOption(flag('-u, --update', 'replace only what is older than its source'))
    .addOption(flag('--backup [suffix]', 'keep the replaced file under its name with a suffix (~)').preset('~'))
    .addOption(flag('--in-place', 'write into the existing file instead of replacing it'))
    .addOption(flag('--dry-run', 'say what would be done, and do nothing'));
  addFilterOptions(command);
  command
    .addOption(flag('-j, --jobs <n>', 'threads at work on a tree (the number of CPUs)').argParser(parseCount(1)))
    .optionsGroup('What is kept:')
    .addOption(flag('-a, --archive', 'same as -r -P --preserve=all, and devices as root'))
    .addOption(flag('-p', 'same as --preserve=mode,ownership,timestamps'))
    .addOption(flag('--preserve <list>', 'keep these: mode, ownership, timestamps, links, xattr (ACLs too), all'))
    .addOption(flag('--strict', 'fail if something could not be kept'))
    .addOption(flag('--allow-changed', 'only warn of a source that changes or vanishes while it is copied'))
    .optionsGroup('Certainty:')
    .addOption(flag('--verify', 'read the new file back from storage before it replaces the old one'))
    .addOption(flag('--checksum [algorithm]', 'print a line for sha256sum -c, from the same read').preset('sha256'))
    .addOption(
      flag('--durable [how]', 'be on stable storage before exit; strict: or fail before replacing')
        .choices(['durable', 'strict'])
        .preset('durable'),
    )
    .addOption(flag('--no-durable', 'leave it to the kernel (the default)'))
    .addOption(flag('--resume', 'go on with an interrupted copy of the same source'))
    .optionsGroup('How bytes go:')
    .addOption(flag('--reflink <when>', 'share blocks: auto, always or never').choices(whens).default('auto'))
    .addOption(
      flag('--sparse <when>', 'make holes: auto (where the source has some), always or never')
        .choices(whens)
        .default('auto'),
    )
    .addOption(flag('--buffer-size <size>', 'bytes a step').argParser(parseBufferSize))
    .addOption(flag('--limit-rate <size>', 'bytes a second, at most').argParser(parsePositiveSize))
    .addHelpText('beforeAll', examples)
    .optionsGroup('What becomes of them:');
  return addCompressionOptions(addTextOptions(command));
}

const examples = `Examples:
  sluice copy disk.img /mnt/usb/                  the whole file, or what was there before
  sluice copy -p --verify --durable a b           as it was, read back, on stable storage
  sluice copy - log.txt < /dev/ttyS0              from stdin; readers never see half of it
  sluice copy big.iso - | ssh host 'cat > big.iso'
`;

export function dataOnStdout(options: Options, operands: string[]): boolean {
  return (
    destinationOf(options, operands) === '-' ||
    /^\/(dev\/(stdout|fd\/1)|proc\/self\/fd\/1)$/.test(destinationOf(options, operands) ?? '')
  );
}

const destinationOf = (options: Options, operands: string[]): string | undefined =>
  options.targetDirectory ?? operands.at(-1);

export function render(record: JsonRecord, options: Options): { out?: string; err?: string } | undefined {
  const text = textOf(record, options);
  if (text === undefined) return undefined;
  return options.checksum === undefined ? { out: text } : { err: text };
}

function textOf(record: JsonRecord, { verbose }: Options): string | undefined {
  const { type, source, destination, action, reason, method } = record as Record<string, string>;
  if (type === 'action') return `would ${action} ${destination} from ${source}`;
  if (!verbose) return undefined;
  if (type === 'copied') return `${source} -> ${destination} (${method})`;
  if (type === 'skipped') return `${destination}: skipped: it ${reason}`;
  return undefined;
}

export async function run(options: Options, operands: string[], context: Context): Promise<Outcome> {
  const settled = { ...settle(options, operands), conversion: await conversionOf(options) };
  if (settled.conversion) refuseConverting(settled);
  if (settled.checksum !== undefined) settled.checksum = await digestNamed(settled.checksum);
  return copy(settled, context);
}

/** Raw options into final values, once. */
function settle(options: Options, operands: string[]): Omit<CopyOptions, 'conversion'> {
  const { targetDirectory } = options;
  const sources = targetDirectory === undefined ? operands.slice(0, -1) : operands;
  const destination = targetDirectory ?? operands.at(-1);
  if (operands.length === 0) throw new UsageError('missing file operand');
  if (destination === undefined || sources.length === 0)
    throw new UsageError(`missing destination after '${operands[0]}'`);
  if (operands.includes('') || targetDirectory === '') throw new UsageError('an operand is empty');
  if (targetDirectory !== undefined && options.targetDirectoryNot) throw new UsageError('-t and -T exclude each other');
  if (options.targetDirectoryNot && sources.length > 1) throw new UsageError(`extra operand '${operands[2]}'`);
  if (options.noClobber && options.backup !== undefined) throw new UsageError('-n and --backup exclude each other');
  if (options.backup === '' || options.backup?.includes('/'))
    throw new UsageError(`--backup takes a suffix, which '${options.backup}' is not`);
  const always = options.reflink === 'always' && '--reflink=always';
  for (const [one, other] of [
    [options.resume && '--resume', options.inPlace && '--in-place'],
    [options.noClobber && '-n', options.inPlace && '--in-place'],
    [options.backup !== undefined && '--backup', options.inPlace && '--in-place'],
    [always, options.inPlace && '--in-place'],
    [always, options.resume && '--resume'],
    [always, destination === '-' && 'stdout'],
    [options.verify && '--verify', destination === '-' && 'stdout'],
  ])
    if (one && other) throw new UsageError(`${one} and ${other} exclude each other`);
  if (sources.filter((source) => source === '-').length > 1) throw new UsageError('stdin can be read once only');
  const { checksum } = options;
  return {
    sources,
    destination,
    directory: targetDirectory !== undefined ? 'must' : options.targetDirectoryNot ? 'never' : 'may',
    recursive: options.recursive || options.archive || false,
    followLinks: options.links ?? (options.recursive || options.archive ? 'never' : 'always'),
    devices: options.archive ?? false,
    oneFileSystem: options.oneFileSystem ?? false,
    filter: { rules: options.rules, gitignore: options.gitignore ?? false },
    jobs: options.jobs ?? availableParallelism(),
    preserve: preserved(options),
    noClobber: options.noClobber ?? false,
    update: options.update ?? false,
    backup: options.backup,
    inPlace: options.inPlace ?? false,
    reflink: options.reflink,
    sparse: options.sparse,
    verify: options.verify ?? false,
    checksum,
    durable: options.durable || 'none',
    bufferSize: options.bufferSize,
    limitRate: options.limitRate,
    resume: options.resume ?? false,
    allowChanged: options.allowChanged ?? false,
    strict: options.strict ?? false,
    dryRun: options.dryRun ?? false,
  };
}

function refuseConverting({ resume, reflink }: Omit<CopyOptions, 'conversion'>): void {
  const other = resume ? '--resume' : reflink === 'always' ? '--reflink=always' : undefined;
  if (other) throw new UsageError(`${other} keeps the bytes as they are: it excludes converting them`);
}

/** The name by which the digest is known here; that of the records too. */
async function digestNamed(name: string): Promise<string> {
  const known = (await import('node:crypto')).getHashes();
  const found = [name.toLowerCase(), name].find((each) => known.includes(each));
  if (found === undefined)
    throw new UsageError(
      `unknown digest '${name}'; there are ${digests.filter((each) => known.includes(each)).join(', ')}, …`,
    );
  return found;
}

const usual: Preserved[] = ['mode', 'ownership', 'timestamps'];
const attributes: Preserved[] = [...usual, 'links', 'xattr'];

function preserved({ p, archive, preserve }: Options): Set<Preserved> {
  const kept = new Set<Preserved>(archive ? attributes : p ? usual : []);
  for (const name of preserve?.split(',') ?? []) {
    if (name === 'all') for (const each of attributes) kept.add(each);
    else if (attributes.includes(name as Preserved)) kept.add(name as Preserved);
    else throw new UsageError(`--preserve has no '${name}'; there are ${attributes.join(', ')} and all`);
  }
  return kept;
}
