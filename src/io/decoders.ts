// Incremental decoders: bytes in pieces of any size become the same text, and their state can be taken and set, so that
// a position in a text stream can be returned to.
import { isAscii } from 'node:buffer';
import { type ErrorMode, repairBytes } from './codec-errors.js';
import { UnicodeDecodeError } from './errors.js';
import { type Decoded, decodeUtf8 } from './utf8.js';
import { decodeUtf16, decodeUtf32 } from './utf16.js';

/** Bytes not yet decoded, and a number for all the rest; 0 with no bytes = any moment between two characters. */
export interface DecoderState {
  pending: Buffer;
  flags: number;
}

export interface IncrementalDecoder {
  /** The text of `input` after what came before. `final` = nothing more comes: what is incomplete is an error. */
  decode(input: Uint8Array, final: boolean): string;
  getState(): DecoderState;
  setState(state: DecoderState): void;
  /** As new. */
  reset(): void;
}

const empty: Buffer = Buffer.alloc(0);

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** How a family of encodings decodes: `flags` is what it remembers besides incomplete bytes. */
interface Scanner {
  flags: number;
  readonly first: number;
  scan(data: Buffer, final: boolean): Decoded;
}

/** A decoder that keeps what is incomplete and offers it again with the next piece. */
class KeepingDecoder implements IncrementalDecoder {
  #pending = empty;
  readonly #scanner: Scanner;

  constructor(scanner: Scanner) {
    this.#scanner = scanner;
  }

  decode(input: Uint8Array, final: boolean): string {
    const data = this.#pending.length > 0 ? Buffer.concat([this.#pending, input]) : asBuffer(input);
    const { text, consumed } = this.#scanner.scan(data, final);
    this.#pending = consumed < data.length ? Buffer.from(data.subarray(consumed)) : empty;
    return text;
  }

  getState(): DecoderState {
    return { pending: this.#pending, flags: this.#scanner.flags };
  }

  setState(state: DecoderState): void {
    this.#pending = state.pending;
    this.#scanner.flags = state.flags;
  }

  reset(): void {
    this.#pending = empty;
    this.#scanner.flags = this.#scanner.first;
  }
}

export function utf8Decoder(errors: ErrorMode, encoding: string): IncrementalDecoder {
  return new KeepingDecoder({
    flags: 0,
    first: 0,
    scan: (data, final) => decodeUtf8(data, errors, final, encoding),
  });
}

const mark = Buffer.from([0xef, 0xbb, 0xbf]);

/** UTF-8 whose byte order mark, if it begins with one, is no text. flags: 1 = at the beginning. */
export function utf8SigDecoder(errors: ErrorMode, encoding: string): IncrementalDecoder {
  return new KeepingDecoder({
    flags: 1,
    first: 1,
    scan(data, final) {
      if (this.flags === 0) return decodeUtf8(data, errors, final, encoding);
      if (data.length < 3 && mark.subarray(0, data.length).equals(data)) return { text: '', consumed: 0 };
      this.flags = 0;
      if (!mark.equals(data.subarray(0, 3))) return decodeUtf8(data, errors, final, encoding);
      try {
        const { text, consumed } = decodeUtf8(data.subarray(3), errors, final, encoding);
        return { text, consumed: consumed + 3 };
      } catch (error) {
        if (!(error instanceof UnicodeDecodeError)) throw error;
        throw new UnicodeDecodeError(encoding, data, error.start + 3, error.end + 3, error.reason);
      }
    },
  });
}

export function wideDecoder(
  width: 2 | 4,
  littleEndian: boolean,
  errors: ErrorMode,
  encoding: string,
): IncrementalDecoder {
  const decode = width === 2 ? decodeUtf16 : decodeUtf32;
  return new KeepingDecoder({
    flags: 0,
    first: 0,
    scan: (data, final) => decode(data, 0, errors, final, littleEndian, encoding),
  });
}

/** UTF-16 or UTF-32 that begins with a byte order mark. flags: 0 = little-endian, 1 = big-endian, 2 = not known yet. */
export function markedDecoder(width: 2 | 4, errors: ErrorMode, encoding: string): IncrementalDecoder {
  const decode = width === 2 ? decodeUtf16 : decodeUtf32;
  return new KeepingDecoder({
    flags: 2,
    first: 2,
    scan(data, final) {
      if (this.flags !== 2) return decode(data, 0, errors, final, this.flags === 0, encoding);
      const little = data.length >= width && (width === 2 ? data.readUInt16LE() : data.readUInt32LE()) === 0xfeff;
      const big = data.length >= width && (width === 2 ? data.readUInt16BE() : data.readUInt32BE()) === 0xfeff;
      const skip = little || big ? width : 0;
      const { text, consumed } = decode(data, skip, errors, final, !big, encoding);
      if (skip > 0) this.flags = big ? 1 : 0;
      else if (consumed >= width)
        throw new UnicodeDecodeError(encoding, data, 0, width, `${encoding} stream does not start with BOM`);
      return { text, consumed };
    },
  });
}

const between: DecoderState = { pending: empty, flags: 0 };

/** An encoding in which every byte is a character: nothing to remember. */
export class BytewiseDecoder implements IncrementalDecoder {
  readonly #decode: (data: Buffer) => string;
  constructor(decode: (data: Buffer) => string) {
    this.#decode = decode;
  }
  decode(input: Uint8Array, _final: boolean): string {
    return this.#decode(asBuffer(input));
  }
  getState(): DecoderState {
    return between;
  }
  setState(_state: DecoderState): void {}
  reset(): void {}
}

export function latin1Decoder(): IncrementalDecoder {
  return new BytewiseDecoder((data) => data.toString('latin1'));
}

export function asciiDecoder(errors: ErrorMode, encoding: string): IncrementalDecoder {
  return new BytewiseDecoder((data) => {
    if (isAscii(data)) return data.toString('latin1');
    let text = '';
    let from = 0;
    for (let i = 0; i < data.length; i++) {
      if (data[i]! < 0x80) continue;
      text += data.toString('latin1', from, i);
      text += repairBytes(errors, encoding, data, i, i + 1, 'ordinal not in range(128)').text;
      from = i + 1;
    }
    return text + data.toString('latin1', from);
  });
}
