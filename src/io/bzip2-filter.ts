// bzip2, for reading: unbzip2-stream's decoder, a block at a time, so that memory is bounded by one block.

import bitIterator from 'unbzip2-stream/lib/bit_iterator.js';
import bzip2 from 'unbzip2-stream/lib/bzip2.js';
import { DamagedData, type Filter } from './filter.js';

/** No compressed block is longer than this, in bytes, for a level of 1 to 9. */
const longestBlock = (level: number): number => 25_000 + 100_000 * level;

/** Reads one stream or several in a row, and checks every block's and stream's checksum. */
export function bzip2Decompressor(): Filter {
  const waiting: Buffer[] = [];
  let received = 0;
  let level = 0; // 0: between streams
  let sum: number | null = 0;
  let work = new Int32Array(0);
  const bits = lazily(() =>
    bitIterator(() => {
      const next = waiting.shift();
      if (!next) throw new DamagedData('unexpected end of file');
      return next;
    }),
  );
  const piece = new Growing();

  /** Goes on by a header or a block; the block's bytes. */
  function advance(): Uint8Array {
    piece.clear();
    try {
      if (level === 0) {
        level = bzip2.header(bits());
        if (work.length !== level * 100_000) work = new Int32Array(level * 100_000);
        sum = 0;
      } else {
        sum = bzip2.decompress(bits(), piece.add, work, work.length, sum!);
        if (sum === null) level = 0;
      }
    } catch (error) {
      throw error instanceof DamagedData ? error : new DamagedData((error as Error).message);
    }
    return piece.bytes();
  }

  const left = (): number => received - (received === 0 ? 0 : bits().bytesRead);
  return {
    *push(chunk) {
      waiting.push(Buffer.from(chunk));
      received += chunk.length;
      while (left() >= Math.max(4, level === 0 ? 4 : longestBlock(level))) yield advance();
    },
    *end() {
      if (received === 0) throw new DamagedData('unexpected end of file');
      while (left() > 0) yield advance();
      if (level !== 0) throw new DamagedData('unexpected end of file');
    },
  };
}

/** Made on first use. */
function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/** Bytes that come one by one. */
class Growing {
  #bytes = new Uint8Array(1 << 20);
  #length = 0;

  readonly add = (byte: number): void => {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length++] = byte;
  };

  clear(): void {
    this.#length = 0;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}
