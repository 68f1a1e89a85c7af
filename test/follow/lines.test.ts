import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { startOfLastLines } from '../../src/follow/last-lines.js';
import { fileEncoding, newline } from '../../src/follow/line-ends.js';
import { type LineFormat, Matched } from '../../src/follow/lines.js';
import { skipLines, WholeUnits } from '../../src/follow/skip.js';
import { Stage } from '../../src/follow/stage.js';

const plain: LineFormat = { newline: 'keep', before: undefined, record: undefined, matches: undefined };

/** All of `bytes`, in pieces of these sizes, through a stage. */
function through(
  bytes: Uint8Array,
  sizes: number[],
  options: { encoding?: string; format?: Partial<LineFormat>; cr?: boolean },
): string {
  let out = '';
  const ends = options.cr ? { ...newline, cr: 13 } : newline;
  const stage = new Stage(
    { format: { ...plain, ...options.format }, encoding: options.encoding, lineEnd: 'newline', ends },
    (written) => {
      out += Buffer.from(written).toString('latin1');
    },
  );
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? bytes.length;
    stage.take(bytes.subarray(at, at + size), at);
    at += size;
  }
  stage.end();
  return Buffer.from(out, 'latin1').toString();
}

const texts = fc
  .array(fc.constantFrom('a', 'é', '漢', '😀', '\n', '\r', '\r\n', '\u0a0d', '\u0d0a', ''), { maxLength: 40 })
  .map((all) => all.join(''));
const pieces = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 });

const encoders: Record<string, (text: string) => Buffer> = {
  'utf-8': (text) => Buffer.from(`\ufeff${text}`),
  'utf-16': (text) => Buffer.from(`\ufeff${text}`, 'utf16le'),
  'utf-16-be': (text) => Buffer.from(`\ufeff${text}`, 'utf16le').swap16(),
  'utf-32': (text) => {
    const points = Array.from(`\ufeff${text}`, (character) => character.codePointAt(0)!);
    const bytes = Buffer.alloc(points.length * 4);
    for (const [i, point] of points.entries()) bytes.writeUInt32BE(point, i * 4);
    return bytes;
  },
};

describe('Lines', () => {
  it.each(Object.keys(encoders))('decodes %s in pieces of any size, and drops the mark', (encoding) => {
    fc.assert(
      fc.property(texts, pieces, (text, sizes) => {
        expect(through(encoders[encoding]!(text), sizes, { encoding })).toBe(text);
      }),
    );
  });

  it('writes all ends as asked, wherever the pieces are cut', () => {
    fc.assert(
      fc.property(texts, pieces, fc.constantFrom('lf', 'crlf', 'cr'), (text, sizes, kind) => {
        const expected = text.replace(/\r\n|\r|\n/g, { lf: '\n', crlf: '\r\n', cr: '\r' }[kind]!);
        expect(through(Buffer.from(text), sizes, { format: { newline: kind as 'lf' }, cr: true })).toBe(expected);
      }),
    );
  });

  it('gives records with the offsets of their bytes', () => {
    fc.assert(
      fc.property(texts, pieces, (text, sizes) => {
        const bytes = encoders['utf-16']!(text);
        const lines: { offset: number; text: string }[] = [];
        through(bytes, sizes, {
          encoding: 'utf-16',
          format: { record: (line) => void lines.push(line as { offset: number; text: string }) },
        });
        const expected = text.split(/\r\n|\r|\n/);
        if (expected.at(-1) === '') expected.pop();
        expect(lines.map((line) => line.text)).toEqual(expected);
        for (const line of lines)
          expect(bytes.subarray(line.offset, line.offset + line.text.length * 2).toString('utf16le')).toBe(line.text);
      }),
    );
  });

  it('marks each line once, however slowly it comes', () => {
    const before = () => Buffer.from('> ');
    expect(through(Buffer.from('ab\n\ncd'), [1], { format: { before } })).toBe('> ab\n> \n> cd\n');
  });

  it('ends with the line that matches, and nothing after it', () => {
    let out = '';
    const stage = new Stage(
      {
        format: { ...plain, matches: (text) => /^b/.test(text) },
        encoding: undefined,
        lineEnd: 'newline',
        ends: { ...newline, cr: 13 },
      },
      (bytes) => {
        out += Buffer.from(bytes);
      },
    );
    expect(() => stage.take(Buffer.from('a\r\nb\r\nc\r\n'), 0)).toThrow(Matched);
    expect(out).toBe('a\r\nb\r\n');
  });

  it('gives bytes where a line is no text', () => {
    const lines: unknown[] = [];
    through(Buffer.from('ok\n\xff\n', 'latin1'), [9], { format: { record: (line) => void lines.push(line) } });
    expect(lines).toEqual([
      { offset: 0, text: 'ok' },
      { offset: 3, bytes: Buffer.from([0xff]) },
    ]);
  });
});

describe('lines that end in LF, CR or CRLF', () => {
  const ends = { ...newline, cr: 13 };

  it('are counted alike from the end and from the start', () => {
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 6 }), pieces, (text, count, sizes) => {
        const bytes = Buffer.from(text);
        const lines = text.match(/[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$/g) ?? [];
        const readAt = (view: Uint8Array, at: number) => bytes.copy(view, 0, at);
        const { offset } = startOfLastLines(readAt, 0, bytes.length, count, ends);
        expect(bytes.subarray(offset).toString()).toBe(lines.slice(-count).join(''));
        const skip = skipLines(count, ends);
        let rest = '';
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const size = sizes[i % sizes.length]!;
          rest += Buffer.from(skip(bytes.subarray(at, at + size)) ?? '').toString('latin1');
          at += size;
        }
        expect(Buffer.from(rest, 'latin1').toString()).toBe(lines.slice(count).join(''));
      }),
    );
  });

  it('come as whole code units', () => {
    const units = new WholeUnits(2, 1);
    expect([...units.of(Buffer.from('abcd'))].length).toBe(3);
    expect(units.rest.toString()).toBe('d');
  });

  it('are found in wide encodings by fileEncoding', () => {
    expect(fileEncoding('utf-16', 'newline', Buffer.from([0xfe, 0xff])).name).toBe('utf-16-be');
    expect(fileEncoding('utf-16', 'newline', Buffer.alloc(0)).name).toBe('utf-16-le');
    expect(() => fileEncoding('cp037', 'newline', Buffer.alloc(0))).toThrow();
  });
});
