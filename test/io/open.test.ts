import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, describe as suite } from 'vitest';
import { describe, describeOpen } from '../../src/io/describe.js';
import { UnsupportedOperation } from '../../src/io/errors.js';
import { open } from '../../src/io/open.js';

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-open-'));
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

const descriptors = (): number => readdirSync('/proc/self/fd').length;

suite('open', () => {
  it('builds the layers that mode and buffering ask for', () => {
    writeFileSync(path, '');
    const classes = (mode: string, options = {}): string[] => {
      using stack = open(path, mode, options);
      return describe(stack).map((layer) => layer.class);
    };
    expect(classes('r')).toEqual(['TextIOWrapper', 'BufferedReader', 'FileIO']);
    expect(classes('w')).toEqual(['TextIOWrapper', 'BufferedWriter', 'FileIO']);
    expect(classes('r+')).toEqual(['TextIOWrapper', 'BufferedRandom', 'FileIO']);
    expect(classes('rb')).toEqual(['BufferedReader', 'FileIO']);
    expect(classes('ab')).toEqual(['BufferedWriter', 'FileIO']);
    expect(classes('b+w')).toEqual(['BufferedRandom', 'FileIO']);
    expect(classes('rb', { buffering: 0 })).toEqual(['FileIO']);
  });

  it('tells what it would build without building it', () => {
    for (const mode of ['r', 'w', 'a+', 'w+', 'rb', 'x+b', 'ab'])
      for (const options of [
        {},
        { buffering: 1 },
        { buffering: 300 },
        mode.includes('b') ? { buffering: 0 } : { newline: '\r' as const },
      ]) {
        rmSync(path, { force: true });
        if (mode.startsWith('r')) writeFileSync(path, 'x');
        const told = describeOpen(path, mode, options, { terminal: false, blockSize: 4096, seekable: true });
        if (!mode.startsWith('r')) expect(existsSync(path)).toBe(false);
        using stack = open(path, mode, options);
        const built = describe(stack);
        delete built.at(-1)!.fileno;
        built.at(-1)!.blockSize = 4096;
        expect(told).toEqual(built);
      }
  });

  it('refuses before anything is opened, made or truncated', () => {
    writeFileSync(path, 'kept');
    const refused: [string, object][] = [
      ['w', { encoding: 'no-such-encoding' }],
      ['w', { errors: 'hope' }],
      ['w', { newline: 'x' }],
      ['w', { buffering: 0 }],
      ['w', { buffering: 1.5 }],
      ['wb', { encoding: 'utf-8' }],
      ['w', { closefd: false }],
      ['ww', {}],
      ['wbt', {}],
    ];
    for (const [mode, options] of refused) {
      const expected = 'encoding' in options && mode === 'w' ? 'ERR_UNKNOWN_ENCODING' : 'ERR_INVALID_ARG_VALUE';
      expect([mode, options, code(() => open(path, mode, options))]).toEqual([mode, options, expected]);
      expect(readFileSync(path, 'utf8')).toBe('kept');
      expect(code(() => open(join(dir, 'new'), mode, options))).toBe(expected);
      expect(existsSync(join(dir, 'new'))).toBe(false);
    }
  });

  it('closes what it built when a later layer fails', () => {
    const fifo = join(dir, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const before = descriptors();
    expect(() => open(fifo, 'r+')).toThrow(UnsupportedOperation);
    expect(descriptors()).toBe(before);
  });

  it('leaves a descriptor that was handed in open when asked to', () => {
    writeFileSync(path, 'text');
    const fd = openSync(path, 'r');
    open(fd, 'r', { closefd: false }).close();
    expect(fstatSync(fd).size).toBe(4);
    closeSync(fd);
  });

  it('uses the buffer as large as the option says, 128 KiB by default', () => {
    using stack = open(path, 'wb', { buffering: 10 });
    expect(stack.bufferSize).toBe(10);
    using usual = open(path, 'rb');
    expect(usual.bufferSize).toBe(131072);
  });

  it('closes at the end of a using block', () => {
    const before = descriptors();
    {
      using text = open(path, 'w');
      text.write('héllo\n');
    }
    expect(readFileSync(path, 'utf8')).toBe('héllo\n');
    expect(descriptors()).toBe(before);
  });
});

suite('stdio', () => {
  const run = (script: string, input = '', env = {}) => {
    const source = `import { stdio } from ${JSON.stringify(new URL('../../dist/index.js', import.meta.url).href)};\n${script}`;
    return spawnSync(process.execPath, ['--input-type=module', '-e', source], {
      input,
      encoding: 'utf8',
      env: { ...process.env, ...env },
    });
  };

  it('copies lines from standard input to standard output, and writes what waits at the end', () => {
    const { stdout, status } = run(
      `for (const line of stdio.stdin) stdio.stdout.write(line.toUpperCase());`,
      'é\nb\r\nc',
    );
    expect([stdout, status]).toEqual(['É\nB\nC', 0]);
  });

  it('is buffered by block in a pipe, by line or not at all when the environment says so', () => {
    const script = `stdio.stdout.write('a\\nb'); process.kill(process.pid, "SIGKILL");`;
    expect(run(script).stdout).toBe('');
    expect(run(script, '', { SLUICE_BUFFERING: 'line' }).stdout).toBe('a\nb');
    expect(run(script, '', { SLUICE_UNBUFFERED: '1' }).stdout).toBe('a\nb');
  });

  it('loses nothing on descriptors that are not blocking', () => {
    const { stdout, status } = run(
      `import { spawn } from 'node:child_process';
       void process.stdout.fd; // a neighbour sets O_NONBLOCK
       stdio.stdout.write('x'.repeat(1_000_000));
       stdio.stdout.flush();`,
    );
    expect([stdout.length, status]).toEqual([1_000_000, 0]);
  });
});
