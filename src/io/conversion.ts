// What a copy may do to the bytes on their way: decompress, convert text, compress, in this order. Each part is loaded only
// where it is asked for.

import type { Compression, Decompression } from './compression.js';
import { type ContentOptions, type ContentResult, changeOf } from './content.js';
import type { FileIO } from './file-io.js';
import { copyInto } from './pump.js';
import type { Sink, Source } from './raw.js';
import type { TextConversion } from './text-filter.js';

export interface Conversion {
  decompress?: Decompression | undefined;
  text?: TextConversion | undefined;
  compress?: Compression | undefined;
}

/** The steps of `conversion` as one; `name` is the source's, for messages. `behind`: what comes out is put behind other text. */
export async function conversionStage(
  conversion: Conversion,
  name: string,
): Promise<(source: Source, behind?: boolean) => Source> {
  const { decompress, text, compress } = conversion;
  const stages: ((source: Source, behind: boolean) => Source)[] = [];
  if (decompress !== undefined || compress !== undefined) {
    const { compressing, decompressing } = await import('./compression.js');
    if (decompress !== undefined) stages.push(decompressing(decompress, name));
    if (compress !== undefined) stages.push(compressing(compress));
  }
  if (text) {
    const { textFilter } = await import('./text-filter.js');
    const { FilterSource } = await import('./filter.js');
    stages.splice(
      decompress === undefined ? 0 : 1,
      0,
      (source, behind) => new FilterSource(source, textFilter(text, name, behind)),
    );
  }
  return (source, behind = false) => stages.reduce((from, stage) => stage(from, behind), source);
}

/**
 * As `copyContent`, through the steps of `conversion`. `bytes` counts what is written, `onBytes` what is read, and `onChunk`
 * sees what is written.
 */
export async function copyConverted(
  source: FileIO & Source,
  sink: FileIO,
  conversion: Conversion,
  name: string,
  options: ContentOptions,
): Promise<ContentResult> {
  const { fstatSync } = await import('node:fs');
  const before = fstatSync(source.fileno(), { bigint: true });
  const { onChunk, onBytes, bufferSize, limitRate, signal } = options;
  const stage = await conversionStage(conversion, name);
  const from = stage(measured(source, before.isFile() ? Number(before.size) : 0, onBytes, fstatSync));
  let into: Sink & { finish?(): void } = sink;
  if (options.sparse === 'always') into = new (await import('./sparse-sink.js')).SparseSink(sink, sink.tell());
  const bytes = await copyInto(from, into, { bufferSize, limitRate, signal, onBytes: onChunk });
  into.finish?.();
  return { bytes, method: 'readinto', change: before.isFile() ? changeOf(source, before) : undefined, why: undefined };
}

/** `source` up to the size that it has, as `copyContent` reads it: a file that grows is not read for ever. */
function measured(
  source: FileIO & Source,
  size: number,
  onBytes: ContentOptions['onBytes'],
  fstatSync: typeof import('node:fs').fstatSync,
): Source {
  let read = 0;
  let bounded = size > 0;
  return {
    readInto(view) {
      // A size that still stands when it has been read is believed, or, if it was made up (/proc), read beyond.
      if (bounded && read === size) {
        if (fstatSync(source.fileno()).size !== size) return 0;
        bounded = false;
      }
      const count = source.readInto(bounded && size - read < view.length ? view.subarray(0, size - read) : view);
      if (count) {
        read += count;
        onBytes?.(count);
      }
      return count;
    },
    ...(source.ready && { ready: () => source.ready!() }),
  };
}
