// The encodings that are not our own, through iconv-lite, with Python's error handling around it: iconv-lite replaces
// what it cannot convert without a word, so what it gives is checked, and on a mismatch the place is searched for.
import { createRequire } from 'node:module';
import { anyOf, charmapCodec } from './charmap.js';
import { type ErrorMode, encodeWith, repairBytes } from './codec-errors.js';
import type { Codec, IncrementalEncoder } from './codecs.js';
import { asBuffer, type DecoderState, type IncrementalDecoder } from './decoders.js';
import { type NarrowCharset, narrowCharset } from './narrow-charsets.js';

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
  hkscs: 'big5-hkscs',
  ruscii: 'cp1125',
  u7: 'utf-7',
  uhc: 'cp949',
};

/** The codec, or null where iconv-lite has none of that name. */
export function iconvCodec(encoding: string): Codec | null {
  let key = encoding.toLowerCase().replace(/[^a-z0-9]/g, '');
  key = key.replace(/^(iso8859\d+)(19|20)\d\d$/, '$1'); // Python knows them with their years too
  if (Object.hasOwn(python, key)) return iconvCodec(python[key]!);
  if (key.startsWith('iso8859')) encoding = key;
  const narrow = narrowCharset(key);
  if (narrow) return multibyteCodec(encoding, new Conversion(narrow.base, narrow));
  if (key === '' || notText.has(key) || !iconv().encodingExists(encoding)) return null;
  const table = tableOf(encoding);
  if (table !== null)
    return charmapCodec(
      encoding,
      table,
      (data) => iconv().decode(data, encoding, { stripBOM: false }),
      (text) => iconv().encode(text, encoding),
    );
  return multibyteCodec(encoding, new Conversion(encoding, undefined));
}

function multibyteCodec(name: string, conversion: Conversion): Codec {
  return {
    name,
    asciiBytes: false,
    wider: conversion.narrow?.wider,
    decoder: (errors) => new IconvDecoder(name, conversion, errors),
    encoder: (errors) => iconvEncoder(name, conversion, errors),
  };
}

/** iconv-lite's conversion, within a narrower charset where the name means that. */
class Conversion {
  readonly base: string;
  readonly narrow: NarrowCharset | undefined;

  constructor(base: string, narrow: NarrowCharset | undefined) {
    this.base = base;
    this.narrow = narrow;
  }

  encode(text: string): Buffer {
    return iconv().encode(this.narrow?.toBase(text) ?? text, this.base);
  }

  /** The text of `data`, or null if some of it is none. */
  decode(data: Buffer): string | null {
    const decoder = iconv().getDecoder(this.base, { stripBOM: false });
    const text = decoder.write(data);
    const rest = decoder.end() ?? '';
    const all = text + rest;
    const valid = rest === '' && !text.includes('\ufffd') ? true : iconv().encode(all, this.base).equals(data);
    if (!valid || this.narrow?.includes(data) === false) return null;
    return this.narrow?.fromBase(all) ?? all;
  }

  /** Might more bytes make a character of these? */
  mayGrow(data: Buffer): boolean {
    return data.length < 4 && iconv().getDecoder(this.base, { stripBOM: false }).write(data) === '';
  }
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
  readonly #conversion: Conversion;
  readonly #errors: ErrorMode;

  constructor(encoding: string, conversion: Conversion, errors: ErrorMode) {
    this.#encoding = encoding;
    this.#conversion = conversion;
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
      if (kept > 0 && !this.#conversion.mayGrow(data.subarray(data.length - kept))) continue;
      const text = this.#conversion.decode(data.subarray(0, data.length - kept));
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
      const incomplete = this.#conversion.mayGrow(data.subarray(from));
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
      const text = this.#conversion.decode(data.subarray(from, from + length));
      if (text !== null) return { text, length };
    }
    return { text: '', length: 0 };
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

function iconvEncoder(encoding: string, conversion: Conversion, errors: ErrorMode): IncrementalEncoder {
  const encode = (text: string): Buffer => conversion.encode(text);
  const faithful = (text: string): boolean => conversion.decode(encode(text)) === text;
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
