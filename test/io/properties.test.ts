// What holds for any bytes, any cuts and any order of calls.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { BufferedRandom } from '../../src/io/buffered-random.js';
import { BufferedReader } from '../../src/io/buffered-reader.js';
import { ByteBuffer } from '../../src/io/byte-buffer.js';
import { BytesIO } from '../../src/io/bytes-io.js';
import type { ErrorMode } from '../../src/io/codec-errors.js';
import { findCodec } from '../../src/io/codecs.js';
import { BufferError } from '../../src/io/errors.js';
import { FileIO } from '../../src/io/file-io.js';
import { open } from '../../src/io/open.js';
import { TextIOWrapper } from '../../src/io/text-io.js';

const dir = mkdtempSync(join(tmpdir(), 'sluice-properties-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const encodings = ['utf-8', 'utf-8-sig', 'utf-16', 'utf-16-be', 'utf-32', 'latin-1', 'ascii'] as const;
const handlers = ['replace', 'ignore', 'backslashreplace', 'surrogateescape'] as const;

/** Bytes that make trouble often: parts of sequences, newlines, marks. */
const bytes = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        0x0a,
        0x0d,
        0x41,
        0x80,
        0xbf,
        0xc3,
        0xa9,
        0xe2,
        0x82,
        0xac,
        0xed,
        0xa0,
        0xf0,
        0x9f,
        0xff,
        0xfe,
        0,
      ),
      fc.nat(255),
    ),
    { maxLength: 60 },
  )
  .map((list) => Buffer.from(list));
const cuts = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 });

/** A pipe that gives `data` in pieces of these sizes. */
function pipe(data: Buffer, sizes: number[]) {
  let at = 0;
  let turn = 0;
  return {
    closed: false,
    readable: () => true,
    seekable: () => false,
    close() {
      this.closed = true;
    },
    flush() {},
    readInto(view: Uint8Array): number {
      const part = data.subarray(at, at + Math.min(view.length, sizes[turn++ % sizes.length]!));
      view.set(part);
      at += part.length;
      return part.length;
    },
  };
}

const attempt = (call: () => unknown): unknown => {
  try {
    return call();
  } catch (error) {
    const { code, start } = error as { code: string; start?: number };
    return { code, start: start !== undefined };
  }
};

describe('any bytes in any pieces', () => {
  it('are the same text as in one piece, or the same error', () => {
    fc.assert(
      fc.property(
        bytes,
        cuts,
        fc.constantFrom(...encodings),
        fc.constantFrom<ErrorMode>('strict', ...handlers),
        (data, sizes, encoding, errors) => {
          const decode = (pieces: number[]): unknown =>
            attempt(() => {
              const decoder = findCodec(encoding).decoder(errors);
              let text = '';
              let at = 0;
              for (let turn = 0; at < data.length; turn++) {
                const size = pieces[turn % pieces.length]!;
                text += decoder.decode(data.subarray(at, at + size), false);
                at += size;
              }
              return text + decoder.decode(Buffer.alloc(0), true);
            });
          expect(decode(sizes)).toEqual(decode([1000]));
        },
      ),
      { numRuns: 1500 },
    );
  });

  it('are the same lines, of bytes and of text', () => {
    fc.assert(
      fc.property(
        bytes,
        cuts,
        fc.constantFrom(null, '', '\n', '\r', '\r\n'),
        fc.integer({ min: 1, max: 20 }),
        (data, sizes, newline, size) => {
          expect([...new BufferedReader(pipe(data, sizes), size)].join('|')).toBe(
            [...new BufferedReader(pipe(data, [1000]), 1000)].join('|'),
          );
          const options = { newline, errors: 'backslashreplace' } as const;
          const cut = new TextIOWrapper(new BufferedReader(pipe(data, sizes), size), options);
          const text = data.toString('latin1');
          const whole = new TextIOWrapper(new BytesIO(data), options);
          const lines = [...cut];
          expect(lines).toEqual([...whole]);
          expect(cut.newlines).toEqual(whole.newlines);
          if (newline === '' || newline === null)
            expect(lines.length).toBe(text.match(/[^\r\n]*(\r\n|\r|\n)|[^\r\n]+/g)?.length ?? 0);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('come back from surrogateescape as they were', () => {
    fc.assert(
      fc.property(bytes, (data) => {
        const codec = findCodec('utf-8');
        const text = codec.decoder('surrogateescape').decode(data, true);
        expect(codec.encoder('surrogateescape').encode(text).equals(data)).toBe(true);
      }),
    );
  });
});

describe('any text', () => {
  it('comes back from every encoding that has it, through a file, after any seek', () => {
    const path = join(dir, 'text');
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', 'é', '€', '😀', '\n', '\r', 'x\r\n', '0123456789'), maxLength: 40 }),
        fc.constantFrom('utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'utf-32', 'utf-32-be', 'gb18030', 'utf-7'),
        fc.array(fc.nat(7), { maxLength: 12 }),
        (text, encoding, sizes) => {
          const options = { encoding, newline: '' } as const;
          {
            using file = open(path, 'w', options);
            file.write(text);
          }
          using file = open(path, 'r', { ...options, buffering: 7 });
          expect(file.read()).toBe(text);
          if (encoding === 'utf-7') return; // has modes: it is decoded in one piece
          file.seek(0);
          const marks: [number | bigint, string][] = [];
          let before = '';
          for (const size of sizes) {
            marks.push([file.tell(), before]);
            before += file.read(size);
          }
          expect(text.startsWith(before)).toBe(true);
          for (const [cookie, read] of marks.reverse()) {
            file.seek(cookie);
            expect(read + file.read()).toBe(text);
          }
        },
      ),
      { numRuns: 400 },
    );
  });
});

type Call =
  | { op: 'read' | 'readLine' | 'peek' | 'readInto'; size: number }
  | { op: 'write'; data: number[] }
  | { op: 'seek'; offset: number; whence: 0 | 1 | 2 }
  | { op: 'truncate'; size: number }
  | { op: 'flush' };

const calls = fc.array(
  fc.oneof(
    fc.record({
      op: fc.constantFrom('read' as const, 'readLine' as const, 'peek' as const, 'readInto' as const),
      size: fc.nat(20),
    }),
    fc.record({
      op: fc.constant('write' as const),
      data: fc.array(fc.constantFrom(10, 65, 66, 67), { maxLength: 20 }),
    }),
    fc.record({
      op: fc.constant('seek' as const),
      offset: fc.integer({ min: -8, max: 50 }),
      whence: fc.constantFrom(0 as const, 1 as const, 2 as const),
    }),
    fc.record({ op: fc.constant('truncate' as const), size: fc.nat(50) }),
    fc.record({ op: fc.constant('flush' as const) }),
  ),
  { maxLength: 40 },
);

/** A file as a plain array and a position. */
class Model {
  data: number[];
  pos = 0;
  constructor(data: Buffer) {
    this.data = [...data];
  }
  take(size: number): number[] {
    const part = this.data.slice(this.pos, this.pos + size);
    this.pos += part.length;
    return part;
  }
  run(call: Call): unknown {
    switch (call.op) {
      case 'read':
      case 'readInto':
        return this.take(call.size);
      case 'readLine': {
        const at = this.data.indexOf(10, this.pos);
        return this.take(at === -1 ? this.data.length : at + 1 - this.pos);
      }
      case 'peek':
        return this.pos < this.data.length;
      case 'write':
        while (call.data.length > 0 && this.data.length < this.pos) this.data.push(0);
        this.data.splice(this.pos, call.data.length, ...call.data);
        this.pos += call.data.length;
        return call.data.length;
      case 'seek': {
        const target = call.offset + [0, this.pos, this.data.length][call.whence]!;
        if (target < 0) return 'refused';
        this.pos = target;
        return target;
      }
      case 'truncate':
        while (this.data.length < call.size) this.data.push(0);
        this.data.length = call.size;
        return call.size;
      case 'flush':
        return null;
    }
  }
}

function runOn(file: BufferedRandom, call: Call): unknown {
  switch (call.op) {
    case 'read':
      return [...file.read(call.size)!];
    case 'readInto': {
      const view = new Uint8Array(call.size);
      return [...view.subarray(0, file.readInto(view)!)];
    }
    case 'readLine':
      return [...file.readLine()];
    case 'peek':
      return file.peek().length > 0;
    case 'write':
      return file.write(Buffer.from(call.data));
    case 'seek':
      try {
        return file.seek(call.offset, call.whence);
      } catch (error) {
        expect((error as { code: string }).code).toBe('EINVAL');
        return 'refused';
      }
    case 'truncate':
      return file.truncate(call.size);
    case 'flush':
      file.flush();
      return null;
  }
}

describe('any order of calls', () => {
  it('on BufferedRandom over a file equals a plain array', () => {
    const path = join(dir, 'random');
    fc.assert(
      fc.property(bytes, calls, fc.integer({ min: 1, max: 16 }), (initial, sequence, size) => {
        writeFileSync(path, initial);
        const model = new Model(initial);
        const file = new BufferedRandom(new FileIO(path, 'r+'), size);
        for (const call of sequence) {
          expect(runOn(file, call)).toEqual(model.run(call));
          expect(file.tell()).toBe(model.pos);
        }
        file.close();
        expect([...readFileSync(path)]).toEqual(model.data);
      }),
      { numRuns: 600 },
    );
  });

  it('keeps what was read as it was, whatever is written later', () => {
    const path = join(dir, 'kept');
    fc.assert(
      fc.property(calls, (sequence) => {
        writeFileSync(path, 'one\ntwo\nthree\nfour\nfive\nsix\n');
        using file = new BufferedRandom(new FileIO(path, 'r+'), 8);
        const kept: [Buffer, string][] = [];
        for (const line of file) {
          kept.push([line, line.toString()]);
          if (kept.length === 3) break;
        }
        for (const call of sequence) runOn(file, call);
        for (const [line, text] of kept) expect(line.toString()).toBe(text);
      }),
      { numRuns: 200 },
    );
  });
});

describe('the buffer protocol', () => {
  it('shares memory where it should', () => {
    const buffer = new ByteBuffer(10);
    expect(buffer.fill(Buffer.from('abcdefghijklm'))).toBe(10);
    expect(new BytesIO(buffer.view()).read().toString()).toBe('abcdefghij');
    expect(new BytesIO(buffer).read().toString()).toBe('abcdefghij');
    buffer.view()[0] = 0x41;
    expect(Buffer.from(buffer.view()).toString()).toBe('Abcdefghij');

    const memory = new BytesIO(Buffer.from('abc'));
    const view = memory.getBuffer();
    view[1] = 0x42;
    expect(memory.getValue().toString()).toBe('aBc');
    expect(() => memory.write(Buffer.from('x'))).toThrow(BufferError);
    expect(() => memory.close()).toThrow(expect.objectContaining({ code: 'ERR_BUFFER' }));
    {
      using second = memory.getBuffer();
      expect(second.buffer).toBe(view.buffer);
      view.release();
      view.release();
      expect(() => memory.truncate(0)).toThrow(BufferError);
    }
    memory.truncate(0);
    expect(memory.getValue().length).toBe(0);
  });

  it('takes any view of memory for reading into and writing from, at its place', () => {
    const path = join(dir, 'views');
    const words = new Uint16Array([0x6261, 0x6463, 0x6665]);
    for (const source of [words, words.buffer, new DataView(words.buffer), new ByteBuffer(0), Buffer.from('abcdef')]) {
      if (source instanceof ByteBuffer) continue;
      using file = open(path, 'wb');
      expect(file.write(source)).toBe(6);
      file.flush();
      expect(readFileSync(path, 'utf8')).toBe('abcdef');
    }
    const memory = new Uint8Array(8).fill(0x2e);
    using raw = new FileIO(path);
    expect(raw.readInto(new DataView(memory.buffer, 1, 6))).toBe(6);
    expect(Buffer.from(memory).toString()).toBe('.abcdef.');
    using reader = open(path, 'rb');
    reader.readInto(new Uint16Array(memory.buffer, 2, 2));
    expect(Buffer.from(memory).toString()).toBe('.aabcdf.');
  });

  it('reads what a file grew by, and what was cut off is gone', () => {
    const path = join(dir, 'growing');
    writeFileSync(path, 'one\n');
    using file = open(path, 'r');
    expect(file.readLine()).toBe('one\n');
    expect(file.readLine()).toBe('');
    const fd = openSync(path, 'a');
    writeFileSync(fd, 'two\n');
    closeSync(fd);
    expect(file.readLine()).toBe('two\n');
    writeFileSync(path, '');
    expect(file.read()).toBe('');
    file.seek(0);
    expect(file.read()).toBe('');
  });
});
