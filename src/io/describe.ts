// What a stack is made of, as data: one record a layer, from the top down.
import { Buffered } from './buffered.js';
import { BufferedRWPair } from './buffered-rw-pair.js';
import { BytesIO } from './bytes-io.js';
import { FileIO } from './file-io.js';
import { chooseBuffer, type OpenOptions, planOpen } from './open.js';
import type { FileName } from './opening.js';
import { TextIOWrapper } from './text-io.js';

/** One layer. What a layer does not have is absent. */
export interface LayerDescription {
  /** `TextIOWrapper`, `BufferedReader`, `FileIO` …; what is not ours by its constructor's name. */
  class: string;
  encoding?: string;
  errors?: string;
  newline?: string | null;
  lineBuffering?: boolean;
  writeThrough?: boolean;
  /** Bytes. */
  bufferSize?: number;
  name?: string | number;
  mode?: string;
  /** The descriptor. */
  fileno?: number;
  closefd?: boolean;
  /** The file system's preferred size of reads and writes in bytes. */
  blockSize?: number;
  terminal?: boolean;
  seekable?: boolean;
  /** Bytes in memory, of a BytesIO. */
  size?: number;
  reader?: LayerDescription[];
  writer?: LayerDescription[];
  closed?: boolean;
}

/** The layers of `stack`, from the top down to what it stands on. */
export function describe(stack: object): LayerDescription[] {
  if (stack instanceof TextIOWrapper) {
    const { encoding, errors, newline, lineBuffering, writeThrough, mode, buffer } = stack;
    const layer = { class: 'TextIOWrapper', encoding, errors, newline, lineBuffering, writeThrough };
    return [mode === undefined ? layer : { ...layer, mode }, ...(buffer === null ? [] : describe(buffer))];
  }
  if (stack instanceof Buffered) {
    const layer = { class: stack.constructor.name, bufferSize: stack.bufferSize };
    return [layer, ...(stack.raw === null ? [] : describe(stack.raw))];
  }
  if (stack instanceof BufferedRWPair)
    return [{ class: 'BufferedRWPair', reader: describe(stack.reader), writer: describe(stack.writer) }];
  if (stack instanceof FileIO) {
    const { closefd, blockSize, mode, closed } = stack;
    const layer = { class: 'FileIO', name: nameOf(stack.name), mode, closefd, blockSize };
    if (closed) return [{ ...layer, closed }];
    return [{ ...layer, fileno: stack.fileno(), terminal: stack.isatty(), seekable: stack.seekable() }];
  }
  if (stack instanceof BytesIO)
    return [stack.closed ? { class: 'BytesIO', closed: true } : { class: 'BytesIO', size: stack.size }];
  return [{ class: stack.constructor?.name || 'Object' }];
}

function nameOf(name: FileName): string | number {
  return typeof name === 'number' || typeof name === 'string' ? name : name.toString();
}

/**
 * The layers that `open(file, mode, options)` would build over a file with these facts. Nothing is opened or touched;
 * what `open` refuses throws here too.
 */
export function describeOpen(
  file: string | number,
  mode: string,
  options: OpenOptions,
  facts: { terminal: boolean; blockSize: number; seekable?: boolean | undefined },
): LayerDescription[] {
  const plan = planOpen(mode, options);
  const { size, lines } = chooseBuffer(plan, { terminal: () => facts.terminal, blockSize: facts.blockSize });
  const { terminal, blockSize, seekable } = facts;
  // FileIO spells w+ as rb+: what can be done, not what was done at the start.
  const rawMode = plan.rawMode === 'wb+' ? 'rb+' : plan.rawMode;
  const closefd = options.closefd ?? true;
  const layers: LayerDescription[] = [
    {
      class: 'FileIO',
      name: file,
      mode: rawMode,
      closefd,
      blockSize,
      terminal,
      ...(seekable !== undefined && { seekable }),
    },
  ];
  if (size > 0) layers.unshift({ class: plan.layer, bufferSize: size });
  if (!plan.binary)
    layers.unshift({
      class: 'TextIOWrapper',
      encoding: options.encoding ?? 'utf-8',
      errors: options.errors ?? 'strict',
      newline: options.newline ?? null,
      lineBuffering: lines,
      writeThrough: false,
      mode,
    });
  return layers;
}
