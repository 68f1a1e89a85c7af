// The one place that decides buffering: what a descriptor is, what was asked for and what the environment says become
// line, block or none. Writers never ask.
import { DEFAULT_BUFFER_SIZE, LARGEST_BUFFER_SIZE } from './buffer-size.js';

/** What a descriptor leads to. */
export type DescriptorKind = 'terminal' | 'pipe' | 'socket' | 'file' | 'null' | 'device';

/** What can be asked for: `--buffering`, `SLUICE_BUFFERING`. */
export const bufferingChoices = ['auto', 'line', 'block', 'none'] as const;
export type BufferingChoice = (typeof bufferingChoices)[number];

/** The part of `process.env` that matters here. */
export interface Environment {
  SLUICE_UNBUFFERED?: string | undefined;
  SLUICE_BUFFERING?: string | undefined;
}

export type Buffering =
  /** Written out at every newline, and when `size` bytes wait. */
  | { kind: 'line'; size: number }
  /** Written out when `size` bytes wait; `flushWhenIdle`: also when the source has nothing more for now. */
  | { kind: 'block'; size: number; flushWhenIdle: boolean }
  /** Written out at once. */
  | { kind: 'none' };

/**
 * How to write to a descriptor of this kind. `option` (a flag) comes before `SLUICE_UNBUFFERED` (any value but empty and
 * 0), and that before `SLUICE_BUFFERING`. auto = line on a terminal; else block, flushed whenever the source goes idle.
 */
export function decideBuffering(
  descriptor: { kind: DescriptorKind; blockSize?: number | undefined },
  option: BufferingChoice | undefined,
  environment: Environment,
): Buffering {
  const size = bufferSizeFor(descriptor.blockSize);
  switch (option ?? fromEnvironment(environment)) {
    case 'none':
      return { kind: 'none' };
    case 'line':
      return { kind: 'line', size };
    case 'block':
      return { kind: 'block', size, flushWhenIdle: false };
    case 'auto':
      return descriptor.kind === 'terminal' ? { kind: 'line', size } : { kind: 'block', size, flushWhenIdle: true };
  }
}

function fromEnvironment(environment: Environment): BufferingChoice {
  if (saysUnbuffered(environment)) return 'none';
  const named = environment.SLUICE_BUFFERING;
  return bufferingChoices.find((choice) => choice === named) ?? 'auto';
}

function saysUnbuffered({ SLUICE_UNBUFFERED: value }: Environment): boolean {
  return value !== undefined && value !== '' && value !== '0';
}

/** What the environment asks for in vain: there is no such buffering, and auto is taken for it. */
export function unknownBuffering(environment: Environment): string | undefined {
  const named = environment.SLUICE_BUFFERING;
  if (!named || saysUnbuffered(environment)) return undefined;
  return (bufferingChoices as readonly string[]).includes(named) ? undefined : named;
}

/** The buffer for a file whose preferred size of reads and writes is `blockSize`, in bytes. */
export function bufferSizeFor(blockSize: number | undefined): number {
  return Math.min(LARGEST_BUFFER_SIZE, Math.max(DEFAULT_BUFFER_SIZE, blockSize ?? 0));
}
