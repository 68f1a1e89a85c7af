// `sluice sync` on the command line.

import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import prettyBytes from 'pretty-bytes';
import type { Context, JsonRecord, Outcome } from '../commands/context.js';
import { sync } from '../commands/sync.js';
import type { SyncOptions } from '../commands/sync-options.js';
import type { GlobRule } from '../tree/rules.js';
import { addFilterOptions } from './filters.js';
import type { GlobalOptions } from './globals.js';
import { parseCount, parseDuration } from './quantities.js';
import { UsageError } from './usage-error.js';

interface Options extends GlobalOptions {
  checksum?: boolean;
  modifyWindow?: number;
  hardLinks?: boolean;
  xattrs?: boolean;
  delete?: boolean;
  deleteExcluded?: boolean;
  maxDelete?: SyncOptions['maxDelete'];
  allowEmpty?: boolean;
  trash?: string;
  rules: GlobRule[];
  gitignore?: boolean;
  oneFileSystem?: boolean;
  linkDest?: string;
  swap?: boolean;
  durable?: 'strict' | 'durable' | false;
  jobs?: number;
  strict?: boolean;
  dryRun?: boolean;
  check?: boolean;
  plan?: string;
  apply?: string;
  watch?: boolean;
  resume?: boolean;
}

export function define(): Command {
  const command = new Command('sluice sync')
    .usage('[options] SRC DEST\n       sluice sync --apply PLAN')
    .argument('[operands...]', 'the directory to copy, and the one that is to be like it')
    .optionsGroup('What is compared and kept:')
    .addOption(new Option('-c, --checksum', 'compare content instead of size and time'))
    .addOption(
      new Option('--modify-window <duration>', 'times that differ by no more are the same').argParser(parseDuration),
    )
    .addOption(new Option('-H, --hard-links', 'names of one file stay names of one file'))
    .addOption(new Option('-X, --xattrs', 'keep extended attributes and ACLs'))
    .addOption(new Option('--strict', 'fail if something could not be kept'))
    .optionsGroup('What goes:')
    .addOption(new Option('--delete', 'delete what SRC has not, after everything else'))
    .addOption(
      new Option(
        '--max-delete <n>',
        "delete nothing if it would be more: entries, or a share of DEST's ('10%')",
      ).argParser(parseLimit),
    )
    .addOption(new Option('--allow-empty', 'let an empty SRC empty DEST'))
    .addOption(new Option('--trash <directory>', 'move there instead of deleting'))
    .addOption(new Option('--delete-excluded', 'delete what is excluded, too'))
    .optionsGroup('Which entries:');
  addFilterOptions(command);
  return command
    .optionsGroup('Looking first:')
    .addOption(new Option('-n, --dry-run', 'say what would be done, and do nothing'))
    .addOption(new Option('--check', 'compare only: exit 3 if they differ'))
    .addOption(new Option('--plan <file>', 'save what would be done (- is stdout), and do nothing'))
    .addOption(new Option('--apply <file>', 'do what was planned, if both sides are still the same'))
    .optionsGroup('How it is done:')
    .addOption(new Option('--swap', 'build a new tree, and exchange the two in one step'))
    .addOption(new Option('--link-dest <directory>', 'hard links to files that are the same there'))
    .addOption(
      new Option('--durable [how]', 'be on stable storage before exit; strict: or refuse')
        .choices(['durable', 'strict'])
        .preset('durable'),
    )
    .addOption(new Option('--no-durable', 'leave it to the kernel (the default)'))
    .addOption(new Option('-j, --jobs <n>', 'threads at work (the number of CPUs)').argParser(parseCount(1)))
    .addOption(new Option('--watch', 'go on, and sync again whenever SRC changes'))
    .addOption(new Option('--resume', 'finish what a killed run began: every run does').hideHelp())
    .addHelpText('beforeAll', examples);
}

const examples = `Examples:
  sluice sync photos/ /mnt/backup/photos          copies what is new or changed
  sluice sync --delete --max-delete 5% a b        and takes away what a has not, if it is not too much
  sluice sync --plan p a b && sluice sync --apply p
  sluice sync --swap --delete build/ /srv/www     readers see the old tree or the new one, whole
`;

function parseLimit(text: string): SyncOptions['maxDelete'] {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text);
  if (!match || (match[2] === '' && match[1]!.includes('.')))
    throw new InvalidArgumentError("Not a number of entries, as in '100', or a share, as in '10%'.");
  return match[2] ? { percent: Number(match[1]) } : { count: Number(match[1]) };
}

export function render(record: JsonRecord, options: Options): { out?: string; err?: string } | undefined {
  if (record.type === 'action') {
    const { action, path, reason, to } = record as Record<string, string>;
    if (!options.verbose && !options.dryRun && !options.check) return undefined;
    if (options.quiet) return undefined;
    return { out: `${action} ${path}${to === undefined ? '' : ` -> ${to}`} (${reason})` };
  }
  if (record.type === 'summary' && !options.quiet) return { err: summary(record as Record<string, unknown>, options) };
  return undefined;
}

function summary(record: Record<string, unknown>, options: Options): string {
  const { entries, bytes, errors, dryRun } = record as Record<string, number | boolean>;
  const parts = (['created', 'updated', 'metadata', 'linked', 'deleted'] as const)
    .filter((key) => (record[key] as number) > 0)
    .map((key) => `${record[key]} ${key === 'metadata' ? 'with new metadata' : key}`);
  if (parts.length === 0 && errors === 0) {
    const nothing = options.check ? 'no difference' : 'nothing to do';
    return `sluice sync: ${nothing}: ${entries} ${entries === 1 ? 'entry is' : 'entries are'} the same`;
  }
  const moved = (bytes as number) > 0 ? [prettyBytes(bytes as number, { binary: true })] : [];
  const failed = (errors as number) > 0 ? [`${errors} ${errors === 1 ? 'error' : 'errors'}`] : [];
  return `sluice sync: ${dryRun ? 'would be: ' : ''}${[...parts, ...moved, ...failed].join(', ')}`;
}

export async function run(options: Options, operands: string[], context: Context): Promise<Outcome> {
  if (options.apply !== undefined) {
    if (operands.length > 0) throw new UsageError('--apply takes no operands: the plan names them');
    return (await import('../commands/sync-plan.js')).applyPlan(options.apply, context);
  }
  const settled = settle(options, operands);
  const { dryRun, check, plan, watch } = options;
  if ([dryRun, check, plan !== undefined, watch].filter(Boolean).length > 1 && !(dryRun && check))
    throw new UsageError('-n, --check, --plan and --watch exclude each other');
  if (plan === '-' && options.json) throw new UsageError('--plan - writes the plan to stdout, and so does --json');
  if (plan !== undefined) return (await import('../commands/sync-plan.js')).savePlan(settled, plan, context);
  if (watch) return (await import('../commands/sync-watch.js')).watch(settled, context);
  return sync(settled, dryRun || check ? { do: 'tell', ...(check && { check }) } : { do: 'run' }, context);
}

/** Raw options into final values, once. */
function settle(options: Options, operands: string[]): SyncOptions {
  const [source, destination] = operands;
  if (source === undefined) throw new UsageError('missing source directory');
  if (destination === undefined) throw new UsageError(`missing destination after '${source}'`);
  if (operands.length > 2) throw new UsageError(`extra operand '${operands[2]}'`);
  if (operands.includes('')) throw new UsageError('an operand is empty');
  for (const [key, name] of [
    ['maxDelete', '--max-delete'],
    ['trash', '--trash'],
    ['allowEmpty', '--allow-empty'],
  ] as const)
    if (options[key] !== undefined && !options.delete && !options.deleteExcluded)
      throw new UsageError(`${name} means something only with --delete`);
  if (options.swap && options.trash !== undefined) throw new UsageError('--swap and --trash exclude each other');
  const bare = (path: string) => path.replace(/(?<=[^/])\/+$/, '');
  return {
    source: bare(source),
    destination: bare(destination),
    checksum: options.checksum ?? false,
    window: options.modifyWindow ?? 0,
    links: options.hardLinks ?? false,
    xattrs: options.xattrs ?? false,
    delete: (options.delete || options.deleteExcluded) ?? false,
    deleteExcluded: options.deleteExcluded ?? false,
    maxDelete: options.maxDelete,
    allowEmpty: options.allowEmpty ?? false,
    trash: options.trash,
    filter: { rules: options.rules, gitignore: options.gitignore ?? false },
    oneFileSystem: options.oneFileSystem ?? false,
    linkDest: options.linkDest,
    swap: options.swap ?? false,
    durable: options.durable || 'none',
    jobs: options.jobs ?? availableParallelism(),
    strict: options.strict ?? false,
  };
}
