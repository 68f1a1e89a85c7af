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
