import { readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type TextFacts, textFacts } from '../../src/probe/text-facts.js';
import { TextScan } from '../../src/probe/text-scan.js';
import { firstInvalidIn, incompleteTail } from '../../src/probe/utf8.js';
import { temporary } from '../helpers/sluice.js';

async function factsOf(bytes: Uint8Array, quick = false): Promise<TextFacts> {
  const path = join(temporary(), 'file');
  writeFileSync(path, bytes);
  const file = await open(path);
  try {
    return await textFacts(file.fd, { quick });
  } finally {
    await file.close();
  }
}

/** Byte by byte, with nothing clever. */
function reference(bytes: Uint8Array) {
  const counts = { lf: 0, crlf: 0, cr: 0, nul: 0, control: 0, high: 0, lines: 0, longest: 0, longestLine: 1 };
  let current = 0;
  const end = () => {
    counts.lines++;
    if (current > counts.longest) [counts.longest, counts.longestLine] = [current, counts.lines];
    current = 0;
  };
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === 10 && bytes[i - 1] === 13) {
      counts.crlf++;
      counts.cr--;
    } else if (byte === 10 || byte === 13) {
      counts[byte === 10 ? 'lf' : 'cr']++;
      end();
    } else {
      current++;
      if (byte === 0) counts.nul++;
      else if (byte >= 0x80) counts.high++;
      else if (byte === 127 || (byte < 32 && ![8, 9, 11, 12, 27].includes(byte))) counts.control++;
    }
  }
  return { ...counts, current };
}

function scanned(pieces: Uint8Array[]) {
  const scan = new TextScan(262144);
  for (const piece of pieces) {
    scan.room.set(piece);
    scan.bytes(piece.length);
  }
  const { lf, cr, crlf, nul, control, high, lines, longest, longestLine, current } = scan.counts();
  return { lf: lf - crlf, crlf, cr: cr - crlf, nul, control, high, lines, longest, longestLine, current };
}

describe('the scan', () => {
  const interesting = fc.constantFrom(10, 13, 0, 9, 8, 14, 27, 31, 32, 65, 127, 128, 255);
  const contents = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    fc.array(interesting, { maxLength: 400 }).map((bytes) => Uint8Array.from(bytes)),
    fc
      .array(
        fc.tuple(fc.integer({ min: 0, max: 150 }), fc.constantFrom([10], [13], [13, 10], [13, 13, 10], [10, 13])),
        {
          maxLength: 12,
        },
      )
      .map((lines) => Uint8Array.from(lines.flatMap(([length, end]) => [...Array(length).fill(97), ...end]))),
  );

  it('counts what a loop over bytes counts, wherever the pieces are cut', () => {
    fc.assert(
      fc.property(contents, fc.array(fc.nat(400), { maxLength: 6 }), (bytes, cuts) => {
        const at = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
        const pieces = at.slice(1).map((to, i) => bytes.subarray(at[i], to));
        expect(scanned(pieces)).toEqual(reference(bytes));
      }),
      { numRuns: 3000 },
    );
  });

  it('sees a CRLF whose halves lie in two pieces, at every place in a block', () => {
    for (let length = 0; length < 140; length++) {
      const line = new Uint8Array(length).fill(97);
      const bytes = Uint8Array.from([...line, 13, 10, 98, 10]);
      expect(scanned([bytes.subarray(0, length + 1), bytes.subarray(length + 1)])).toEqual(reference(bytes));
      expect(scanned([bytes])).toEqual(reference(bytes));
    }
  });

  it('runs the code that its source says', async () => {
    const { default: wabt } = await import('wabt');
    const source = new URL('../../src/probe/text-scan.wat', import.meta.url);
    const module = (await wabt()).parseWat('text-scan.wat', readFileSync(source, 'utf8'), { simd: true });
    const { code } = await import('../../src/probe/text-scan-code.js');
    expect(code).toBe(Buffer.from(module.toBinary({}).buffer).toString('base64'));
  });
});

describe('the first invalid byte', () => {
  const sequence = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 3 }).map((text) => Buffer.from(text.toWellFormed())),
    fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
    fc
      .constantFrom('c080', 'e08080', 'eda080', 'f4908080', 'f0808080', 'e282', 'f09f98', 'c3', '80', 'ff')
      .map((hex) => Buffer.from(hex, 'hex')),
  );

  /** What TextDecoder takes before it gives up, found by trying every length. */
  function referenceInvalid(bytes: Buffer): number | null {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const valid = (end: number) => {
      try {
        decoder.decode(bytes.subarray(0, end));
        return true;
      } catch {
        return false;
      }
    };
    if (valid(bytes.length)) return null;
    let last = 0;
    for (let end = 0; end <= bytes.length; end++) if (valid(end)) last = end;
    return last;
  }

  it('is where the longest valid beginning ends, and what is held back at a cut changes nothing', () => {
    fc.assert(
      fc.property(fc.array(sequence, { maxLength: 40 }), (parts) => {
        const bytes = Buffer.concat(parts);
        const expected = referenceInvalid(bytes);
        if (expected !== null) expect(firstInvalidIn(bytes)).toBe(expected);
        for (let cut = 0; cut <= bytes.length; cut += 3) {
          const tail = incompleteTail(bytes.subarray(0, cut));
          const complete = referenceInvalid(bytes.subarray(0, cut - tail));
          if (expected === null) expect(complete).toBe(null);
          else if (complete !== null) expect(complete).toBe(expected);
        }
      }),
      { numRuns: 100 },
    );
  });

  it.each([
    ['in the middle of a sequence that two pieces share', 262143, [0xc3, 0x28]],
    ['in the last byte of the first piece', 262143, [0xff]],
    ['in the first byte of the second piece', 262144, [0x80]],
    ['at the very end, where a sequence breaks off', 700000, [0xe2, 0x82]],
  ])('is found %s', async (_, offset, bad) => {
    const facts = await factsOf(Buffer.concat([Buffer.alloc(offset, 'a'), Buffer.from(bad)]));
    expect(facts.firstInvalidByte).toBe(offset);
  });

  it('is not there when a sequence lies across two pieces', async () => {
    for (const shift of [1, 2, 3]) {
      const facts = await factsOf(Buffer.concat([Buffer.alloc(262144 - shift, 'a'), Buffer.from('😀é\n')]));
      expect(facts).toMatchObject({ firstInvalidByte: null, encoding: { value: 'utf-8', inferred: true } });
    }
  });
});

describe('encodings', () => {
  const text = 'Grüße aus Köln\r\nzweite Zeile\nund die dritte\rEnde';
  const wide = (bits: 16 | 32, big: boolean, content: string): Buffer => {
    const units = [...content].map((character) => character.codePointAt(0)!);
    const bytes = Buffer.alloc((units.length * bits) / 8);
    for (const [i, unit] of units.entries()) {
      if (bits === 16) bytes[big ? 'writeUInt16BE' : 'writeUInt16LE'](unit, i * 2);
      else bytes[big ? 'writeUInt32BE' : 'writeUInt32LE'](unit, i * 4);
    }
    return bytes;
  };

  it.each([
    ['utf-16le', 2, wide(16, false, `\ufeff${text}`)],
    ['utf-16be', 2, wide(16, true, `\ufeff${text}`)],
    ['utf-32le', 4, wide(32, false, `\ufeff${text}`)],
    ['utf-32be', 4, wide(32, true, `\ufeff${text}`)],
    ['utf-8', 1, Buffer.from(`\ufeff${text}`)],
  ])('%s is told by its BOM, and its lines are counted in its units', async (name, width, bytes) => {
    expect(await factsOf(bytes)).toMatchObject({
      bom: name,
      encoding: { value: name, inferred: true },
      content: { value: 'text' },
      newlines: { lf: 1, crlf: 1, cr: 1 },
      lines: 4,
      finalNewline: false,
      firstInvalidByte: null,
      longestLine: width === 1 ? 17 : 14 * width,
      longestLineNumber: 1,
    });
  });

  it('UTF-16 without a BOM is told by its zero bytes, with less certainty', async () => {
    const facts = await factsOf(wide(16, false, text));
    expect(facts).toMatchObject({
      bom: null,
      encoding: { value: 'utf-16le', inferred: true },
      newlines: { lf: 1, crlf: 1, cr: 1 },
    });
    expect((facts.encoding as { certainty: number }).certainty).toBeLessThan(0.9);
  });

  it.each([
    ['Russian', 'Все счастливые семьи похожи друг на друга.\nКаждая несчастливая семья несчастлива по-своему.\n'],
    ['Japanese', '吾輩は猫である。名前はまだ無い。\nどこで生れたかとんと見当がつかぬ。何でも薄暗い所で泣いていた。\n'],
  ])('%s without a BOM is told by where its line ends have their zero bytes', async (_, content) => {
    for (const big of [false, true])
      expect(await factsOf(wide(16, big, content))).toMatchObject({
        encoding: { value: big ? 'utf-16be' : 'utf-16le', inferred: true },
        content: { value: 'text', inferred: true },
        lines: 2,
        firstInvalidByte: null,
      });
  });

  it('tables of small numbers are no text', async () => {
    const numbers = Array.from({ length: 300 }, (_, i) => String.fromCharCode(i % 200)).join('');
    for (const bits of [16, 32] as const)
      for (const big of [false, true])
        expect(await factsOf(wide(bits, big, numbers))).toMatchObject({
          encoding: { unknown: expect.stringContaining('NUL') },
          content: { value: 'binary', inferred: true },
        });
  });

  it('ISO-2022 is told by its escape sequences, though every byte is ASCII', async () => {
    const facts = await factsOf(Buffer.from('\x1b$B8cGZ$OG-$G$"$k!#L>A0$O$^$@L5$$!#\x1b(B\n'.repeat(4), 'latin1'));
    expect(facts).toMatchObject({ encoding: { value: 'iso-2022-jp' }, content: { value: 'text' }, nonAscii: 0 });
  });

  it('bytes of which statistics say nothing have an encoding that is unknown', async () => {
    for (const bytes of [[0xf5], [0x7f, 0xf5], [0xc3, 0x61], [0xe2, 0x82, 13]])
      expect((await factsOf(Buffer.from(bytes))).encoding).toEqual({ unknown: expect.stringContaining('UTF-8') });
  });

  it('bytes of text of which no encoding can be told from them alone stay unknown', async () => {
    const nul = { unknown: expect.stringContaining('NUL') };
    // Both orders have zero bytes: U+4E00 and the space, or N and U+2000.
    expect((await factsOf(wide(16, true, '一 '.repeat(40)))).encoding).toEqual(nul);
    // One order only, but places where nobody but the writer knows what they mean.
    expect((await factsOf(wide(16, false, '\ue001\ue123字 '.repeat(20)))).encoding).toEqual(nul);
  });

  it.each([
    ['a lone high surrogate', [0x41, 0xd800, 0x42], 4],
    ['a lone low surrogate', [0x41, 0xdc00], 4],
    ['a high surrogate at the end', [0x41, 0xd83d], 4],
    ['two high surrogates', [0xd83d, 0xd83d, 0xde00], 2],
  ])('UTF-16 with %s is invalid there', async (_, units, offset) => {
    const bytes = Buffer.alloc(2 + units.length * 2);
    bytes.writeUInt16LE(0xfeff, 0);
    for (const [i, unit] of units.entries()) bytes.writeUInt16LE(unit, 2 + i * 2);
    expect((await factsOf(bytes)).firstInvalidByte).toBe(offset);
  });

  it('Latin-1 is not UTF-8, and what statistics say of it is marked as a conclusion', async () => {
    const sentence = 'Les élèves français préfèrent le café à la crème brûlée.\n';
    const facts = await factsOf(Buffer.from(sentence.repeat(40), 'latin1'));
    expect(facts.firstInvalidByte).toBe(4);
    expect(facts.encoding).toMatchObject({ inferred: true, value: expect.stringMatching(/8859-1|1252/) });
    expect(facts.content).toMatchObject({ value: 'text', inferred: true });
  });

  it('NUL bytes make it binary, and its encoding unknown', async () => {
    expect(await factsOf(Buffer.from('\x7fELF\0\0\0\x01text\n', 'latin1'))).toMatchObject({
      content: { value: 'binary', inferred: true },
      encoding: { unknown: expect.any(String) },
      nulBytes: 3,
    });
  });

  it('an empty file has no lines, and a BOM alone is no line', async () => {
    expect(await factsOf(Buffer.alloc(0))).toMatchObject({ content: 'empty', lines: 0, finalNewline: null });
    expect(await factsOf(Buffer.from('\ufeff'))).toMatchObject({ bom: 'utf-8', lines: 0, finalNewline: null });
    expect(await factsOf(Buffer.from('\n'))).toMatchObject({ lines: 1, finalNewline: true, longestLine: 0 });
  });
});

describe('holes', () => {
  /** A hole of 8 bytes between the two, told as one and read as one. */
  async function around(before: Buffer, after: Buffer): Promise<[told: TextFacts, read: TextFacts]> {
    const path = join(temporary(), 'file');
    writeFileSync(path, Buffer.concat([before, Buffer.alloc(8), after]));
    const file = await open(path);
    const [from, to] = [before.length, before.length + 8];
    const stretches = [
      { hole: false, from: 0, to: from },
      { hole: true, from, to },
      { hole: false, from: to, to: to + after.length },
    ];
    try {
      return [
        await textFacts(file.fd, { quick: false, stretches }),
        await textFacts(file.fd, { quick: false, stretches: undefined }),
      ];
    } finally {
      await file.close();
    }
  }

  it.each([
    ['a sequence of UTF-8', Buffer.from([0x61, 0xe2, 0x82]), Buffer.from([0xac, 0x0a]), { firstInvalidByte: 1 }],
    [
      'a pair of UTF-16',
      Buffer.from('\ufeffletters\ud83d', 'utf16le'),
      Buffer.from('\ude00', 'utf16le'),
      { firstInvalidByte: 16 },
    ],
    ['a CRLF', Buffer.from('a\r'), Buffer.from('\nb'), { newlines: { lf: 1, crlf: 0, cr: 1 }, lines: 3 }],
    ['a line', Buffer.from('a\nbc'), Buffer.from('d\n'), { longestLine: 11, longestLineNumber: 2, nulBytes: 8 }],
  ])('in the middle of %s count as their zeros do', async (_, before, after, expected) => {
    const [told, read] = await around(before, after);
    expect(told).toEqual(read);
    expect(told).toMatchObject(expected);
  });
});

describe('a quick look', () => {
  it('knows that a sequence at its end is broken if nothing could make it whole', async () => {
    const facts = await factsOf(Buffer.concat([Buffer.alloc(65534, 'a'), Buffer.from([0xed, 0xa0, 0x80, 10])]), true);
    expect(facts.firstInvalidByte).toBe(65534);
  });

  it('reads 64 KiB, and says of the rest that it does not know', async () => {
    const facts = await factsOf(Buffer.concat([Buffer.alloc(100_000, 'line\n'), Buffer.from([0xff])]), true);
    expect(facts.bytesRead).toBe(65536);
    expect(facts.lines).toEqual({ unknown: expect.stringContaining('--quick') });
    expect(facts.firstInvalidByte).toEqual({ unknown: expect.stringContaining('--quick') });
    expect(facts.encoding).toMatchObject({ value: 'ascii', inferred: true });
    expect((facts.encoding as { certainty: number }).certainty).toBeLessThan(0.95);
  });

  it('does not take a sequence at its end for broken', async () => {
    const facts = await factsOf(Buffer.from(`a${'é'.repeat(100_000)}`), true);
    expect(facts).toMatchObject({ encoding: { value: 'utf-8' }, firstInvalidByte: { unknown: expect.any(String) } });
  });

  it('knows all of a file that is no longer than that', async () => {
    const facts = await factsOf(Buffer.from('a\nb'), true);
    expect(facts).toMatchObject({ lines: 2, finalNewline: false, firstInvalidByte: null });
  });
});
