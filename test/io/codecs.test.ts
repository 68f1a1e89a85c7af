import { describe, expect, it } from 'vitest';
import type { ErrorMode } from '../../src/io/codec-errors.js';
import { findCodec } from '../../src/io/codecs.js';

const decode = (encoding: string, hex: string, errors: ErrorMode = 'strict'): string =>
  findCodec(encoding).decoder(errors).decode(Buffer.from(hex, 'hex'), true);

const failure = (call: () => unknown): unknown => {
  try {
    call();
  } catch (error) {
    const { code, start, end, reason } = error as Record<string, unknown>;
    return [code, start, end, reason];
  }
  return 'no error';
};

describe('encodings', () => {
  it('are found in the spellings that Python knows, and those of iconv-lite', () => {
    for (const name of ['UTF-8', 'utf8', 'U8', 'Utf_8']) expect(findCodec(name).name).toBe('utf-8');
    for (const name of ['Latin1', 'ISO-8859-1', 'l1', 'iso8859_1', 'cp819'])
      expect(findCodec(name).name).toBe('latin-1');
    for (const name of ['us-ascii', 'ASCII', '646']) expect(findCodec(name).name).toBe('ascii');
    for (const name of ['utf-16le', 'UTF_16_LE']) expect(findCodec(name).name).toBe('utf-16-le');
    for (const name of ['shift_jis', 'windows-1251', 'cp1252', 'koi8-r', 'gb18030', 'euc-jp', 'big5'])
      expect(findCodec(name).name).toBe(name);
    for (const name of ['ujis', 'UHC', 'ks_x_1001', 'big5-tw', 'gb18030-2000', 'ruscii', 'iso_8859_2_1987', 'u7'])
      expect(findCodec(name).decoder('strict').decode(Buffer.from('a'), true)).toBe('a');
    for (const name of ['', 'no-such', 'base64', 'hex', 'utf-9'])
      expect(failure(() => findCodec(name))).toEqual(['ERR_UNKNOWN_ENCODING', undefined, undefined, undefined]);
  });

  it('name the first bad bytes, and why', () => {
    const cases: [string, string, number, number, string][] = [
      ['utf-8', '6162ff63', 2, 3, 'invalid start byte'],
      ['utf-8', '61e228a1', 1, 2, 'invalid continuation byte'],
      ['utf-8', '61f09f98', 1, 4, 'unexpected end of data'],
      ['utf-8', 'eda080', 0, 1, 'invalid continuation byte'],
      ['utf-8', 'c3f2', 0, 1, 'invalid continuation byte'],
      ['utf-8-sig', 'efbbbf61ff', 4, 5, 'invalid start byte'],
      ['utf-16-le', '610000d86200', 2, 4, 'illegal UTF-16 surrogate'],
      ['utf-16-be', '0061dc00', 2, 4, 'illegal encoding'],
      ['utf-16-le', '61003dd8', 2, 4, 'unexpected end of data'],
      ['utf-16-le', '610062', 2, 3, 'truncated data'],
      ['utf-32-be', '0000006100110000', 4, 8, 'code point not in range(0x110000)'],
      ['utf-32-le', '00d80000', 0, 4, 'code point in surrogate code point range(0xd800, 0xe000)'],
      ['ascii', '6180', 1, 2, 'ordinal not in range(128)'],
      ['shift_jis', '8341ff41', 2, 3, 'illegal multibyte sequence'],
      ['shift_jis', '418341 83'.replace(' ', ''), 3, 4, 'incomplete multibyte sequence'],
      ['windows-1253', '41d2', 1, 2, 'character maps to <undefined>'],
      ['windows-1252', '419d42', 1, 2, 'character maps to <undefined>'],
      ['cp1253', '41ff', 1, 2, 'character maps to <undefined>'],
      ['gbk', '41fe', 1, 2, 'incomplete multibyte sequence'],
      ['gb18030', '418130', 1, 3, 'incomplete multibyte sequence'],
    ];
    for (const [encoding, hex, start, end, reason] of cases)
      expect([encoding, hex, failure(() => decode(encoding, hex))]).toEqual([
        encoding,
        hex,
        ['ERR_UNICODE_DECODE', start, end, reason],
      ]);
  });

  it('put something in the place of bad bytes when asked to', () => {
    expect(decode('shift_jis', '8341ff41', 'replace')).toBe('ア\ufffdA');
    expect(decode('shift_jis', '8341ff41', 'backslashreplace')).toBe('ア\\xffA');
    expect(decode('cp1252', '80819d41', 'surrogateescape')).toBe('€\udc81\udc9dA');
    expect(decode('cp1252', '9d419d', 'ignore')).toBe('A');
    expect(decode('gb18030', '8431a437')).toBe('\ufffd'); // a character like any other, where it has bytes
    expect(decode('utf-8', '61ed a080 62'.replaceAll(' ', ''), 'surrogateescape')).toBe('a\udced\udca0\udc80b');
    expect(decode('utf-8', '61e28262', 'replace')).toBe('a\ufffdb');
    expect(decode('utf-16-le', '00d86100', 'ignore')).toBe('a');
  });

  it('name the first text without bytes by code points', () => {
    const encode = (encoding: string, text: string, errors: ErrorMode = 'strict') =>
      findCodec(encoding).encoder(errors).encode(text);
    expect(failure(() => encode('latin-1', '😀é€ц'))).toEqual([
      'ERR_UNICODE_ENCODE',
      0,
      1,
      'ordinal not in range(256)',
    ]);
    expect(failure(() => encode('latin-1', 'é€цa'))).toEqual(['ERR_UNICODE_ENCODE', 1, 3, 'ordinal not in range(256)']);
    expect(failure(() => encode('utf-8', '😀\ud800'))).toEqual(['ERR_UNICODE_ENCODE', 1, 2, 'surrogates not allowed']);
    expect(failure(() => encode('cp1252', 'a\ufffd'))).toEqual([
      'ERR_UNICODE_ENCODE',
      1,
      2,
      'character maps to <undefined>',
    ]);
    expect((failure(() => encode('cp1252', 'a中文b')) as unknown[]).slice(1, 3)).toEqual([1, 3]);
    expect((failure(() => encode('cp1252', '\udcff中', 'surrogateescape')) as unknown[]).slice(1, 3)).toEqual([0, 2]);
    expect((failure(() => encode('latin-1', '\udcff中', 'surrogateescape')) as unknown[]).slice(1, 3)).toEqual([1, 2]);
    expect((failure(() => encode('gbk', 'a😀😀b')) as unknown[]).slice(1, 3)).toEqual([1, 2]);
    expect(encode('cp1252', '\udcff€', 'surrogateescape').toString('hex')).toBe('ff80');
    expect((failure(() => encode('shift_jis', 'ア😀')) as unknown[]).slice(0, 3)).toEqual(['ERR_UNICODE_ENCODE', 1, 2]);
    expect(encode('ascii', 'é€😀', 'backslashreplace').toString()).toBe('\\xe9\\u20ac\\U0001f600');
    expect(encode('koi8-r', 'я€', 'replace').toString('hex')).toBe('d13f');
    expect(encode('utf-8', 'a\udcffb', 'surrogateescape').toString('hex')).toBe('61ff62');
  });

  it('hold back no more than a character that may still be completed', () => {
    const decoder = findCodec('cp949').decoder('replace');
    expect(decoder.decode(Buffer.from('61e6000a', 'hex'), false)).toBe('a\ufffd\0\n');
    expect(decoder.decode(Buffer.from('b0', 'hex'), false)).toBe('');
    expect(decoder.decode(Buffer.from('a1', 'hex'), false)).toBe('가');
  });

  it('take a stream apart at any byte', () => {
    for (const [encoding, text] of [
      ['shift_jis', 'アイウ漢字ABC'],
      ['gb18030', '汉字😀é'],
      ['windows-1251', 'Привет'],
      ['euc-jp', '日本語'],
    ] as const) {
      const bytes = findCodec(encoding).encoder('strict').encode(text);
      for (let size = 1; size < 5; size++) {
        const decoder = findCodec(encoding).decoder('strict');
        let got = '';
        for (let at = 0; at < bytes.length; at += size) got += decoder.decode(bytes.subarray(at, at + size), false);
        expect(got + decoder.decode(Buffer.alloc(0), true)).toBe(text);
      }
    }
  });
});
