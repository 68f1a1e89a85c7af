// Text conversion against Python's codecs and iconv(1), in pieces of every size.

import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { FilterSource } from '../../src/io/filter.js';
import { copyInto } from '../../src/io/pump.js';
import type { Source } from '../../src/io/raw.js';
import { type TextConversion, textFilter } from '../../src/io/text-filter.js';
import { filtered, has } from '../helpers/programs.js';

function source(bytes: Uint8Array, size: number): Source {
  let at = 0;
  return {
    readInto(view) {
      const count = Math.min(view.length, size, bytes.length - at);
      view.set(bytes.subarray(at, at + count));
      at += count;
      return count;
    },
  };
}

async function convert(bytes: Uint8Array, conversion: TextConversion, size = Infinity): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const sink = { write: (view: Uint8Array) => chunks.push(Buffer.from(view)) && view.length };
  await copyInto(new FilterSource(source(bytes, size), textFilter(conversion, 'file')), sink as never);
  return Buffer.concat(chunks);
}

/** What Python's codecs make of it: hex of the bytes, or the error with its offset in the source. */
function python(cases: { bytes: string; from: string; to: string; errors: string }[]): (string | number)[] {
  const script = `
import json, sys
def one(c):
    data = bytes.fromhex(c["bytes"])
    try:
        text = data.decode(c["from"], c["errors"])
    except UnicodeDecodeError as e:
        return e.start
    try:
        return text.encode(c["to"], c["errors"]).hex()
    except UnicodeEncodeError as e:
        return len(text[:e.start].encode(c["from"]))
print(json.dumps([one(c) for c in json.load(sys.stdin)]))`;
  return JSON.parse(
    execFileSync('python3', ['-c', script], { input: JSON.stringify(cases), maxBuffer: 2 ** 28 }).toString(),
  );
}

/** Hex of these texts, three times each, in the encodings that they stand under. */
const encode =
  'import json, sys; print(json.dumps({name: (3 * text).encode(name).hex() for name, text in json.load(sys.stdin).items()}))';

const samples = [
  '',
  'plain text\n',
  'äöü ß € 漢字 𝄞 end',
  'a\r\nb\rc\n\r\n',
  `${'ü'.repeat(40_000)}€`,
  '\ufeffmarked',
  'Привет, мир',
  '日本語テキスト',
];
const wild = [
  'ff',
  '61ff62',
  'c3',
  '61e282',
  'eda080',
  'f0908080',
  'c0af',
  `${'61'.repeat(70_000)}e2`,
  '61006200d8',
  '00d80061',
];
const modes = ['strict', 'replace', 'ignore', 'backslashreplace'] as const;

describe('converting text', () => {
  it.skipIf(!has('python3'))('gives what Python gives, errors and their offsets too', async () => {
    const inputs = [...samples.map((text) => Buffer.from(text)), ...wild.map((hex) => Buffer.from(hex, 'hex'))];
    const pairs = [
      ['utf-8', 'utf-16-le'],
      ['utf-8', 'utf-8'],
      ['utf-8', 'latin-1'],
      ['utf-8', 'ascii'],
      ['utf-8-sig', 'utf-8'],
      ['utf-8', 'utf-8-sig'],
      ['latin-1', 'utf-8'],
      ['ascii', 'utf-8'],
      ['utf-16-le', 'utf-8'],
      ['utf-16-be', 'utf-32-be'],
      ['utf-8', 'utf-16'],
      ['utf-8', 'utf-32'],
    ];
    const cases = inputs.flatMap((bytes) =>
      pairs.flatMap(([from, to]) =>
        modes.map((errors) => ({ bytes: bytes.toString('hex'), from: from!, to: to!, errors })),
      ),
    );
    const expected = python(cases);
    for (const [i, { bytes, from, to, errors }] of cases.entries()) {
      const data = Buffer.from(bytes, 'hex');
      for (const size of data.length > 1000 ? [Infinity, 4097] : [Infinity, 1, 3]) {
        const what = `${from} to ${to}, ${errors}, in pieces of ${size}: ${bytes.slice(0, 40)}`;
        const got = await convert(data, { encoding: from, toEncoding: to, errors }, size).then(
          (result) => result.toString('hex'),
          (error: Error) => Number(/at byte offset (\d+)/.exec(error.message)?.[1]),
        );
        // Python encodes no text as a mark; here what is empty stays empty.
        if (got === '') expect(['', 'efbbbf', 'fffe', 'fffe0000'], what).toContain(expected[i]);
        else expect(got, what).toBe(expected[i]);
      }
    }
  });

  it.skipIf(!has('iconv')).each([
    ['SHIFT_JIS', '日本語テキスト\\n'],
    ['EUC-JP', '日本語'],
    ['GB18030', '漢字 𝄞'],
    ['BIG5', '繁體中文'],
    ['EUC-KR', '한국어'],
    ['KOI8-R', 'Привет'],
    ['CP1252', '€uro – dash'],
    ['ISO-8859-15', '€ š'],
    ['CP437', '░▒▓ é'],
    ['UTF-16BE', 'a𝄞'],
  ])('agrees with iconv about %s, both ways', async (name, text) => {
    const utf8 = Buffer.from(text);
    const there = filtered('iconv', ['-f', 'UTF-8', '-t', name], utf8);
    for (const size of [1, 2, 3, Infinity]) {
      expect(await convert(utf8, { toEncoding: name }, size)).toEqual(there);
      expect(await convert(there, { encoding: name }, size)).toEqual(utf8);
    }
  });

  it.skipIf(!has('python3'))(
    'finds the first damage in text of many bytes a character where Python finds it, in pieces of any size',
    async () => {
      const texts = {
        shift_jis: '日本語テキスト〜ｶﾅ―漢字ｱｇ abc\n',
        'euc-jp': '日本語テキスト〜ｶﾅ―漢字丰本 abc\n',
        cp932: '日本語①テキスト～ｶﾅ abc\n',
        gb2312: '汉字・文本 abc\n',
        gbk: '漢字汉字文本 abc\n',
        gb18030: '漢字𝄞ü文本 abc\n',
        'euc-kr': '한국어 문장 abc\n',
        cp949: '한국어 똠방 abc\n',
        'utf-8': '漢字𝄞ü abc\n',
        'utf-16-le': '漢字𝄞ü abc\n',
        'utf-32-be': '漢字𝄞ü abc\n',
      };
      let seed = 99;
      const below = (limit: number) => {
        seed = (seed * 48271) % 0x7fffffff;
        return seed % limit;
      };
      const cases: { bytes: string; from: string; to: string; errors: string }[] = [];
      const wholes = JSON.parse(filtered('python3', ['-c', encode], Buffer.from(JSON.stringify(texts))).toString());
      for (const from of Object.keys(texts)) {
        const whole = Buffer.from(wholes[from]!, 'hex');
        cases.push({ bytes: whole.toString('hex'), from, to: 'utf-8', errors: 'strict' });
        for (let round = 0; round < 24; round++) {
          const bytes = [...whole];
          // A byte changed, lost or added, or all from there on gone.
          const at = below(bytes.length);
          if (round % 4 === 0) bytes[at] = below(256);
          else if (round % 4 === 1) bytes.splice(at, 1);
          else if (round % 4 === 2) bytes.splice(at, 0, 0x80 + below(128));
          else bytes.length = at;
          // What Microsoft has in one-byte places, and Python with it, is damage here.
          if (from === 'cp932' && bytes.some((byte) => byte === 0xa0 || byte > 0xfc)) continue;
          cases.push({ bytes: Buffer.from(bytes).toString('hex'), from, to: 'utf-8', errors: 'strict' });
        }
      }
      const expected = python(cases);
      expect(expected.filter((result) => typeof result === 'number').length).toBeGreaterThan(cases.length / 3);
      for (const [i, { bytes, from }] of cases.entries())
        for (const size of [1, 3, 7, Infinity]) {
          const got = await convert(Buffer.from(bytes, 'hex'), { encoding: from }, size).then(
            (result) => result.toString('hex'),
            (error: Error) => Number(/at byte offset (\d+)/.exec(error.message)?.[1]),
          );
          expect(got, `${from} in pieces of ${size}: ${bytes}`).toBe(expected[i]);
        }
    },
  );

  it('says which charset has more, where what was meant is often that', async () => {
    const windows = Buffer.from('8740', 'hex');
    await expect(convert(windows, { encoding: 'shift_jis' })).rejects.toThrow(
      'not valid shift_jis at byte offset 0: 0x87 (illegal multibyte sequence; cp932 has more characters)',
    );
    expect((await convert(windows, { encoding: 'cp932' })).toString()).toBe('①');
    expect((await convert(Buffer.from('～'), { toEncoding: 'cp932' })).toString('hex')).toBe('8160');
    expect((await convert(Buffer.from('〜'), { toEncoding: 'shift_jis' })).toString('hex')).toBe('8160');
    await expect(convert(Buffer.from('～'), { toEncoding: 'shift_jis' })).rejects.toThrow('shift_jis has no U+FF5E');
  });

  it('names the offset in the source of what the other encoding lacks, behind much else', async () => {
    const text = Buffer.from(`${'ä\r\n'.repeat(50_000)}€ and more €`);
    for (const size of [Infinity, 1000])
      await expect(convert(text, { toEncoding: 'latin-1', newline: 'lf' }, size)).rejects.toMatchObject({
        code: 'ERR_UNICODE_ENCODE',
        path: 'file',
        message: expect.stringContaining('latin-1 has no U+20AC ("€"), at byte offset 200000 of the source'),
      });
    const utf16 = Buffer.from('\ufeffab€', 'utf16le');
    await expect(convert(utf16, { encoding: 'utf-16', toEncoding: 'ascii' })).rejects.toThrow('byte offset 6');
  });

  it('names the offset of what is cut off at the end', async () => {
    await expect(convert(Buffer.from('61e282', 'hex'), { encoding: 'utf-8' }, 1)).rejects.toMatchObject({
      code: 'ERR_UNICODE_DECODE',
      message: 'not valid utf-8 at byte offset 1: 0xe2 0x82 (unexpected end of data)',
    });
  });
});

describe('newlines', () => {
  const mixed = 'one\r\ntwo\rthree\n\r\n\r\rfour\n\nend\r';
  it.each([
    ['lf', 'one\ntwo\nthree\n\n\n\nfour\n\nend\n'],
    ['crlf', 'one\r\ntwo\r\nthree\r\n\r\n\r\n\r\nfour\r\n\r\nend\r\n'],
    ['cr', 'one\rtwo\rthree\r\r\r\rfour\r\rend\r'],
    ['keep', mixed],
  ] as const)('become %s in pieces of any size', async (newline, expected) => {
    for (const size of [1, 2, 3, 5, Infinity]) {
      expect((await convert(Buffer.from(mixed), { newline }, size)).toString()).toBe(expected);
      expect((await convert(Buffer.from(mixed), { newline, encoding: 'utf-8' }, size)).toString()).toBe(expected);
      const wide = Buffer.from(mixed, 'utf16le');
      const result = await convert(wide, { newline, encoding: 'utf-16-le', toEncoding: 'utf-16-le' }, size);
      expect(result.toString('utf16le')).toBe(expected);
    }
  });
  it('alone leave all other bytes as they are, whatever they mean', async () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const expected = Buffer.from(all.map((byte) => (byte === 13 ? 10 : byte)));
    expect(await convert(all, { newline: 'lf' })).toEqual(expected);
  });
  it.each([
    ['fffe61000d000a00', 'utf-16'],
    ['feff0061000d000a', 'utf-16'],
    ['fffe000061000000', 'utf-32'],
    ['0000feff00000061', 'utf-32'],
  ])('alone are not looked for in %s, which is wider', async (hex, encoding) => {
    await expect(convert(Buffer.from(hex, 'hex'), { newline: 'lf' })).rejects.toThrow(`say --encoding ${encoding}`);
  });
  it.each([
    ['', {}, ''],
    ['a', {}, 'a\n'],
    ['a\n', {}, 'a\n'],
    ['a\r\nb', {}, 'a\r\nb\r\n'],
    ['a\rb', {}, 'a\rb\r'],
    ['a\r', {}, 'a\r'],
    ['a\nb', { newline: 'crlf' }, 'a\r\nb\r\n'],
    ['a\r\nb', { newline: 'lf' }, 'a\nb\n'],
    ['a\nb', { newline: 'cr' }, 'a\rb\r'],
  ] as const)('end %j where they are to, with %j', async (text, options, expected) => {
    for (const size of [1, 2, Infinity])
      expect((await convert(Buffer.from(text), { ...options, finalNewline: true }, size)).toString()).toBe(expected);
  });
});
