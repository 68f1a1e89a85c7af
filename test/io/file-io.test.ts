import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UnsupportedOperation } from '../../src/io/errors.js';
import { FileIO } from '../../src/io/file-io.js';
import { decodePath } from '../../src/io/path.js';

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-file-io-'));
  path = join(dir, 'file');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const code = (call: () => unknown): unknown => {
  try {
    call();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return 'no error';
};

describe('FileIO', () => {
  it('reads, writes and seeks, and counts its position', () => {
    using file = new FileIO(path, 'w+');
    expect(file.write(Buffer.from('abcdef'))).toBe(6);
    expect(file.tell()).toBe(6);
    expect(file.seek(-2, 2)).toBe(4);
    expect(file.read()?.toString()).toBe('ef');
    expect(file.seek(1)).toBe(1);
    const view = new Uint8Array(5).fill(1);
    expect(file.readInto(view.subarray(1, 4))).toBe(3);
    expect([...view]).toEqual([1, 98, 99, 100, 1]);
    expect(file.write(Buffer.from('X'))).toBe(1);
    expect(readFileSync(path, 'latin1')).toBe('abcdXf');
    expect(file.truncate(2)).toBe(2);
    expect(file.tell()).toBe(5);
    expect(file.read(1)?.length).toBe(0);
  });

  it('appends wherever it was moved to, and stands behind what it wrote', () => {
    writeFileSync(path, 'abc');
    using file = new FileIO(path, 'a+');
    expect(file.tell()).toBe(3);
    file.seek(1);
    expect(file.read(1)?.toString()).toBe('b');
    file.write(Buffer.from('de'));
    expect(file.tell()).toBe(5);
    expect(file.read(1)?.length).toBe(0);
    writeFileSync(path, 'longer than it was', { flag: 'a' });
    file.write(Buffer.from('!'));
    expect(file.tell()).toBe(24);
  });

  it('takes a path, bytes, a URL and a name that is not UTF-8', () => {
    writeFileSync(path, 'x');
    for (const name of [path, Buffer.from(path), pathToFileURL(path)]) {
      using file = new FileIO(name);
      expect(file.read()?.toString()).toBe('x');
    }
    const odd = decodePath(Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0x66, 0xff])]));
    new FileIO(odd, 'w').close();
    expect(execFileSync('ls', ['-b', dir], { encoding: 'latin1' })).toContain('f\\377');
  });

  it('moves a descriptor that others share, and stands where they left it', () => {
    writeFileSync(path, 'abcdefgh');
    const fd = openSync(path, 'r');
    try {
      readSync(fd, Buffer.alloc(2), 0, 2, null);
      using file = new FileIO(fd, 'r', { closefd: false });
      expect(file.tell()).toBe(2);
      expect(file.read(3)?.toString()).toBe('cde');
      const rest = spawnSync('cat', { stdio: [fd, 'pipe', 'inherit'] });
      expect(rest.stdout.toString()).toBe('fgh');
      expect(file.tell()).toBe(8);
    } finally {
      closeSync(fd);
    }
  });

  it('refuses what Python refuses, with its own codes', () => {
    for (const mode of ['', 'rw', 'r++', 'z', 'rt', 'bb+', 'U'])
      expect(code(() => new FileIO(path, mode))).toBe('ERR_INVALID_ARG_VALUE');
    expect(code(() => new FileIO(-1))).toBe('ERR_INVALID_ARG_VALUE');
    expect(code(() => new FileIO(path, 'w', { closefd: false }))).toBe('ERR_INVALID_ARG_VALUE');
    expect(code(() => new FileIO(`${path}\0x`, 'w'))).toBe('ERR_INVALID_ARG_VALUE');
    expect(code(() => new FileIO(path, 'w', { opener: () => -1 }))).toBe('ERR_INVALID_ARG_VALUE');
    expect(code(() => new FileIO(999_999))).toBe('EBADF');
    expect(code(() => new FileIO(dir))).toBe('EISDIR');
    expect(code(() => new FileIO(path))).toBe('ENOENT');
    const file = new FileIO(path, 'w');
    expect(() => file.read()).toThrow(UnsupportedOperation);
    expect(code(() => file.seek(-1))).toBe('EINVAL');
    expect(code(() => file.truncate(-1))).toBe('EINVAL');
    expect(code(() => file.write('text' as unknown as Buffer))).toBe('ERR_INVALID_ARG_VALUE');
    file.close();
    file.close();
    for (const call of [() => file.write(Buffer.alloc(1)), () => file.tell(), () => file.fileno(), () => file.flush()])
      expect(code(call)).toBe('ERR_CLOSED');
  });

  it('knows that a pipe has no position and that /dev/null has one', () => {
    const shell = `${JSON.stringify(process.execPath)} -e 'const fs=require("fs");try{fs.readvSync(0,[Buffer.alloc(0)],0);console.log("no")}catch(e){console.log(e.code)}'`;
    expect(execFileSync('sh', ['-c', `: | ${shell}`], { encoding: 'utf8' }).trim()).toBe('ESPIPE');
    using nothing = new FileIO('/dev/null', 'r+');
    expect(nothing.seekable()).toBe(true);
    expect(nothing.isatty()).toBe(false);
  });

  it('reads a file whose size is not told', () => {
    using file = new FileIO('/proc/self/status');
    expect(file.readAll()?.toString()).toContain('Name:');
    expect(file.readAll()?.length).toBe(0);
  });

  it('gives null where a read would block', () => {
    const fifo = join(dir, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const { O_RDWR, O_NONBLOCK } = { O_RDWR: 2, O_NONBLOCK: 0o4000 };
    using file = new FileIO(fifo, 'r+', { opener: (name) => openSync(name as string, O_RDWR | O_NONBLOCK) });
    expect(file.seekable()).toBe(false);
    expect(file.readInto(new Uint8Array(3))).toBe(null);
    expect(file.read()).toBe(null);
    expect(file.write(Buffer.from('ab'))).toBe(2);
    expect(file.readAll()?.toString()).toBe('ab');
    let written = 2;
    while (written !== null) written = file.write(Buffer.alloc(4096))!;
    expect(written).toBe(null);
    expect(code(() => file.tell())).toBe('ESPIPE');
  });
});
