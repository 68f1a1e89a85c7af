// xz, for reading: the xz-embedded decoder that xz-decompress ships as WebAssembly, driven from here: the package's own
// stream is one of promises, and hides what is wrong with the data.

import { XzReadableStream } from 'xz-decompress';
import { DamagedData, type Filter } from './filter.js';

/** Not in the package's types: its version is pinned by the bundle. */
interface Inside {
  _getModuleInstance(): Promise<void>;
  _moduleInstance?: { exports: Decoder };
}

interface Decoder {
  memory: { buffer: ArrayBuffer };
  create_context(): number;
  supply_input(context: number, length: number): void;
  get_next_output(context: number): number;
}

/** `enum xz_ret` of xz-embedded. */
const results = { ok: 0, streamEnd: 1 };
const reasons: Record<number, string> = {
  2: 'its checksum is of an unknown kind',
  3: 'out of memory',
  4: 'its dictionary is too large',
  5: 'it is not in the xz format',
  6: 'it uses options that are not supported',
  7: 'corrupt data',
  8: 'unexpected end of file',
};

/** Reads one stream or several in a row, with padding (zeros, by fours) between and after them. */
export async function xzDecompressor(): Promise<Filter> {
  const inside = XzReadableStream as unknown as Inside;
  await inside._getModuleInstance();
  const decoder = inside._moduleInstance!.exports;
  const context = decoder.create_context();
  /** Size of both buffers; input's start, position, length; output's start, position. Memory moves when it grows. */
  const fields = () => new Uint32Array(decoder.memory.buffer, context, 6) as unknown as number[] & Uint32Array;
  const size = fields()[0]!;

  /** Decodes what was supplied; no input = no more will come. */
  function* decode(length: number): Generator<Uint8Array> {
    decoder.supply_input(context, length);
    for (;;) {
      const result = decoder.get_next_output(context);
      const [, , used, , out, filled] = fields() as unknown as [number, number, number, number, number, number];
      if (filled > 0) yield new Uint8Array(decoder.memory.buffer, out, filled);
      fields()[5] = 0;
      if (result === results.streamEnd) return;
      if (result !== results.ok) throw new DamagedData(reasons[result] ?? `error ${result}`);
      if (length > 0 && used === length && filled < size) return;
    }
  }

  return {
    *push(chunk) {
      for (let at = 0; at < chunk.length; at += size) {
        const input = chunk.subarray(at, at + size);
        new Uint8Array(decoder.memory.buffer).set(input, fields()[1]!);
        yield* decode(input.length);
      }
    },
    end: () => decode(0),
  };
}
