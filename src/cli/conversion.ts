// The options that change the bytes on their way, where a command has them: raw values into final ones, refused before any file
// is touched.

import { type Command, Option } from 'commander';
import type { Compression, Decompression } from '../io/compression.js';
import type { Conversion } from '../io/conversion.js';
import type { NewlineStyle, TextConversion } from '../io/text-filter.js';
import { UsageError } from './usage-error.js';

export interface TextOptions {
  encoding?: string;
  toEncoding?: string;
  newline?: NewlineStyle;
  errors?: 'strict' | 'replace' | 'ignore' | 'backslashreplace';
  finalNewline?: boolean;
}

export interface CompressionOptions {
  compress?: Compression;
  decompress?: Decompression;
}

const newlines = ['keep', 'lf', 'crlf', 'cr'];
const errors = ['strict', 'replace', 'ignore', 'backslashreplace'];

export function addTextOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--encoding <name>', "the source's encoding (and write UTF-8, unless --to-encoding says else)"),
    )
    .addOption(new Option('--to-encoding <name>', "the destination's encoding"))
    .addOption(new Option('--newline <style>', 'how lines end: keep, lf, crlf or cr').choices(newlines))
    .addOption(
      new Option(
        '--errors <how>',
        'for what is not valid in its encoding: strict (an error), replace, ignore or backslashreplace',
      ).choices(errors),
    )
    .addOption(new Option('--final-newline', 'end text that does not end with a newline with one'));
}

export function addCompressionOptions(command: Command): Command {
  return command
    .addOption(new Option('--compress <format>', 'write gzip, brotli or zstd').choices(['gzip', 'brotli', 'zstd']))
    .addOption(
      new Option(
        '--decompress [format]',
        'read gzip, brotli, zstd, xz or bzip2; auto: as the first bytes say (brotli: the name, .br)',
      )
        .choices(['auto', 'gzip', 'brotli', 'zstd', 'xz', 'bzip2'])
        .preset('auto'),
    );
}

/** What is asked for; undefined if nothing is. Throws UsageError for an encoding that there is not. */
export async function conversionOf(options: TextOptions & CompressionOptions): Promise<Conversion | undefined> {
  const { compress, decompress } = options;
  const text = await textOf(options);
  return text || compress || decompress ? { decompress, text, compress } : undefined;
}

async function textOf(options: TextOptions): Promise<TextConversion | undefined> {
  const { encoding, toEncoding, newline, errors, finalNewline } = options;
  for (const [option, name] of [
    ['--encoding', encoding],
    ['--to-encoding', toEncoding],
  ])
    if (name !== undefined) await checkEncoding(option!, name);
  // `--newline keep` alone changes nothing.
  if (encoding ?? toEncoding ?? errors ?? finalNewline ?? (newline === 'keep' ? undefined : newline))
    return { encoding, toEncoding, newline, errors, finalNewline };
  return undefined;
}

async function checkEncoding(option: string, name: string): Promise<void> {
  const { findCodec } = await import('../io/codecs.js');
  try {
    findCodec(name);
  } catch {
    throw new UsageError(`${option} has no '${name}'`);
  }
}
