// Where the new content comes from: stdin, a command's output, a shell pipeline's.

import { accessSync, constants, fstatSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Ended } from '../io/child-output.js';
import { failure, SluiceError } from '../io/failure.js';
import { FileIO } from '../io/file-io.js';
import type { Source } from '../io/raw.js';
import { SealedSource } from '../io/seal.js';

export interface InputOptions {
  /** What is to be written, for messages. */
  path: string;
  /** Its output is the input. */
  command: string[] | undefined;
  /** A shell's pipeline, every part of which must succeed. */
  shell: string | undefined;
  /** The input's last line must be this, and is taken off. */
  seal: string | undefined;
  /** CRLF and CR end that line too: newlines are being converted. */
  anyNewline: boolean;
  /** What bytes go through on their way into the file: text conversion. `behind`: they are put behind others. */
  stages: ((source: Source, behind: boolean) => Source)[];
}

export interface Input {
  source: Source;
  totalBytes: number | undefined;
  /** Aborts, with the error as its reason, once it is known that the input will not be complete. */
  failed: AbortSignal | undefined;
  /** After the end of file: was that a success? Rejects if not. */
  finish(): Promise<Ended | undefined>;
  /** How the command ended, if it has. */
  outcome(): Ended | undefined;
  close(): void;
}

/** `stdin` is what a command reads from. `behind`: the input goes behind old content. */
export async function openInput(options: InputOptions, stdin: number, behind = false): Promise<Input> {
  const argv = options.shell === undefined ? options.command : await shellCommand(options.shell);
  const input = argv ? await fromCommand(argv, options, stdin) : await fromStandardInput();
  if (options.seal !== undefined) input.source = new SealedSource(input.source, options.seal, options.anyNewline);
  return { ...input, source: options.stages.reduce((source, stage) => stage(source, behind), input.source) };
}

async function fromStandardInput(): Promise<Input> {
  let file: FileIO;
  try {
    file = new FileIO(0, 'r', { closefd: false });
  } catch (error) {
    throw failure(error, { path: 'standard input', state: 'destination left as it was' });
  }
  const stat = fstatSync(0);
  const { canBlock, streamInput } = await import('../io/stream-input.js');
  const stream = canBlock(0) ? streamInput(0) : undefined;
  return {
    source: stream ?? file,
    totalBytes: stat.isFile() ? stat.size : undefined,
    failed: undefined,
    finish: () => Promise.resolve(undefined),
    outcome: () => undefined,
    close: () => stream?.close(),
  };
}

async function fromCommand(argv: string[], { shell, path }: InputOptions, stdin: number): Promise<Input> {
  const { ChildOutput } = await import('../io/child-output.js');
  const child = await ChildOutput.start(argv, stdin);
  const failed = new AbortController();
  let ended: Ended | undefined;
  void child.ended.then((how) => {
    ended = how;
    if (how.status !== 0) failed.abort(commandFailed(shell ?? argv[0]!, how, path));
  });
  return {
    source: child.source,
    totalBytes: undefined,
    failed: failed.signal,
    outcome: () => ended,
    async finish() {
      const how = await child.ended;
      if (how.status !== 0) throw commandFailed(shell ?? argv[0]!, how, path);
      return how;
    },
    close: () => child.close(),
  };
}

function commandFailed(name: string, { status, signal, missing }: Ended, path: string): SluiceError {
  const how =
    missing !== undefined
      ? missing
      : signal !== undefined
        ? `was killed by ${signal}`
        : `failed (exit status ${status})`;
  return new SluiceError(`the command '${name}' ${how}`, { code: 'ERR_COMMAND', path });
}

/** A shell that reports the failure of any part of a pipeline: bash, or a sh that has learnt it. */
async function shellCommand(line: string): Promise<string[]> {
  if (isInPath('bash')) return ['bash', '-o', 'pipefail', '-c', line];
  const { spawnSync } = await import('node:child_process');
  if (spawnSync('sh', ['-c', 'set -o pipefail'], { stdio: 'ignore' }).status === 0)
    return ['sh', '-c', `set -o pipefail\n${line}`];
  throw new SluiceError('--shell needs a shell with pipefail: there is no bash, and sh has none', {
    code: 'ERR_SHELL',
  });
}

function isInPath(name: string): boolean {
  return (process.env['PATH'] ?? '/usr/bin:/bin').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory || '.', name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
