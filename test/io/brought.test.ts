// Layers over objects that a program brings along: what those lack or answer wrongly is named, and nothing is lost.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  BufferedReader,
  BufferedWriter,
  BytesIO,
  type OpenOptions,
  open,
  TextIOWrapper,
  UnsupportedOperation,
} from '../../src/index.js';

const dir = mkdtempSync(join(tmpdir(), 'sluice-brought-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const refused = expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' });

/** A source with the fewest methods there can be. */
const least = (text: string) => ({
  closed: false,
  readable: () => true,
  readInto(view: Uint8Array): number {
    const count = Buffer.from(text).copy(view);
    text = text.slice(count);
    return count;
  },
  close() {
    this.closed = true;
  },
});

describe('a raw stream with few methods', () => {
  it('is read, and has no position, descriptor or terminal', () => {
    expect(new TextIOWrapper(new BufferedReader(least('a\nb'))).readLines()).toEqual(['a\n', 'b']);
    const reader = new BufferedReader(least('abc'));
    expect([reader.seekable(), reader.isatty()]).toEqual([false, false]);
    for (const call of [() => reader.tell(), () => reader.seek(0), () => reader.fileno()])
      expect(call).toThrow(UnsupportedOperation);
    expect(reader.read()?.toString()).toBe('abc');
    reader.close();
    expect(reader.closed).toBe(true);
  });

  it('that takes nothing of something counts as full, and is not asked for ever', () => {
    const writer = new BufferedWriter({ ...least(''), writable: () => true, write: () => 0 }, 4);
    writer.write(Buffer.from('ab'));
    expect(() => writer.flush()).toThrow(expect.objectContaining({ code: 'EAGAIN' }));
  });
});

describe('what stands under text', () => {
  const below = (read: () => unknown) => ({ closed: false, close() {}, readable: () => true, read }) as never;
  const sink = (write: (data: Uint8Array) => unknown) =>
    new TextIOWrapper({ closed: false, close() {}, writable: () => true, write } as never);

  it('has to give bytes', () => {
    for (const wrong of ['text', 5, [1]])
      for (const size of [-1, 1])
        expect(() => new TextIOWrapper(below(() => wrong)).read(size)).toThrow(
          expect.objectContaining({ code: 'ERR_INVALID_RETURN_VALUE' }),
        );
    expect(new TextIOWrapper(below(() => null)).read()).toBe('');
    for (const wrong of [null, undefined, 'text', 5]) expect(() => new TextIOWrapper(wrong as never)).toThrow(refused);
  });

  it('gets all of it when it takes a little at a time, which CPython would lose', () => {
    let taken = '';
    const text = sink((data) => {
      taken += Buffer.from(data.subarray(0, 2)).toString();
      return Math.min(2, data.length);
    });
    text.write('five!');
    text.flush();
    expect(taken).toBe('five!');
  });

  it('need not count', () => {
    let taken = '';
    const text = sink((data) => {
      taken += Buffer.from(data).toString();
    });
    text.write('all');
    text.flush();
    expect(taken).toBe('all');
  });

  it('that is full leaves what it did not take where it was', () => {
    let room = 3;
    let taken = '';
    const text = sink((data) => {
      const count = Math.min(room, data.length);
      room -= count;
      taken += Buffer.from(data.subarray(0, count)).toString();
      return count === 0 ? null : count;
    });
    text.write('abc');
    text.write('def');
    expect(() => text.flush()).toThrow(expect.objectContaining({ code: 'EAGAIN' }));
    expect(taken).toBe('abc');
    room = 9;
    text.flush();
    expect(taken).toBe('abcdef');
  });

  it('that counts wrongly is named', () => {
    for (const wrong of [-1, 9, 'x', 0.5]) {
      const text = sink(() => wrong);
      text.write('abc');
      expect(() => text.flush()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_RETURN_VALUE' }));
    }
  });
});

describe('a position in the midst of an iteration', () => {
  it('is told, and right, once a flush has ended it', () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `línea ${i} €\r\n`);
    for (const stop of [1, 700, 9000, 19_000]) {
      const text = new TextIOWrapper(new BytesIO(Buffer.from(lines.join(''))));
      let last = '';
      for (const line of text) {
        last = line;
        if (line === `línea ${stop} €\n`) break;
      }
      expect(() => text.tell()).toThrow(UnsupportedOperation);
      text.flush();
      const place = text.tell();
      expect([last, text.readLine()]).toEqual([`línea ${stop} €\n`, `línea ${stop + 1} €\n`]);
      text.seek(place);
      expect(text.readLine()).toBe(`línea ${stop + 1} €\n`);
    }
  });
});

describe('readLine(0)', () => {
  it('reads nothing, and waits for nothing', () => {
    let reads = 0;
    const text = new TextIOWrapper({
      closed: false,
      close() {},
      readable: () => true,
      read1: () => Buffer.from(`${reads++}`),
    });
    expect([text.readLine(0), reads]).toEqual(['', 0]);
    expect(text.read(1)).toBe('0');
  });
});

describe('what open is given', () => {
  it('is refused before the file is touched', () => {
    const path = join(dir, 'untouched');
    writeFileSync(path, 'kept');
    const wrong: [string, OpenOptions][] = [
      ['wb', { buffering: 2 ** 53 }],
      ['w', { buffering: 1.5 }],
      ['w', { opener: 'x' as never }],
      ['w', { closefd: 0 as never }],
      ['w', { encoding: 5 as never }],
    ];
    for (const [mode, options] of wrong) {
      expect(() => open(path, mode, options)).toThrow(refused);
      expect(() => open(join(dir, 'new'), mode, options)).toThrow(refused);
    }
    expect(readFileSync(path, 'utf8')).toBe('kept');
    expect(existsSync(join(dir, 'new'))).toBe(false);
  });

  it('has sizes and positions that a file in memory can have', () => {
    const memory = new BytesIO();
    memory.seek(2 ** 53 - 1);
    expect(() => memory.seek(1, 1)).toThrow(refused);
    expect(memory.tell()).toBe(2 ** 53 - 1);
    expect(() => new BufferedReader(memory, 2 ** 53)).toThrow(refused);
  });
});
