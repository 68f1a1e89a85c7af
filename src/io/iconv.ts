// The encodings that are not our own, through iconv-lite, with Python's error handling around it: iconv-lite replaces
// what it cannot convert without a word, so what it gives is checked, and on a mismatch the place is searched for.
import { createRequire } from 'node:module';
import { anyOf, charmapCodec } from './charmap.js';
import { type ErrorMode, encodeWith, repairBytes } from './codec-errors.js';
import type { Codec, IncrementalEncoder } from './codecs.js';
import { asBuffer, type DecoderState, type IncrementalDecoder } from './decoders.js';

/** In the bundles: where the build has put iconv-lite, beside them. */
declare const SLUICE_ICONV: string | undefined;

type Iconv = typeof import('iconv-lite');

let loaded: Iconv | null = null;

function iconv(): Iconv {
  const where = typeof SLUICE_ICONV === 'string' ? SLUICE_ICONV : 'iconv-lite';
  loaded ??= createRequire(import.meta.url)(where) as Iconv;
  return loaded;
}

/** Conversions of bytes to text that iconv-lite knows and that are no encodings of text files. */
const notText = new Set(['base64', 'hex', 'binary', 'internal']);

/** Names that Python has for encodings of iconv-lite's, and iconv-lite has not. */
const python: Record<string, string> = {
  big5tw: 'big5',
  cp1051: 'hp-roman8',
  cp866u: 'cp1125',
  cpis: 'cp861',
  eucgb2312cn: 'gb2312',
  gb180302000: 'gb18030',
  hkscs: 'big5-hkscs',
  ksx1001: 'euc-kr',
  ruscii: 'cp1125',
  u7: 'utf-7',
  uhc: 'cp949',
  ujis: 'euc-jp',
};

/** The codec, or null where iconv-lite has none of that name. */
export function iconvCodec(encoding: string): Codec | null {
  let key = encoding.toLowerCase().replace(/[^a-z0-9]/g, '');
  key = key.replace(/^(iso8859\d+)(19|20)\d\d$/, '$1'); // Python knows them with their years too
  if (Object.hasOwn(python, key)) return iconvCodec(python[key]!);
  if (key.startsWith('iso8859')) encoding = key;
  if (key === '' || notText.has(key) || !iconv().encodingExists(encoding)) return null;
  const table = tableOf(encoding);
  if (table !== null)
    return charmapCodec(
      encoding,
      table,
      (data) => iconv().decode(data, encoding, { stripBOM: false }),
      (text) => iconv().encode(text, encoding),
    );
  return {
    name: encoding,
    asciiBytes: false,
    decoder: (errors) => new IconvDecoder(encoding, errors),
    encoder: (errors) => iconvEncoder(encoding, errors),
  };
}

/** The characters of the 256 bytes, or null where not every byte is one of its own, whatever stands beside it. */
function tableOf(encoding: string): string | null {
  const bytes = Array.from({ length: 256 }, (_, byte) => [byte, 0xa1, byte, 0x40]).flat();
  const text = iconv().decode(Buffer.from(bytes), encoding, { stripBOM: false });
  return text.length === bytes.length ? text.replace(/(.).../gsu, '$1') : null;
}

const empty: Buffer = Buffer.alloc(0);

/**
 * Keeps the bytes of a character that is not complete, so that its state is those bytes: the encodings served here are
 * tables in which a character is one to four bytes. An encoding with modes (UTF-7) is decoded in one piece at the end.
 */
class IconvDecoder implements IncrementalDecoder {
  #pending = empty;
  readonly #encoding: string;
  readonly #errors: ErrorMode;

  constructor(encoding: string, errors: ErrorMode) {
    this.#encoding = encoding;
    this.#errors = errors;
  }

  decode(input: Uint8Array, final: boolean): string {
    const data = this.#pending.length > 0 ? Buffer.concat([this.#pending, input]) : asBuffer(input);
    if (/^(utf7|utf-7)/i.test(this.#encoding) && !final) {
      this.#pending = Buffer.from(data);
      return '';
    }
    // Where a character is cut off by the end of the piece, all before it is decoded at once.
    for (let kept = 0; kept < 4 && kept <= data.length && (kept === 0 || !final); kept++) {
      if (kept > 0 && !this.#incomplete(data.subarray(data.length - kept))) continue;
      const text = this.#strict(data.subarray(0, data.length - kept));
      if (text === null) continue;
      this.#pending = kept > 0 ? Buffer.from(data.subarray(data.length - kept)) : empty;
      return text;
    }
    let text = '';
    let from = 0;
    while (from < data.length) {
      const { text: character, length } = this.#characterAt(data, from);
      text += character;
      from += length;
      if (length > 0) continue;
      const incomplete = this.#incomplete(data.subarray(from));
      if (incomplete && !final) break;
      const reason = incomplete ? 'incomplete multibyte sequence' : 'illegal multibyte sequence';
      const end = incomplete ? data.length : from + 1;
      const repair = repairBytes(this.#errors, this.#encoding, data, from, end, reason);
      text += repair.text;
      from = repair.next;
    }
    this.#pending = from < data.length ? Buffer.from(data.subarray(from)) : empty;
    return text;
  }

  /** The character at `from`; its length is 0 where there is none. */
  #characterAt(data: Buffer, from: number): { text: string; length: number } {
    for (let length = 1; length <= 4 && from + length <= data.length; length++) {
      const text = this.#strict(data.subarray(from, from + length));
      if (text !== null) return { text, length };
    }
    return { text: '', length: 0 };
  }

  /** Might more bytes make a character of these? */
  #incomplete(data: Buffer): boolean {
    return data.length < 4 && iconv().getDecoder(this.#encoding, { stripBOM: false }).write(data) === '';
  }

  /** The text of `data`, or null if some of it is none. */
  #strict(data: Buffer): string | null {
    const decoder = iconv().getDecoder(this.#encoding, { stripBOM: false });
    const text = decoder.write(data);
    const rest = decoder.end() ?? '';
    if (rest === '' && !text.includes('\ufffd')) return text;
    const all = text + rest;
    return iconv().encode(all, this.#encoding).equals(data) ? all : null;
  }

  getState(): DecoderState {
    return { pending: this.#pending, flags: 0 };
  }

  setState(state: DecoderState): void {
    this.#pending = state.pending;
  }

  reset(): void {
    this.#pending = empty;
  }
}

function iconvEncoder(encoding: string, errors: ErrorMode): IncrementalEncoder {
  const encode = (text: string): Buffer => iconv().encode(text, encoding);
  const faithful = (text: string): boolean => iconv().decode(encode(text), encoding, { stripBOM: false }) === text;
  return {
    atStart: false,
    marksPipes: false,
    plain: () => false,
    encode(text) {
      if (faithful(text)) return encode(text);
      const bad = [...new Set(text)].filter((character) => !faithful(character));
      if (bad.length === 0) return encode(text);
      // One at a time, as CPython's multibyte encoders go.
      const how = { encoding, bad: new RegExp(anyOf(bad), 'gu'), reason: 'illegal multibyte sequence', bytewise: true };
      return encodeWith(text, errors, how, encode);
    },
  };
}
