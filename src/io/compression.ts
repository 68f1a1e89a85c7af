// Compressing and decompressing as steps of the pump: bounded memory, and nothing that is damaged, cut short or followed
// by something else passes for whole.

import * as zlib from 'node:zlib';
import { SluiceError } from './failure.js';
import { DamagedData, FilterSource, PrefixedSource, type Stage } from './filter.js';
import type { Source } from './raw.js';
import { step as chunkSize, ZlibSource, type ZlibStream } from './zlib-source.js';

/** What sluice writes. */
export const compressions = ['gzip', 'brotli', 'zstd'] as const;
export type Compression = (typeof compressions)[number];
/** What it reads. */
export const decompressions = ['auto', ...compressions, 'xz', 'bzip2'] as const;
export type Decompression = (typeof decompressions)[number];
type Format = Exclude<Decompression, 'auto'>;

/** Brotli has no magic number: it can only be told by the file's name. */
const magics: [Format, number[]][] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['bzip2', [0x42, 0x5a, 0x68]],
];
const longestMagic = Math.max(...magics.map(([, magic]) => magic.length));

/** The format that these first bytes belong to; null where they are no compressed data that can be told. */
export function compressionOf(head: Uint8Array): Format | null {
  return magics.find(([, magic]) => magic.every((byte, i) => head[i] === byte))?.[0] ?? null;
}

/** Rough balance of speed and size: each program's own default, but for brotli's (11), which is made for the web and takes 100 times as long. */
const levels = { gzip: 6, brotli: 6, zstd: 3 };

/** Compress what comes; the result is one stream that the format's own program reads. */
export function compressing(format: Compression): Stage {
  return (source) => {
    const { createGzip, createBrotliCompress, constants } = zlib;
    const failed = (why: string) => new SluiceError(`could not compress: ${why}`, { code: 'ERR_COMPRESSION' });
    const through = (stream: ZlibStream) => new ZlibSource(source, stream, 'nothing', failed);
    if (format === 'gzip') return through(createGzip({ level: levels.gzip, chunkSize }) as unknown as ZlibStream);
    if (format === 'brotli') {
      const params = { [constants.BROTLI_PARAM_QUALITY]: levels.brotli };
      return through(createBrotliCompress({ params, chunkSize }) as unknown as ZlibStream);
    }
    const { createZstdCompress } = zlib as { createZstdCompress?: (options: object) => ZlibStream }; // Node ≥ 22.15
    if (createZstdCompress) {
      const { ZSTD_c_compressionLevel, ZSTD_c_checksumFlag } = constants as unknown as Record<string, number>;
      return through(
        createZstdCompress({
          params: { [ZSTD_c_compressionLevel!]: levels.zstd, [ZSTD_c_checksumFlag!]: 1 },
          chunkSize,
        }),
      );
    }
    return new LateSource(async () => {
      const { zstdCompressor } = await import('./zstd-filter.js');
      return new FilterSource(source, await zstdCompressor(levels.zstd));
    });
  };
}

/**
 * Decompress what comes. `name` is the source's, for messages, and for `auto`, which goes by the first bytes and, for
 * brotli, by the name's end (`.br`). Reading throws a SluiceError with code `ERR_COMPRESSED_DATA` where the data are not of
 * the format, are damaged or end too early, or where something else follows them.
 */
export function decompressing(format: Decompression, name: string): Stage {
  if (format === 'auto') return (source) => new DetectingSource(source, name);
  return (source) => open(format, source, name);
}

function damage(format: Format, name: string): (why: string) => SluiceError {
  return (why) => {
    const what = /unexpected end|premature|incomplete stream/i.test(why)
      ? `the ${format} data are cut short`
      : `the ${format} data are damaged (${why})`;
    return new SluiceError(what, { code: 'ERR_COMPRESSED_DATA', path: name });
  };
}

function open(format: Format, source: Source, name: string): Source {
  const damaged = damage(format, name);
  if (format === 'gzip')
    return new ZlibSource(source, zlib.createGunzip({ chunkSize }) as unknown as ZlibStream, 'zeros', damaged);
  if (format === 'brotli')
    return new ZlibSource(
      source,
      zlib.createBrotliDecompress({ chunkSize }) as unknown as ZlibStream,
      'nothing',
      damaged,
    );
  return new LateSource(async () => {
    const filter =
      format === 'zstd'
        ? await (await import('./zstd-filter.js')).zstdDecompressor()
        : format === 'xz'
          ? await (await import('./xz-filter.js')).xzDecompressor()
          : (await import('./bzip2-filter.js')).bzip2Decompressor();
    return told(new FilterSource(source, filter), damaged);
  });
}

/** The libraries' errors as ours; the system's, which are the source's, as they are. */
function told(source: Source, damaged: (why: string) => SluiceError): Source {
  return {
    readInto(view) {
      try {
        return source.readInto(view);
      } catch (error) {
        if (error instanceof DamagedData) throw damaged(error.message);
        throw error;
      }
    },
    ready: () => source.ready!(),
  };
}

/** A source that has to be made first, asynchronously. */
class LateSource implements Source {
  #made: Source | undefined;
  #make: () => Promise<Source>;

  constructor(make: () => Promise<Source>) {
    this.#make = make;
  }

  readInto(view: Uint8Array): number | null {
    return this.#made ? this.#made.readInto(view) : null;
  }

  async ready(): Promise<void> {
    if (this.#made) return this.#made.ready?.();
    this.#made = await this.#make();
  }
}

/** Looks at the first bytes, then decompresses as they say. */
class DetectingSource implements Source {
  #source: Source;
  #name: string;
  #head = Buffer.alloc(longestMagic);
  #filled = 0;
  #inner: Source | undefined;

  constructor(source: Source, name: string) {
    this.#source = source;
    this.#name = name;
  }

  readInto(view: Uint8Array): number | null {
    while (!this.#inner) {
      const count = this.#source.readInto(this.#head.subarray(this.#filled));
      if (count === null) return null;
      this.#filled += count;
      if (count === 0 || this.#filled === this.#head.length) this.#inner = this.#open();
    }
    return this.#inner.readInto(view);
  }

  async ready(): Promise<void> {
    await (this.#inner ?? this.#source).ready?.();
  }

  #open(): Source {
    const head = this.#head.subarray(0, this.#filled);
    const format = compressionOf(head) ?? (/\.br$/i.test(this.#name) ? 'brotli' : null);
    if (format === null)
      throw new SluiceError(
        'is not compressed in a way that its first bytes tell (gzip, zstd, xz, bzip2); brotli must be named: --decompress=brotli',
        { code: 'ERR_COMPRESSED_DATA', path: this.#name },
      );
    return open(format, new PrefixedSource(head, this.#source), this.#name);
  }
}
