// `sluice flush` on the command line.

import { Command } from 'commander';
import type { Context, JsonRecord, Outcome } from '../commands/context.js';
import { flush } from '../commands/flush.js';
import type { GlobalOptions } from './globals.js';
import { UsageError } from './usage-error.js';

interface Options extends GlobalOptions {
  data?: boolean;
  recursive?: boolean;
  filesystem?: boolean;
}

export function define(): Command {
  return new Command('sluice flush')
    .usage('[options] PATH...')
    .argument('[paths...]', 'files and directories that are to survive a power cut, with their names')
    .option('-r, --recursive', 'and everything in directories, at any depth')
    .option('--data', 'of files only the content, not times and modes (fdatasync)')
    .option('--filesystem', 'all of the file systems that the paths are on (syncfs)')
    .addHelpText('beforeAll', examples);
}

const examples = `Examples:
  tar xf backup.tar && sluice flush -r backup/    what tar has made survives a power cut
  sluice flush --filesystem /mnt/usb              safe to pull out
`;

export function render(record: JsonRecord, { verbose }: Options): { out: string } | undefined {
  if (!verbose || record.type !== 'flushed') return undefined;
  const { path, method, durability } = record as Record<string, string>;
  return { out: `${path}: ${method}${durability === 'durable' ? '' : ` (${durability})`}` };
}

export function run(options: Options, paths: string[], context: Context): Promise<Outcome> {
  const { data = false, recursive = false, filesystem = false } = options;
  if (paths.length === 0) throw new UsageError('missing operand');
  if (paths.includes('')) throw new UsageError('an operand is empty');
  if (filesystem && data) throw new UsageError('--filesystem and --data exclude each other');
  // Read when the pool starts: waiting for storage is all that its threads do here.
  process.env['UV_THREADPOOL_SIZE'] ??= '16';
  return flush({ paths, data, recursive, filesystem }, context);
}
