// One suite per interface, over honest raws and faulty ones: whatever a raw does within its contract, the layer above
// gives the same bytes; what it may never do is named; and what could not be written is still there.
import { describe, expect, it } from 'vitest';
import { BufferedRandom } from '../../src/io/buffered-random.js';
import { BufferedReader } from '../../src/io/buffered-reader.js';
import { BufferedRWPair } from '../../src/io/buffered-rw-pair.js';
import { BufferedWriter } from '../../src/io/buffered-writer.js';
import { BlockingIOError, UnsupportedOperation } from '../../src/io/errors.js';
import { TextIOWrapper } from '../../src/io/text-io.js';

/** A file in memory whose reads and writes can be tampered with. */
class MemoryRaw {
  closed = false;
  data: Buffer;
  pos = 0;
  calls = { readInto: 0, write: 0, seek: 0 };
  constructor(data: string | Buffer = '') {
    this.data = Buffer.from(data as Buffer);
  }
  readInto(view: Uint8Array): number | null {
    this.calls.readInto += 1;
    return this.take(view, view.length);
  }
  protected take(view: Uint8Array, most: number): number {
    const part = this.data.subarray(this.pos, this.pos + Math.min(most, view.length));
    view.set(part);
    this.pos += part.length;
    return part.length;
  }
  write(view: Uint8Array): number | null {
    this.calls.write += 1;
    return this.put(view, view.length);
  }
  protected put(view: Uint8Array, most: number): number {
    const part = view.subarray(0, most);
    const end = this.pos + part.length;
    if (end > this.data.length) this.data = Buffer.concat([this.data, Buffer.alloc(end - this.data.length)]);
    this.data.set(part, this.pos);
    this.pos = end;
    return part.length;
  }
  seek(offset: number, whence = 0): number {
    this.calls.seek += 1;
    this.pos = offset + [0, this.pos, this.data.length][whence]!;
    return this.pos;
  }
  tell(): number {
    return this.pos;
  }
  truncate(size?: number | null): number {
    this.data = this.data.subarray(0, size ?? this.pos);
    return size ?? this.pos;
  }
  flush(): void {}
  close(): void {
    this.closed = true;
  }
  readable(): boolean {
    return true;
  }
  writable(): boolean {
    return true;
  }
  seekable(): boolean {
    return true;
  }
  isatty(): boolean {
    return false;
  }
  fileno(): number {
    return 99;
  }
}

class OneByte extends MemoryRaw {
  override readInto(view: Uint8Array): number {
    return this.take(view, 1);
  }
  override write(view: Uint8Array): number {
    return this.put(view, 1);
  }
}

class HalfOfIt extends MemoryRaw {
  override readInto(view: Uint8Array): number {
    return this.take(view, Math.ceil(view.length / 2));
  }
  override write(view: Uint8Array): number {
    return this.put(view, Math.ceil(view.length / 2));
  }
}

/** Every other call is interrupted by a signal. */
class Interrupted extends MemoryRaw {
  #turn = 0;
  override readInto(view: Uint8Array): number {
    if (this.#turn++ % 2 === 0) throw Object.assign(new Error('EINTR'), { code: 'EINTR' });
    return this.take(view, 3);
  }
  override write(view: Uint8Array): number {
    if (this.#turn++ % 2 === 0) throw Object.assign(new Error('EINTR'), { code: 'EINTR' });
    return this.put(view, 3);
  }
}

const honest = { MemoryRaw, OneByte, HalfOfIt, Interrupted };
const alphabet = 'The quick brown fox\njumps over\n\nthe lazy dog, 0123456789\n'.repeat(5);

describe.each(Object.entries(honest))('over %s', (_name, Raw) => {
  it.each([1, 7, 64, 4096])('a reader with a buffer of %i gives every byte once, in every way of reading', (size) => {
    const ways: ((reader: BufferedReader) => Uint8Array | null)[] = [
      (reader) => reader.read(5),
      (reader) => reader.read(100),
      (reader) => reader.read1(9),
      (reader) => reader.readLine(),
      (reader) => reader.readLine(4),
      (reader) => {
        const view = Buffer.alloc(13);
        return view.subarray(0, reader.readInto(view) ?? 0);
      },
      (reader) => {
        const view = Buffer.alloc(13);
        return view.subarray(0, reader.readInto1(view) ?? 0);
      },
      (reader) => reader.peek(1) && reader.read(1),
    ];
    for (const way of ways) {
      const reader = new BufferedReader(new Raw(alphabet), size);
      const parts: Uint8Array[] = [];
      for (let part = way(reader); part !== null && part.length > 0; part = way(reader)) parts.push(part);
      expect(Buffer.concat(parts).toString()).toBe(alphabet);
      expect(reader.tell()).toBe(alphabet.length);
    }
    expect([...new BufferedReader(new Raw(alphabet), size)].join('')).toBe(alphabet);
  });

  it.each([1, 7, 64, 4096])('a writer with a buffer of %i writes every byte once', (size) => {
    const raw = new Raw();
    const writer = new BufferedWriter(raw, size);
    for (const part of alphabet.match(/.{1,23}/gs)!) expect(writer.write(Buffer.from(part))).toBe(part.length);
    expect(writer.tell()).toBe(alphabet.length);
    writer.close();
    expect(raw.data.toString()).toBe(alphabet);
    expect(raw.closed).toBe(true);
  });

  it.each([1, 7, 64, 4096])('both at once with a buffer of %i keep one position', (size) => {
    const raw = new Raw(alphabet);
    const both = new BufferedRandom(raw, size);
    expect(both.read(4)?.toString()).toBe('The ');
    both.write(Buffer.from('QUICK'));
    expect(both.tell()).toBe(9);
    expect(both.readLine().toString()).toBe(' brown fox\n');
    both.seek(-5, 2);
    both.write(Buffer.from('end'));
    expect(both.read()?.toString()).toBe('9\n');
    both.seek(4);
    expect(both.peek().length).toBeGreaterThan(0);
    both.write(Buffer.from('q'));
    both.close();
    expect(raw.data.toString()).toBe(`The qUICK${alphabet.slice(9, -5)}end9\n`);
  });

  it('text comes through whole, characters of several bytes and newlines of two too', () => {
    const text = 'é€😀\r\nß\rx\n'.repeat(20);
    const read = new TextIOWrapper(new BufferedReader(new Raw(text), 5));
    expect([...read].join('')).toBe(text.replaceAll(/\r\n?/g, '\n'));
    const raw = new Raw();
    const written = new TextIOWrapper(new BufferedWriter(raw, 5), { newline: '\r\n' });
    for (const part of text) written.write(part);
    written.close();
    expect(raw.data.toString()).toBe(text.replaceAll('\n', '\r\n'));
  });
});

describe('over a raw that fails', () => {
  const failing = (at: number, code = 'ENOSPC') => {
    const raw = new MemoryRaw(alphabet);
    let calls = 0;
    for (const name of ['readInto', 'write'] as const) {
      const honestly = raw[name].bind(raw);
      raw[name] = (view) => {
        if (calls++ === at) throw Object.assign(new Error(code), { code });
        return honestly(view.subarray(0, 8));
      };
    }
    return raw;
  };

  it('a reader passes the error on, and reads on behind it', () => {
    for (const at of [0, 1, 2, 5]) {
      const reader = new BufferedReader(failing(at, 'EIO'), 16);
      const parts: string[] = [];
      let failures = 0;
      for (let end = false; !end; )
        try {
          const part = reader.read1(6);
          parts.push(part.toString());
          end = part.length === 0;
        } catch (error) {
          expect((error as { code: string }).code).toBe('EIO');
          failures += 1;
        }
      expect([failures, parts.join('')]).toEqual([1, alphabet]);
    }
  });

  it.each([0, 1, 2, 3])('a writer that fails at write %i loses nothing when it flushes again', (at) => {
    const raw = failing(at);
    raw.data = Buffer.alloc(0);
    const writer = new BufferedWriter(raw, 64);
    writer.write(Buffer.from(alphabet.slice(0, 60)));
    expect(() => writer.flush()).toThrow('ENOSPC');
    writer.flush();
    expect(raw.data.toString()).toBe(alphabet.slice(0, 60));
  });

  it.each([0, 1])('text whose flush fails at write %i is written by the next, once', (at) => {
    const raw = failing(at);
    raw.data = Buffer.alloc(0);
    const text = new TextIOWrapper(new BufferedWriter(raw, 4));
    text.write('äbcd');
    text.write('efgh');
    expect(() => text.flush()).toThrow('ENOSPC');
    text.flush();
    text.write('!');
    text.close();
    expect(raw.data.toString()).toBe('äbcdefgh!');
  });

  it('closing closes what is below, also when the flush fails and when the closing itself does', () => {
    const raw = failing(0);
    const text = new TextIOWrapper(new BufferedWriter(raw, 64));
    text.write('lost, and said so');
    raw.write = () => {
      throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
    };
    expect(() => text.close()).toThrow('ENOSPC');
    expect([text.closed, raw.closed]).toEqual([true, true]);

    const stubborn = new MemoryRaw();
    stubborn.close = () => {
      stubborn.closed = true;
      throw Object.assign(new Error('EIO'), { code: 'EIO' });
    };
    const writer = new BufferedWriter(stubborn);
    writer.write(Buffer.from('x'));
    expect(() => writer.close()).toThrow('EIO');
    expect(stubborn.data.toString()).toBe('x');
    expect(writer.closed).toBe(true);
    writer.close();
  });

  it.each([-1, 1000, 1.5, Number.NaN, 'x'])('a count of %s is named as what it is', (count) => {
    const raw = new MemoryRaw(alphabet);
    raw.readInto = () => count as number;
    raw.write = () => count as number;
    expect(() => new BufferedReader(raw, 16).read(4)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_RETURN_VALUE' }),
    );
    const writer = new BufferedWriter(raw, 16);
    writer.write(Buffer.from('abc'));
    expect(() => writer.flush()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_RETURN_VALUE' }));
    raw.seek = () => -5;
    expect(() => new BufferedReader(raw).seek(3)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_RETURN_VALUE' }),
    );
  });
});

describe('over a raw that would block', () => {
  it('a writer takes what its buffer holds, tells how much, and goes on later', () => {
    const raw = new MemoryRaw();
    let room = 0;
    raw.write = function (view) {
      const count = Math.min(room, view.length);
      room -= count;
      if (count === 0) return null;
      this.data = Buffer.concat([this.data, view.subarray(0, count)]);
      return count;
    };
    const writer = new BufferedWriter(raw, 8);
    const sent = Buffer.from(alphabet);
    let taken = 0;
    for (let turn = 0; taken < sent.length; turn++) {
      try {
        taken += writer.write(sent.subarray(taken, taken + 11));
      } catch (error) {
        expect(error).toBeInstanceOf(BlockingIOError);
        taken += (error as BlockingIOError).charactersWritten;
        room = 5 + (turn % 7);
      }
    }
    room = 1000;
    writer.flush();
    expect(raw.data.toString()).toBe(alphabet);
  });

  it('text loses nothing either: what was not taken is told in bytes of the call', () => {
    const raw = new MemoryRaw();
    let room = 0;
    raw.write = function (view) {
      const count = Math.min(room, view.length);
      room -= count;
      if (count === 0) return null;
      this.data = Buffer.concat([this.data, view.subarray(0, count)]);
      return count;
    };
    const text = new TextIOWrapper(new BufferedWriter(raw, 4), { writeThrough: true });
    text.write('abcd');
    expect(() => text.write('efgh')).toThrow(expect.objectContaining({ code: 'EAGAIN', charactersWritten: 0 }));
    room = 2;
    expect(() => text.write('efgh')).toThrow(expect.objectContaining({ code: 'EAGAIN', charactersWritten: 2 }));
    room = 100;
    text.write('gh');
    text.flush();
    expect(raw.data.toString()).toBe('abcdefgh');
  });

  it('a reader gives what there is, and null where there is nothing', () => {
    const script: (string | null)[] = [null, 'ab', null, 'c\nd', null];
    const raw = new MemoryRaw();
    raw.readInto = (view) => {
      const head = script.shift();
      if (head === null || head === undefined) return head === null ? null : 0;
      view.set(Buffer.from(head));
      return head.length;
    };
    const reader = new BufferedReader(raw, 16);
    expect(reader.read(4)).toBe(null);
    expect(reader.read(4)?.toString()).toBe('ab');
    expect(reader.readLine().toString()).toBe('c\n');
    expect(reader.read(4)?.toString()).toBe('d');
    expect(reader.read(4)?.length).toBe(0);
  });
});

describe('calls of the raw', () => {
  const counted = (size: number) => {
    const raw = new MemoryRaw(Buffer.alloc(size, 'x'));
    return raw;
  };

  it('small reads cost one call a buffer, large ones go past the buffer', () => {
    const raw = counted(64 * 1024);
    const reader = new BufferedReader(raw, 4096);
    for (let i = 0; i < 1024; i++) reader.read(16);
    expect(raw.calls.readInto).toBe(4);
    reader.read(40 * 1024);
    expect(raw.calls.readInto).toBe(5);
    const view = Buffer.alloc(8192);
    let given: Uint8Array | undefined;
    const honestly = raw.readInto.bind(raw);
    raw.readInto = (into) => {
      given = into;
      return honestly(into);
    };
    reader.readInto(view);
    expect(given!.buffer).toBe(view.buffer); // into the caller's own memory
  });

  it('small writes cost one call a buffer, large ones go past it, from the caller’s own memory', () => {
    const raw = counted(0);
    const writer = new BufferedWriter(raw, 4096);
    for (let i = 0; i < 1024; i++) writer.write(Buffer.alloc(16, 'a'));
    writer.flush();
    expect(raw.calls.write).toBe(4);
    const data = Buffer.alloc(10_000, 'b');
    let given: Uint8Array | undefined;
    const honestly = raw.write.bind(raw);
    raw.write = (from) => {
      given = from;
      return honestly(from);
    };
    writer.write(data);
    expect(given!.buffer).toBe(data.buffer);
    expect(raw.calls.write).toBe(5);
  });

  it('seeks inside the buffer cost none, and lines of text one read a buffer', () => {
    const raw = counted(8192);
    const reader = new BufferedReader(raw, 8192);
    reader.read(100);
    for (let i = 0; i < 100; i++) {
      reader.seek(i * 80);
      reader.read(10);
      reader.seek(-5, 1);
    }
    expect(raw.calls).toEqual({ readInto: 1, write: 0, seek: 0 });
    const lines = new MemoryRaw('a line\n'.repeat(20_000));
    const text = new TextIOWrapper(new BufferedReader(lines, 128 * 1024));
    for (let line = text.readLine(); line !== ''; line = text.readLine()) text.buffer;
    expect(lines.calls.readInto).toBeLessThanOrEqual(4);
  });

  it('closing an unused stack reads, writes and seeks nothing', () => {
    const raw = counted(10);
    new TextIOWrapper(new BufferedReader(raw)).close();
    expect(raw.calls).toEqual({ readInto: 0, write: 0, seek: 0 });
  });
});

describe('a pair', () => {
  it('closes both ends, the writer first, also when that fails', () => {
    const [reader, writer] = [new MemoryRaw('in'), new MemoryRaw()];
    writer.write = () => {
      throw Object.assign(new Error('EPIPE'), { code: 'EPIPE' });
    };
    const pair = new BufferedRWPair(reader, writer);
    pair.write(Buffer.from('x'));
    expect([...pair].join('')).toBe('in');
    expect(() => pair.close()).toThrow('EPIPE');
    expect([reader.closed, writer.closed]).toEqual([true, true]);
  });
});

describe('what a layer cannot do', () => {
  it('throws UnsupportedOperation, and a layer that cannot be built says so', () => {
    const raw = new MemoryRaw();
    expect(() => new BufferedReader(raw).write(Buffer.from('x'))).toThrow(UnsupportedOperation);
    expect(() => new BufferedReader(raw).truncate(1)).toThrow(UnsupportedOperation);
    expect(() => new BufferedWriter(raw).read()).toThrow(UnsupportedOperation);
    expect(() => new TextIOWrapper(new BufferedReader(raw)).write('x')).toThrow(UnsupportedOperation);
    expect(() => new TextIOWrapper(new BufferedWriter(raw)).read()).toThrow(UnsupportedOperation);
    raw.seekable = () => false;
    expect(() => new BufferedRandom(raw)).toThrow(UnsupportedOperation);
    expect(() => new BufferedReader(raw).seek(0)).toThrow(UnsupportedOperation);
    raw.readable = () => false;
    expect(() => new BufferedReader(raw)).toThrow(UnsupportedOperation);
  });

  it('takes no text for bytes, no bytes for text, no half sizes', () => {
    const raw = new MemoryRaw();
    const refused = expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' });
    expect(() => new BufferedWriter(raw).write('text' as unknown as Buffer)).toThrow(refused);
    expect(() => new TextIOWrapper(new BufferedWriter(raw)).write(Buffer.from('x') as unknown as string)).toThrow(
      refused,
    );
    expect(() => new BufferedReader(raw).read(1.5)).toThrow(refused);
    expect(() => new BufferedReader(raw).read(-2)).toThrow(refused);
    expect(() => new BufferedReader(raw, 0)).toThrow(refused);
    expect(() => new BufferedReader(raw).seek(0, 3)).toThrow(refused);
    expect(() => new TextIOWrapper(new BufferedReader(raw), { newline: 'x' as '\n' })).toThrow(refused);
    expect(() => new TextIOWrapper(new BufferedReader(raw), { errors: 'x' as 'strict' })).toThrow(refused);
  });

  it('after detach is of no use, and what was below still is', () => {
    const raw = new MemoryRaw('abc');
    const buffer = new BufferedReader(raw);
    const text = new TextIOWrapper(buffer);
    expect(text.detach()).toBe(buffer);
    const detached = expect.objectContaining({ code: 'ERR_DETACHED' });
    for (const call of [() => text.read(), () => text.close(), () => text.closed, () => text.detach()])
      expect(call).toThrow(detached);
    expect(buffer.detach()).toBe(raw);
    for (const call of [() => buffer.read(), () => buffer.close(), () => buffer.tell()]) expect(call).toThrow(detached);
    expect(raw.closed).toBe(false);
  });
});
