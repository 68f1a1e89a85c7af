// Encodings by name: a decoder and an encoder for each. Those that text files are made of are our own, exact in every
// error; the rest comes from iconv-lite, loaded when one is asked for.
import { type ErrorMode, encodeWith, type Unencodable } from './codec-errors.js';
import {
  asciiDecoder,
  type IncrementalDecoder,
  latin1Decoder,
  markedDecoder,
  utf8Decoder,
  utf8SigDecoder,
  wideDecoder,
} from './decoders.js';
import { invalidArgument, unknownEncoding } from './errors.js';
import { iconvCodec } from './iconv.js';
import { encodeUtf16, encodeUtf32 } from './utf16.js';

export interface IncrementalEncoder {
  /** The bytes of `text`, with a byte order mark before them at the start of a stream where the encoding has one. */
  encode(text: string): Buffer;
  /** Would `encode` just turn these characters into bytes, without an error, a mark or a state? */
  plain(text: string): boolean;
  /** Is the next text the stream's first? A byte order mark comes before it, in encodings that have one. */
  atStart: boolean;
  /** Where the position is unknown (a pipe), does a stream begin with a mark? CPython: in utf-8-sig, not in utf-16. */
  readonly marksPipes: boolean;
}

export interface Codec {
  /** The encoding's usual name. */
  readonly name: string;
  /** Is every byte below 0x80 the ASCII character, and no other character made of such bytes? */
  readonly asciiBytes: boolean;
  /** A charset that has this one's characters and more, which texts that are said to be in this one are often in. */
  readonly wider?: string | undefined;
  decoder(errors: ErrorMode): IncrementalDecoder;
  encoder(errors: ErrorMode): IncrementalEncoder;
}

const surrogates = /[\ud800-\udfff]+/gu;
const oneSurrogate = /[\ud800-\udfff]/gu;
const utf8Mark = Buffer.from([0xef, 0xbb, 0xbf]);

function utf8Encoder(errors: ErrorMode, signed: boolean, encoding: string): IncrementalEncoder {
  const how: Unencodable = { encoding, bad: surrogates, reason: 'surrogates not allowed', bytewise: true };
  const encode = (text: string): Buffer => Buffer.from(text, 'utf8');
  return {
    atStart: true,
    marksPipes: true,
    plain(text) {
      return !(signed && this.atStart) && text.isWellFormed();
    },
    encode(text) {
      const mark = signed && this.atStart;
      this.atStart = false;
      const bytes = text.isWellFormed() ? encode(text) : encodeWith(text, errors, how, encode);
      return mark ? Buffer.concat([utf8Mark, bytes]) : bytes;
    },
  };
}

function wideEncoder(
  width: 2 | 4,
  littleEndian: boolean,
  marked: boolean,
  errors: ErrorMode,
  encoding: string,
): IncrementalEncoder {
  const how: Unencodable = { encoding, bad: oneSurrogate, reason: 'surrogates not allowed', bytewise: false };
  const encode = (text: string): Buffer => (width === 2 ? encodeUtf16 : encodeUtf32)(text, littleEndian);
  return {
    atStart: true,
    marksPipes: false,
    plain(text) {
      return !(marked && this.atStart) && text.isWellFormed();
    },
    encode(text) {
      const mark = marked && this.atStart;
      this.atStart = false;
      const bytes = text.isWellFormed() ? encode(text) : encodeWith(text, errors, how, encode);
      return mark ? Buffer.concat([encode('\ufeff'), bytes]) : bytes;
    },
  };
}

function narrowEncoder(bad: RegExp, limit: number, errors: ErrorMode, encoding: string): IncrementalEncoder {
  const how: Unencodable = { encoding, bad, reason: `ordinal not in range(${limit})`, bytewise: true };
  const one = new RegExp(bad.source); // without its flags: no state
  const encode = (text: string): Buffer => Buffer.from(text, 'latin1');
  return {
    atStart: false,
    marksPipes: false,
    plain: (text) => !one.test(text),
    encode: (text) => (one.test(text) ? encodeWith(text, errors, how, encode) : encode(text)),
  };
}

function wide(name: string, width: 2 | 4, order: 'little' | 'big' | 'marked'): Codec {
  return {
    name,
    asciiBytes: false,
    decoder: (errors) =>
      order === 'marked' ? markedDecoder(width, errors, name) : wideDecoder(width, order === 'little', errors, name),
    encoder: (errors) => wideEncoder(width, order !== 'big', order === 'marked', errors, name),
  };
}

const ascii: Codec = {
  name: 'ascii',
  asciiBytes: true,
  decoder: (errors) => asciiDecoder(errors, 'ascii'),
  encoder: (errors) => narrowEncoder(/[^\x00-\x7f]+/gu, 128, errors, 'ascii'),
};

const latin1: Codec = {
  name: 'latin-1',
  asciiBytes: true,
  decoder: () => latin1Decoder(),
  encoder: (errors) => narrowEncoder(/[^\x00-\xff]+/gu, 256, errors, 'latin-1'),
};

const utf8: Codec = {
  name: 'utf-8',
  asciiBytes: true,
  decoder: (errors) => utf8Decoder(errors, 'utf-8'),
  encoder: (errors) => utf8Encoder(errors, false, 'utf-8'),
};

const utf8Sig: Codec = {
  name: 'utf-8-sig',
  asciiBytes: true,
  decoder: (errors) => utf8SigDecoder(errors, 'utf-8-sig'),
  encoder: (errors) => utf8Encoder(errors, true, 'utf-8-sig'),
};

/** Our own, by name without case and punctuation, and by the names that Python has for them. */
const own = new Map<string, Codec>([
  ['utf8', utf8],
  ['u8', utf8],
  ['utf', utf8],
  ['cp65001', utf8],
  ['utf8sig', utf8Sig],
  ['utf16', wide('utf-16', 2, 'marked')],
  ['u16', wide('utf-16', 2, 'marked')],
  ['utf16le', wide('utf-16-le', 2, 'little')],
  ['utf16be', wide('utf-16-be', 2, 'big')],
  ['utf32', wide('utf-32', 4, 'marked')],
  ['u32', wide('utf-32', 4, 'marked')],
  ['utf32le', wide('utf-32-le', 4, 'little')],
  ['utf32be', wide('utf-32-be', 4, 'big')],
  ...['ascii', 'usascii', '646', 'us', 'iso646us', 'iso646usirv', 'ansix341968', 'cp367', 'ibm367'].map(
    (name) => [name, ascii] as const,
  ),
  ...[
    'latin1',
    'latin',
    'l1',
    'iso88591',
    'iso885911987',
    '88591',
    'iso8859',
    '8859',
    'cp819',
    'ibm819',
    'isoir100',
    'csisolatin1',
  ].map((name) => [name, latin1] as const),
]);

/** The codec of that name, in any of its spellings. Throws `ERR_UNKNOWN_ENCODING`. */
export function findCodec(encoding: string): Codec {
  if (typeof encoding !== 'string') throw invalidArgument('encoding must be a string');
  const codec = own.get(encoding.toLowerCase().replace(/[^a-z0-9]/g, '')) ?? iconvCodec(encoding);
  if (codec === null) throw unknownEncoding(encoding);
  return codec;
}
