// open(): a path or descriptor becomes a stack of layers, as in Python. What is refused is refused before anything is
// opened, made or truncated; what was built is closed again when a later layer fails.
import { checkBufferSize } from './buffered.js';
import { BufferedRandom } from './buffered-random.js';
import { BufferedReader } from './buffered-reader.js';
import { BufferedWriter } from './buffered-writer.js';
import { bufferSizeFor } from './buffering.js';
import { checkErrors, type ErrorMode } from './codec-errors.js';
import { findCodec } from './codecs.js';
import { invalidArgument } from './errors.js';
import { FileIO } from './file-io.js';
import { checkFileArguments, type FileName, type FileOptions } from './opening.js';
import { TextIOWrapper } from './text-io.js';
import { checkNewline, type Newline } from './text-options.js';

export interface OpenOptions extends FileOptions {
  /** -1 = the default (line buffering on a terminal), 0 = none (binary only), 1 = by lines (text only), N > 1 bytes. */
  buffering?: number;
  /** Text only; default utf-8. */
  encoding?: string | null | undefined;
  /** Text only; default strict. */
  errors?: ErrorMode | null | undefined;
  /** Text only; default null: every kind of newline is read as `\n`, and `\n` is written as it is. */
  newline?: Newline | undefined;
}

/** Copying as much as this into a buffer costs more than the system call that it saves, in bytes. */
const LARGE_WRITE = 64 * 1024;

type Reads = 'rb' | 'br';
type Writes = 'wb' | 'bw' | 'xb' | 'bx' | 'ab' | 'ba';
type Updates = `${'r' | 'w' | 'x' | 'a'}${'b+' | '+b'}`;
type Text = `${'r' | 'w' | 'x' | 'a'}${'' | '+'}${'' | 't'}`;
type Unbuffered = OpenOptions & { buffering: 0 };
type Stack = FileIO | BufferedReader | BufferedWriter | BufferedRandom | TextIOWrapper;

/** What a mode and options ask for. */
export interface OpenPlan {
  /** The mode of the raw layer. */
  rawMode: string;
  binary: boolean;
  layer: 'BufferedReader' | 'BufferedWriter' | 'BufferedRandom';
  /** As given: -1, 0, 1 or a size. */
  buffering: number;
}

/** Understands `mode` and `options`, or throws `ERR_INVALID_ARG_VALUE` (`ERR_UNKNOWN_ENCODING`). Touches nothing. */
export function planOpen(mode: string, options: OpenOptions): OpenPlan {
  if (typeof mode !== 'string') throw invalidArgument('mode must be a string');
  if (/[^rwxabt+]/.test(mode) || new Set(mode).size !== mode.length) throw invalidArgument(`invalid mode: '${mode}'`);
  const binary = mode.includes('b');
  const kinds = mode.replace(/[bt+]/g, '');
  if (binary && mode.includes('t')) throw invalidArgument("can't have text and binary mode at once");
  if (kinds.length !== 1) throw invalidArgument('must have exactly one of create/read/write/append mode');
  const buffering = options.buffering ?? -1;
  if (!Number.isInteger(buffering)) throw invalidArgument('buffering is a whole number');
  if (buffering > 1) checkBufferSize(buffering);
  if (binary) {
    for (const option of ['encoding', 'errors', 'newline'] as const)
      if (options[option] !== undefined && options[option] !== null)
        throw invalidArgument(`binary mode doesn't take an ${option} argument`);
  } else {
    if (buffering === 0) throw invalidArgument("can't have unbuffered text I/O");
    checkNewline(options.newline);
    checkErrors(options.errors);
    findCodec(options.encoding ?? 'utf-8');
  }
  const plus = mode.includes('+');
  return {
    rawMode: `${kinds}b${plus ? '+' : ''}`,
    binary,
    layer: plus ? 'BufferedRandom' : kinds === 'r' ? 'BufferedReader' : 'BufferedWriter',
    buffering,
  };
}

/** The buffer that `open` makes over a file: its size in bytes (0 = none), and whether text is flushed line by line. */
export function chooseBuffer(
  plan: OpenPlan,
  file: { terminal: () => boolean; blockSize: number | undefined },
): { size: number; lines: boolean } {
  const lines = plan.buffering === 1 || (plan.buffering < 0 && file.terminal());
  return { size: plan.buffering > 1 || plan.buffering === 0 ? plan.buffering : bufferSizeFor(file.blockSize), lines };
}

/**
 * Opens `file`. Modes: `r` read (the default), `w` write from nothing, `x` make it (it must not exist), `a` append; `+`
 * for both directions; `b` gives bytes, `t` (the default) text. Errors are the system's (ENOENT, EEXIST, EISDIR …), and
 * `ERR_INVALID_ARG_VALUE` for what makes no sense. Close it, or say `using`: what was written waits in a buffer.
 */
export function open(file: FileName, mode?: Text, options?: OpenOptions): TextIOWrapper;
export function open(file: FileName, mode: Reads | Writes | Updates, options: Unbuffered): FileIO;
export function open(file: FileName, mode: Reads, options?: OpenOptions): BufferedReader;
export function open(file: FileName, mode: Writes, options?: OpenOptions): BufferedWriter;
export function open(file: FileName, mode: Updates, options?: OpenOptions): BufferedRandom;
export function open(file: FileName, mode: string, options?: OpenOptions): Stack;
export function open(file: FileName, mode = 'r', options: OpenOptions = {}): Stack {
  const plan = planOpen(mode, options);
  checkFileArguments(file, options);
  const raw = new FileIO(file, plan.rawMode, options);
  try {
    const { size, lines } = chooseBuffer(plan, { terminal: () => raw.isatty(), blockSize: raw.blockSize });
    if (size === 0) return raw;
    const buffer =
      plan.layer === 'BufferedRandom'
        ? new BufferedRandom(raw, size)
        : plan.layer === 'BufferedReader'
          ? new BufferedReader(raw, size)
          : new BufferedWriter(raw, size);
    if (plan.buffering < 2) buffer._large = LARGE_WRITE;
    if (plan.binary) return buffer;
    const { encoding, errors, newline } = options;
    const text = new TextIOWrapper(buffer, { encoding, errors, newline, lineBuffering: lines });
    text.mode = mode;
    return text;
  } catch (error) {
    raw.close();
    throw error;
  }
}
