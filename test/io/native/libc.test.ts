import { closeSync, mkdtempSync, openSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cString } from '../../../src/io/native/c-string.js';
import { directories } from '../../../src/io/native/directories.js';
import { type CFunction, type Koffi, Libc } from '../../../src/io/native/libc.js';

const dir = mkdtempSync(join(tmpdir(), 'sluice-libc-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** A libc whose functions all answer `result` with `errno`, and that lacks those named. */
function fakeLibc(result: number, errno: number, missing: string[] = []) {
  const calls: unknown[][] = [];
  const koffi: Koffi = {
    load: () => ({
      func: (name, _, args) => {
        if (missing.includes(name)) throw new Error(`Cannot find function '${name}'`);
        const call = (...values: unknown[]) => {
          calls.push([name, args, ...values]);
          return result;
        };
        const async = (...values: unknown[]) => {
          const done = values.pop() as (error: unknown, result: number) => void;
          setImmediate(() => done(null, call(...values)));
        };
        return Object.assign(call, { async }) as CFunction;
      },
    }),
    errno: () => errno,
  };
  return { libc: new Libc(koffi), calls };
}

describe('libc', () => {
  it('looks a function up when it is first used, and only then', () => {
    const { libc } = fakeLibc(0, 0, ['absent']);
    const functions = libc.functions({ present: { args: ['int'] }, absent: { args: [] } });
    expect(functions.present(1)).toBe(0);
    expect(functions.present).toBe(functions.present);
    expect(() => functions.absent).toThrow("Cannot find function 'absent'");
  });

  it.skipIf(process.arch !== 'x64')('calls by number what it has no wrapper for, with whole registers', async () => {
    const { libc, calls } = fakeLibc(7, 0, ['cachestat']);
    const { cachestat } = libc.functions({
      cachestat: { args: ['uint', 'void *', 'int'], syscall: { x64: 451, arm64: 452 } },
    });
    expect(cachestat(3, null, -1)).toBe(7);
    expect(await libc.onThread(cachestat, 3, null, -1)).toEqual({ result: 7, errno: 0 });
    const expected = ['syscall', ['int64', 'uint64', 'void *', 'int64'], 451, 3, null, -1];
    expect(calls).toEqual([expected, expected]);
  });

  it('keeps errno of a call on a thread', async () => {
    const { libc } = fakeLibc(-1, 9);
    const { poll } = libc.functions({ poll: { args: ['void *', 'uint64', 'int'] } });
    expect(await libc.onThread(poll, null, 0, 0)).toEqual({ result: -1, errno: 9 });
    expect(libc.error('poll')).toMatchObject({ code: 'EBADF', errno: -9, syscall: 'poll' });
  });
});

describe('a sandbox that refuses statx', () => {
  it('gets its answers by older calls: ENOSYS, EPERM', () => {
    const path = join(dir, 'file');
    writeFileSync(path, 'content');
    symlinkSync('file', join(dir, 'link'));
    const at = openSync(dir, 'r');
    for (const errno of [38, 1]) {
      const d = directories(fakeLibc(-1, errno).libc);
      const statx = d.newStatx();
      d.stat(d.here, path, statx);
      expect([statx.size, statx.ino, statx.mtimeNs]).toEqual([
        7,
        statSync(path).ino,
        statSync(path, { bigint: true }).mtimeNs,
      ]);
      d.stat(at, 'link', statx);
      expect(statx.type).toBe(0o120000);
      d.stat(at, Buffer.from('link\0'), statx, true);
      expect(statx.size).toBe(7);
      d.stat(at, '', statx);
      expect(statx.ino).toBe(statSync(dir).ino);
      expect(d.statIfExists(at, 'none', statx)).toBe(false);
      expect(() => d.stat(at, 'file/x', statx)).toThrow(/^ENOTDIR: /);
    }
    closeSync(at);
    const d = directories(fakeLibc(-1, 13).libc);
    expect(() => d.stat(d.here, path, d.newStatx())).toThrow(/^EACCES: permission denied, statx '/);
  });
});

describe('cString', () => {
  const text = (bytes: Uint8Array) => Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString('latin1');
  it('ends in NUL, keeps any bytes, and holds no NUL but the last', () => {
    expect(text(cString('a/b'))).toBe('a/b');
    expect(text(cString(''))).toBe('');
    expect(text(cString('\udcffü'))).toBe('\xff\xc3\xbc');
    expect(text(cString('x'.repeat(5000)))).toBe('x'.repeat(5000));
    expect(text(cString('ü'.repeat(4095)))).toHaveLength(8190);
    expect(text(cString(Buffer.from('bytes')))).toBe('bytes');
    const ended = Buffer.from('bytes\0');
    expect(cString(ended)).toBe(ended);
    for (const bad of ['a\0b', '\0', `${'x'.repeat(5000)}\0`, Buffer.from('a\0b')])
      expect(() => cString(bad)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
  });
  it('gives two at a time where a copy is asked for', () => {
    const one = cString('one', true);
    expect([text(cString('two')), text(one)]).toEqual(['two', 'one']);
  });
});
