// Zstandard by its own library: the system's where there is one (native calls), else in WebAssembly, which takes four times as long. Reading
// does not go through node:zlib in any version: its decoder lets data that are cut short pass for whole (22) and drops all frames but the
// first (22, 24). Writing needs this before 22.15.

import { createRequire } from 'node:module';
import { DamagedData, type Filter } from './filter.js';
import type { Zstd } from './native/zstd.js';
import { native } from './native.js';

/** Reads one frame or several in a row; checksums are compared where the frames have them. */
export async function zstdDecompressor(): Promise<Filter> {
  const library = native()?.zstd;
  return library ? nativeDecompressor(library) : wasmDecompressor();
}

/** Writes what every decoder reads as one stream. */
export async function zstdCompressor(level: number): Promise<Filter> {
  const library = native()?.zstd;
  return library ? nativeCompressor(library, level) : wasmCompressor(level);
}

const nothing = Buffer.alloc(0);

function nativeDecompressor(library: Zstd): Filter {
  const stream = library.decompressor();
  let some = false;
  /** Between two frames, or behind the last. */
  let whole = false;
  function step(chunk: Uint8Array, at: number) {
    try {
      return stream.step(chunk, at, false);
    } catch (error) {
      stream.close();
      throw new DamagedData((error as Error).message);
    }
  }
  return {
    *push(chunk) {
      some = true;
      for (let at = 0; at < chunk.length; ) {
        const { used, output, pending } = step(chunk, at);
        at += used;
        whole = pending === 0;
        if (output.length > 0) yield output;
      }
    },
    // biome-ignore lint/correctness/useYield: the last frame's end has come out with its last byte.
    *end() {
      stream.close();
      if (!some || !whole) throw new DamagedData('unexpected end of file');
    },
  };
}

function nativeCompressor(library: Zstd, level: number): Filter {
  const stream = library.compressor(level);
  return {
    *push(chunk) {
      for (let at = 0; at < chunk.length; ) {
        const { used, output } = stream.step(chunk, at, false);
        at += used;
        if (output.length > 0) yield output;
      }
    },
    *end() {
      for (let pending = 1; pending > 0; ) {
        const step = stream.step(nothing, 0, true);
        pending = step.pending;
        if (step.output.length > 0) yield step.output;
      }
      stream.close();
    },
  };
}

async function wasmDecompressor(): Promise<Filter> {
  const { ZSTDDecoder } = await import('zstddec/stream');
  const decoder = new ZSTDDecoder();
  await decoder.init();
  let waiting: Uint8Array | null = null;
  let some = false;
  // The decoder asks for input whenever it has used up what it had: it is only called while there is some to give, or no more will come.
  const input = (function* () {
    while (waiting !== null) {
      const chunk: Uint8Array = waiting;
      waiting = null;
      yield chunk;
    }
  })();
  const output = decoder.decodeStreaming(input);
  let idle = 0;

  function next(): IteratorResult<Uint8Array> {
    let piece: IteratorResult<Uint8Array>;
    try {
      piece = output.next();
    } catch (error) {
      throw new DamagedData((error as Error).message);
    }
    // An error shows as a decoder that takes nothing and gives nothing.
    idle = piece.done || piece.value.length > 0 || waiting === null ? 0 : idle + 1;
    return piece;
  }

  return {
    *push(chunk) {
      some = true;
      waiting = Buffer.from(chunk);
      while (waiting !== null) {
        const { value, done } = next();
        if (idle > 4) throw new DamagedData('not a zstd frame, or a checksum that does not match');
        if (!done) yield value;
      }
    },
    *end() {
      if (!some) throw new DamagedData('unexpected end of file');
      for (let empty = 0; ; ) {
        const { value, done } = next();
        if (done) return;
        empty = value.length === 0 ? empty + 1 : 0;
        if (empty > 4) throw new DamagedData('not a zstd frame, or a checksum that does not match');
        yield value;
      }
    },
  };
}

/** The byte of a frame's header that says what is in the frame, and its bit for the checksum (RFC 8878, 3.1.1.1). */
const descriptor = 4;
const hasChecksum = 4;

type Library = typeof import('@bokuweb/zstd-wasm');
let loading: Promise<Library> | undefined;

/** Once in a process: it does not bear being set up again. */
function loaded(): Promise<Library> {
  loading ??= (async () => {
    const writer = createRequire(import.meta.url)(library) as Library;
    await writer.init();
    return writer;
  })();
  return loading;
}

/** A row of frames, each compressed by itself: this library has no streams. Nor has it checksums, which are put behind what it gives. */
async function wasmCompressor(level: number): Promise<Filter> {
  const { compress } = await loaded();
  const { hashedMemory } = await import('./xxh64.js');
  const { memory: pending, checksum } = hashedMemory();
  const frame = pending.length;
  let filled = 0;
  let frames = 0;
  const flush = (): Uint8Array => {
    const bytes = compress(pending.subarray(0, filled), level);
    const closed = Buffer.allocUnsafe(bytes.length + 4);
    closed.set(bytes);
    closed[descriptor]! |= hasChecksum;
    closed.writeInt32LE(checksum(filled), bytes.length);
    filled = 0;
    frames++;
    return closed;
  };
  return {
    *push(chunk) {
      for (let at = 0; at < chunk.length; ) {
        const count = Math.min(chunk.length - at, frame - filled);
        pending.set(chunk.subarray(at, at + count), filled);
        filled += count;
        at += count;
        if (filled === frame) yield flush();
      }
    },
    *end() {
      if (filled > 0 || frames === 0) yield flush();
    },
  };
}

declare const SLUICE_ZSTD: string | undefined;
/** Its WebAssembly lies beside it in the built package. */
const library = typeof SLUICE_ZSTD === 'undefined' ? '@bokuweb/zstd-wasm' : SLUICE_ZSTD;
