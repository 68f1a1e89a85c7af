import { spawn } from 'node:child_process';
import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { Following } from '../helpers/following.js';
import { bin, eventually, shell, sluice, temporary } from '../helpers/sluice.js';

let home: string;
let log: string;

beforeEach(() => {
  home = temporary();
  log = join(home, 'log');
});

const run = (...args: string[]) => sluice(['tail', ...args], { cwd: home });

async function following(...args: string[]): Promise<Following> {
  const made = new Following(['--debug', ...args], { cwd: home });
  await eventually('it follows', () => /followed by/.test(made.err + made.out));
  return made;
}

describe('--until', () => {
  it('ends with the first line that matches, among the initial ones', async () => {
    writeFileSync(log, 'a\nlistening on 1\nlistening on 2\n');
    expect(await run('-f', '--until', 'listening', 'log')).toMatchObject({ status: 0, out: 'a\nlistening on 1\n' });
    expect(await run('--until', 'l.*1$', 'log')).toMatchObject({ status: 0, out: 'a\nlistening on 1\n' });
  });

  it('waits for a file and its line, and exits 0 though the file was missing at first', async () => {
    const tail = await following('-F', 'log', '--until', 'ready', '--timeout', '20s');
    writeFileSync(log, 'starting\nrea');
    await tail.prints('starting\nrea');
    appendFileSync(log, 'dy now\nmore\n');
    expect((await tail.ended).status).toBe(0);
    expect(tail.out).toBe('starting\nready now\n');
  });

  it('exits 3 when the input ends, or the time is up, without it', async () => {
    writeFileSync(log, 'a\nb');
    expect(await run('--until', 'x', 'log')).toMatchObject({ status: 3, out: 'a\nb' });
    expect(await run('--until', '^b$', 'log')).toMatchObject({ status: 0, out: 'a\nb' });
    expect(await run('-f', '--until', 'x', '--timeout', '100ms', 'log')).toMatchObject({ status: 3, out: 'a\nb' });
    expect((await shell('sleep 9 | sluice tail --until x --timeout 0.1; exit $?')).status).toBe(3);
  });

  it.skipIf(process.env['SLUICE_NATIVE'] === '0')(
    'ends in time though stdin is a socket on which nothing comes',
    async () => {
      // The child's stdin is one end of a socket pair that stays open.
      const child = spawn(process.execPath, [bin, 'tail', '--timeout', '200ms', '--until', 'x'], { stdio: 'pipe' });
      const status = await new Promise((resolve) => child.on('exit', resolve));
      child.stdin.end();
      expect(status).toBe(3);
    },
  );
});

describe('--json', () => {
  it('gives a record for each line, and for what happens to the file', async () => {
    writeFileSync(log, Buffer.from('a\n\xff\nb', 'latin1'));
    const { out } = await run('--json', 'log');
    expect(out).toBe(
      '{"type":"line","file":"log","offset":0,"text":"a"}\n{"type":"line","file":"log","offset":2,"bytes":"/w=="}\n{"type":"line","file":"log","offset":4,"text":"b"}\n',
    );
  });

  it('ends a line with the content that it was in: what comes after a truncation is another', async () => {
    writeFileSync(log, 'a\nhalf');
    const tail = await following('--json', '-f', 'log');
    writeFileSync(log, 'other\n');
    await eventually('the new line', () => tail.out.includes('"offset":0,"text":"other"'));
    expect(tail.out).toContain('"offset":2,"text":"half"}\n{"type":"truncated","file":"log","offset":6}\n');
  });

  it('tells of rotation', async () => {
    writeFileSync(log, 'a\n');
    const tail = await following('--json', '-F', 'log');
    renameSync(log, `${log}.1`);
    writeFileSync(log, 'b\n');
    await eventually('b', () => tail.out.includes('"b"'));
    const records = tail.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records.filter(({ type }) => type !== 'debug')).toMatchObject([
      { type: 'line', text: 'a' },
      { type: 'rotated', file: 'log' },
      { type: 'line', file: 'log', offset: 0, text: 'b' },
    ]);
  });
});

describe('text', () => {
  it('is decoded from UTF-16 with a mark that comes in two pieces, and in each file anew', async () => {
    writeFileSync(log, '');
    const tail = await following('-F', '--encoding', 'utf-16', 'log');
    const bytes = Buffer.from('\ufeffgrün 😀\n', 'utf16le').swap16();
    for (const byte of bytes) appendFileSync(log, Buffer.from([byte]));
    await tail.prints(Buffer.from('grün 😀\n').toString('latin1'));
    renameSync(log, `${log}.1`);
    writeFileSync(log, Buffer.from('\ufeffzwei\n', 'utf16le'));
    await tail.prints(Buffer.from('grün 😀\nzwei\n').toString('latin1'));
  });

  it('is found from the end of a large file', async () => {
    const lines = Array.from({ length: 50_000 }, (_, i) => `zeile ${i} äöü\r\n`);
    writeFileSync(log, Buffer.from(`\ufeff${lines.join('')}`, 'utf16le'));
    expect((await run('--encoding', 'utf-16', '-n', '2', 'log')).out).toBe(lines.slice(-2).join(''));
    expect((await shell('cat log | sluice tail --encoding utf-16 -n 2 --newline lf', { cwd: home })).out).toBe(
      lines.slice(-2).join('').replaceAll('\r', ''),
    );
  });

  it('comes with the name before it, and the time', async () => {
    writeFileSync(log, 'a\nb\n');
    writeFileSync(join(home, 'x'), 'c');
    expect((await run('--prefix', 'log', 'x')).out).toBe('log: a\nlog: b\nx: c\n');
    expect((await run('--timestamps', '-n', '1', 'log')).out).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z b\n$/);
  });

  it('shows a line that only CR ends at once', async () => {
    writeFileSync(log, '');
    const tail = await following('-f', '--newline', 'lf', 'log');
    appendFileSync(log, '50%\r');
    await tail.prints('50%\n');
    appendFileSync(log, '\n100%\r');
    await tail.prints('50%\n100%\n');
  });
});
