// Zstandard by the system's own library (libzstd.so.1, which package managers and systemd bring along), in its streaming form.

import type { Libc } from './libc.js';

/** One stream. What `step` gives is overwritten by the next call. */
export interface ZstdStream {
  /**
   * Works on `input` from `at` on. `used` counts its bytes, `output` is what came out, and `pending` is 0 where a frame is complete and all
   * of it is out (when decompressing), or nothing is held back (when compressing with `finish`). Throws an Error with the library's words.
   */
  step(input: Uint8Array, at: number, finish: boolean): { used: number; output: Uint8Array; pending: number };
  /** Frees its memory; to be called once, and nothing after it. Without it, the garbage collector does. */
  close(): void;
}

export interface Zstd {
  decompressor(): ZstdStream;
  /** One frame, with its checksum. */
  compressor(level: number): ZstdStream;
}

/** The library's own advice is a block, 128 KiB; two of them halve the calls. */
const room = 256 * 1024;

/** `ZSTD_cParameter` and `ZSTD_EndDirective`. */
const [compressionLevel, checksumFlag] = [100, 201];
const [goOn, end] = [0, 2];

export function zstd(libc: Libc): Zstd | null {
  let library: Libc;
  try {
    library = libc.library('libzstd.so.1');
  } catch {
    return null;
  }
  const stream = ['uint64', 'void *', 'uint64', 'void *', 'void *', 'uint64', 'void *'] as const;
  const c = library.functions({
    ZSTD_createDCtx: { result: 'uint64', args: [] },
    ZSTD_freeDCtx: { result: 'uint64', args: ['uint64'] },
    ZSTD_createCCtx: { result: 'uint64', args: [] },
    ZSTD_freeCCtx: { result: 'uint64', args: ['uint64'] },
    ZSTD_CCtx_setParameter: { result: 'uint64', args: ['uint64', 'int', 'int'] },
    // The forms that take no structs, which would need the addresses of our buffers.
    ZSTD_decompressStream_simpleArgs: { result: 'uint64', args: stream },
    ZSTD_compressStream2_simpleArgs: { result: 'uint64', args: [...stream, 'int'] },
    ZSTD_getErrorName: { result: 'str', args: ['uint64'] },
  });
  try {
    // A library built without them is as good as none.
    void [c.ZSTD_decompressStream_simpleArgs, c.ZSTD_compressStream2_simpleArgs];
  } catch {
    return null;
  }

  /** Errors are the last numbers that size_t has. */
  function checked(result: number): number {
    if (result > Number.MAX_SAFE_INTEGER) throw new Error(c.ZSTD_getErrorName(result) as unknown as string);
    return result;
  }

  const forgotten = new FinalizationRegistry(([free, context]: [typeof c.ZSTD_freeDCtx, number]) => free(context));

  function opened(context: number, free: typeof c.ZSTD_freeDCtx, work: Step): ZstdStream {
    if (context === 0) throw new Error('out of memory');
    const output = Buffer.allocUnsafeSlow(room);
    const positions = Buffer.alloc(16);
    const [made, used] = [positions.subarray(0, 8), positions.subarray(8)];
    const stream: ZstdStream = {
      step(input, at, finish) {
        made.fill(0);
        used.writeBigUInt64LE(BigInt(at));
        const pending = checked(work(context, output, made, input, used, finish));
        return {
          used: used.readUInt32LE() - at,
          output: output.subarray(0, made.readUInt32LE()),
          pending,
        };
      },
      close() {
        forgotten.unregister(stream);
        free(context);
      },
    };
    forgotten.register(stream, [free, context], stream);
    return stream;
  }

  return {
    decompressor: () =>
      opened(c.ZSTD_createDCtx(), c.ZSTD_freeDCtx, (context, output, made, input, used) =>
        c.ZSTD_decompressStream_simpleArgs(context, output, output.length, made, input, input.length, used),
      ),
    compressor(level) {
      const context = c.ZSTD_createCCtx();
      checked(c.ZSTD_CCtx_setParameter(context, compressionLevel, level));
      checked(c.ZSTD_CCtx_setParameter(context, checksumFlag, 1));
      return opened(context, c.ZSTD_freeCCtx, (of, output, made, input, used, finish) =>
        c.ZSTD_compressStream2_simpleArgs(
          of,
          output,
          output.length,
          made,
          input,
          input.length,
          used,
          finish ? end : goOn,
        ),
      );
    },
  };
}

type Step = (context: number, output: Buffer, made: Buffer, input: Uint8Array, used: Buffer, finish: boolean) => number;
