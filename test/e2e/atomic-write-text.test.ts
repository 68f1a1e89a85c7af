// `sluice atomic-write` with text options: what goes into the file is converted, and an error leaves the file.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { shell, sluice, temporary } from '../helpers/sluice.js';

describe('sluice atomic-write with text options', () => {
  it.each([
    [['--newline', 'lf'], 'a\r\nb\r', 'a\nb\n'],
    [['--newline', 'crlf', '--final-newline'], 'a\nb', 'a\r\nb\r\n'],
    [['--final-newline'], 'a\nb', 'a\nb\n'],
    [['--final-newline'], 'a\n', 'a\n'],
    [['--encoding', 'latin-1'], Buffer.from('e9', 'hex'), 'é'],
    [['--errors', 'replace'], Buffer.from('61ff', 'hex'), 'a\ufffd'],
  ])('writes with %j', async (options, input, expected) => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'f'), 'old');
    expect(await sluice(['atomic-write', ...options, 'f'], { cwd, input })).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(join(cwd, 'f'), 'utf8')).toBe(expected);
  });
  it('names the byte offset in the input, and leaves the file', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'f'), 'old');
    const input = Buffer.from('6162ff', 'hex');
    const { status, stderr } = await sluice(['atomic-write', '--encoding', 'utf-8', 'f'], { cwd, input });
    expect(stderr).toBe(
      'sluice atomic-write: standard input: not valid utf-8 at byte offset 2: 0xff (invalid start byte) — destination left as it was\n',
    );
    expect(status).toBe(1);
    expect(readFileSync(join(cwd, 'f'), 'utf8')).toBe('old');
    expect(readdirSync(cwd)).toEqual(['f']);
    const run = await sluice(['atomic-write', '--json', '--encoding', 'ascii', 'f', '--', 'printf', '\\377'], { cwd });
    expect(run.status).toBe(1);
    expect(run.records().at(-1)).toMatchObject({ type: 'atomic-write', outcome: 'failed' });
  });
  it('appends without another byte order mark, as Python does', async () => {
    const cwd = temporary();
    const append = async (input: string, encoding: string) =>
      expect(
        await sluice(['atomic-write', '--append', '--to-encoding', encoding, encoding], { cwd, input }),
      ).toMatchObject({ status: 0, stderr: '' });
    for (const [encoding, mark] of [
      ['utf-16', Buffer.from('fffe', 'hex')],
      ['utf-8-sig', Buffer.from('efbbbf', 'hex')],
    ] as const) {
      await append('é\n', encoding);
      await append('z\n', encoding);
      const text = Buffer.from('é\nz\n', encoding === 'utf-16' ? 'utf16le' : 'utf8');
      expect(readFileSync(join(cwd, encoding))).toEqual(Buffer.concat([mark, text]));
    }
  });
  it('converts what a command makes of the file', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'f'), 'b\r\na\r\n');
    const { status } = await shell('sluice atomic-write --newline lf --edit f -- sort', { cwd });
    expect(status).toBe(0);
    expect(readFileSync(join(cwd, 'f'), 'utf8')).toBe('a\nb\n');
  });
  it('takes the seal off before', async () => {
    const cwd = temporary();
    const { status } = await shell("printf 'a\\r\\nOK\\n' | sluice atomic-write --seal OK --newline lf f", { cwd });
    expect(status).toBe(0);
    expect(readFileSync(join(cwd, 'f'), 'utf8')).toBe('a\n');
  });
  it('whatever ends lines that are converted ends the seal', async () => {
    const cwd = temporary();
    const write = (input: string, ...options: string[]) =>
      sluice(['atomic-write', '--seal', 'OK', ...options, 'f'], { cwd, input });
    for (const [input, options, expected] of [
      ['a\r\nOK\r\n', ['--newline', 'lf'], 'a\n'],
      ['a\r\nOK', ['--newline', 'keep'], 'a\r\n'],
      ['a\rOK\r', ['--newline', 'crlf'], 'a\r\n'],
      ['OK\r\n', ['--newline', 'lf', '--allow-empty'], ''],
      ['a\r\nOK\n', [], 'a\r\n'],
    ] as const) {
      expect((await write(input, ...options)).status, JSON.stringify(input)).toBe(0);
      expect(readFileSync(join(cwd, 'f'), 'utf8')).toBe(expected);
    }
    for (const [input, ...options] of [
      ['a\r\nOK\r\n'],
      ['a\rOK\n'],
      ['a\rOK\r\r\n', '--newline', 'lf'],
      ['aOK\r\n', '--newline', 'lf'],
    ])
      expect((await write(input!, ...options)).status, JSON.stringify(input)).toBe(3);
  });
  it('knows encodings before it reads anything', async () => {
    const cwd = temporary();
    const result = await sluice(['atomic-write', '--encoding', 'klingon', 'f'], { cwd });
    expect(result).toMatchObject({ status: 2, stderr: expect.stringContaining("--encoding has no 'klingon'") });
  });
});
