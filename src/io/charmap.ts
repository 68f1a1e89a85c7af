// Encodings in which every byte is a character of its own: a table of 256, in which U+FFFD stands for "none". iconv-lite
// has the tables and converts with them; what it would replace without a word is found here, and handled as CPython does.
import { isAscii } from 'node:buffer';
import { type ErrorMode, encodeWith, repairBytes } from './codec-errors.js';
import type { Codec } from './codecs.js';
import { BytewiseDecoder } from './decoders.js';

const NONE = '\ufffd';
const reason = 'character maps to <undefined>';
const lowerHalf = String.fromCharCode(...Array(128).keys());

/** The codec of a table, with the conversions of it that are fast and replace what they cannot convert. */
export function charmapCodec(
  name: string,
  table: string,
  toText: (data: Buffer) => string,
  toBytes: (text: string) => Buffer,
): Codec {
  const asciiBytes = table.startsWith(lowerHalf);
  const known = new Set(table.replaceAll(NONE, ''));
  const hasBytes = (text: string): boolean => {
    for (const character of text) if (!known.has(character)) return false;
    return true;
  };
  const decode = (data: Buffer, errors: ErrorMode): string => {
    if (asciiBytes && isAscii(data)) return data.toString('latin1');
    const whole = toText(data);
    let text = '';
    let from = 0;
    for (let at = whole.indexOf(NONE); at !== -1; at = whole.indexOf(NONE, from)) {
      text += whole.slice(from, at) + repairBytes(errors, name, data, at, at + 1, reason).text;
      from = at + 1;
    }
    return from === 0 ? whole : text + whole.slice(from);
  };
  return {
    name,
    asciiBytes,
    decoder: (errors) => new BytewiseDecoder((data) => decode(data, errors)),
    encoder: (errors) => ({
      atStart: false,
      marksPipes: false,
      plain: hasBytes,
      encode(text) {
        if (hasBytes(text)) return toBytes(text);
        const bad = [...new Set(text)].filter((character) => !known.has(character));
        const runs = new RegExp(`${anyOf(bad)}+`, 'gu');
        const how = { encoding: name, bad: runs, reason, bytewise: true, wholeRuns: true };
        return encodeWith(text, errors, how, toBytes);
      },
    }),
  };
}

/** Source of a regular expression (flag u) that finds any of these characters. */
export function anyOf(characters: string[]): string {
  return `[${characters.map((character) => `\\u{${character.codePointAt(0)!.toString(16)}}`).join('')}]`;
}
