// `sluice copy` with conversion, from a shell's point of view.

import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { has } from '../helpers/programs.js';
import { shell, sluice, temporary } from '../helpers/sluice.js';

describe('sluice copy with text options', () => {
  it('converts a file into itself: it is replaced as a whole, and keeps its mode', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'f'), 'a\r\nb\r\n', { mode: 0o640 });
    const { ino } = statSync(join(cwd, 'f'));
    expect(await sluice(['copy', '--newline', 'lf', 'f', 'f'], { cwd })).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(join(cwd, 'f'), 'utf8')).toBe('a\nb\n');
    expect(statSync(join(cwd, 'f')).mode & 0o777).toBe(0o640);
    expect(statSync(join(cwd, 'f')).ino).not.toBe(ino);
    expect(readdirSync(cwd)).toEqual(['f']);
  });
  it('converts what a symlink leads to, and leaves the symlink', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'f'), 'a\r\n');
    symlinkSync('f', join(cwd, 'link'));
    expect((await sluice(['copy', '--newline', 'lf', 'link', 'f'], { cwd })).status).toBe(0);
    expect((await sluice(['copy', '--newline', 'cr', 'f', 'link'], { cwd })).status).toBe(0);
    expect(readFileSync(join(cwd, 'f'), 'utf8')).toBe('a\r');
    expect(lstatSync(join(cwd, 'link')).isSymbolicLink()).toBe(true);
  });
  it.each([
    [['--in-place', '--newline', 'lf']],
    [['--newline', 'keep']],
    [[]],
  ])('still refuses a copy of a file into itself with %j', async (options) => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'f'), 'a\r\n');
    const { status, stderr } = await sluice(['copy', ...options, 'f', 'f'], { cwd });
    expect(status).toBe(1);
    expect(stderr).toContain('are the same file');
    expect(readFileSync(join(cwd, 'f'), 'utf8')).toBe('a\r\n');
  });
  it('still refuses stdin and stdout of one file', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'f'), 'a\r\n');
    const { status } = await shell('sluice copy --newline lf - - < f >> f', { cwd });
    expect(status).toBe(1);
    expect(readFileSync(join(cwd, 'f'), 'utf8')).toBe('a\r\n');
  });
  it('names the byte offset of the first bad sequence, and leaves the destination', async () => {
    const cwd = temporary();
    writeFileSync(
      join(cwd, 'bad'),
      Buffer.concat([Buffer.alloc(300_000, 'a'), Buffer.from([0xe2, 0x28]), Buffer.alloc(9)]),
    );
    writeFileSync(join(cwd, 'old'), 'old');
    const { status, stderr } = await sluice(['copy', '--encoding', 'utf-8', '--to-encoding', 'utf-16', 'bad', 'old'], {
      cwd,
    });
    expect(status).toBe(1);
    expect(stderr).toBe(
      'sluice copy: bad: not valid utf-8 at byte offset 300000: 0xe2 (invalid continuation byte) — destination left as it was\n',
    );
    expect(readFileSync(join(cwd, 'old'), 'utf8')).toBe('old');
    expect(readdirSync(cwd).sort()).toEqual(['bad', 'old']);
    const json = await sluice(['copy', '--json', '--encoding', 'utf-8', '--errors', 'strict', 'bad', 'new'], { cwd });
    expect(json.records()[0]).toMatchObject({ type: 'error', code: 'ERR_UNICODE_DECODE', path: 'bad' });
    expect(existsSync(join(cwd, 'new'))).toBe(false);
  });
  it('says of a file that is overwritten in place whether anything was', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'early'), Buffer.from([0xff]));
    writeFileSync(join(cwd, 'late'), Buffer.concat([Buffer.alloc(3_000_000, 'a'), Buffer.from([0xff])]));
    for (const [source, state] of [
      ['early', 'destination left as it was'],
      ['late', 'destination is incomplete: it was being overwritten in place'],
    ]) {
      writeFileSync(join(cwd, 'old'), 'old');
      const { status, stderr } = await sluice(['copy', '--in-place', '--errors', 'strict', source!, 'old'], { cwd });
      expect(status).toBe(1);
      expect(stderr).toContain(`— ${state}\n`);
      expect(readFileSync(join(cwd, 'old'), 'utf8') === 'old').toBe(source === 'early');
    }
  });
  it('goes on over errors as it is told to', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'f'), Buffer.from('61ff62', 'hex'));
    for (const [how, expected] of [
      ['replace', 'a\ufffdb'],
      ['ignore', 'ab'],
      ['backslashreplace', 'a\\xffb'],
    ]) {
      expect((await sluice(['copy', '--errors', how!, 'f', 'g'], { cwd })).status).toBe(0);
      expect(readFileSync(join(cwd, 'g'), 'utf8')).toBe(expected);
    }
  });
  it('ends the last line if it is told to, as the others end', async () => {
    const cwd = temporary();
    for (const [text, expected] of [
      ['a\nb', 'a\nb\n'],
      ['a\r\nb', 'a\r\nb\r\n'],
      ['a\n', 'a\n'],
      ['', ''],
    ]) {
      writeFileSync(join(cwd, 'f'), text!);
      expect((await sluice(['copy', '--final-newline', 'f', 'f'], { cwd })).status).toBe(0);
      expect(readFileSync(join(cwd, 'f'), 'utf8')).toBe(expected);
    }
  });
  it('works in a pipe, from stdin to stdout', async () => {
    const input = Buffer.from('h\u00e9\r\n', 'latin1');
    const result = await sluice(['copy', '--encoding', 'latin-1', '--newline', 'lf', '-', '-'], { input });
    expect(result).toMatchObject({ status: 0, out: 'hé\n' });
    const bad = await sluice(['copy', '--encoding', 'utf-8', '-', '-'], { input });
    expect(bad.stderr).toContain('standard input: not valid utf-8 at byte offset 1');
    expect(bad.status).toBe(1);
  });
  it('converts several files into a directory, digests of the result', async () => {
    const cwd = temporary();
    mkdirSync(join(cwd, 'd'));
    writeFileSync(join(cwd, 'a'), 'ä');
    writeFileSync(join(cwd, 'b'), 'ö');
    const { status } = await shell('sluice copy --checksum --to-encoding latin-1 a b d | sha256sum -c', { cwd });
    expect(status).toBe(0);
    expect(readFileSync(join(cwd, 'd/a')).toString('hex')).toBe('e4');
  });
  it('counts what is written, and verifies it', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'a'), 'äö');
    const result = await sluice(['copy', '--json', '--verify', '--to-encoding', 'utf-32-le', 'a', 'b'], { cwd });
    expect(result.records()[0]).toMatchObject({ type: 'copied', bytes: 8 });
  });
  it.each([
    [['--encoding', 'klingon'], "--encoding has no 'klingon'"],
    [['--to-encoding', ''], "--to-encoding has no ''"],
    [['--newline', 'unix'], 'Allowed choices are keep, lf, crlf, cr'],
    [['--errors', 'surrogateescape'], 'Allowed choices are strict'],
    [['--compress', 'xz'], 'Allowed choices are gzip, brotli, zstd'],
    [['--decompress=lzma'], 'Allowed choices are auto'],
    [['--compress', 'gzip', '--resume'], '--resume keeps the bytes as they are'],
    [['--newline', 'lf', '--reflink=always'], '--reflink=always keeps the bytes as they are'],
  ])('refuses %j before anything is made', async (options, message) => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'a'), 'a');
    const { status, stderr } = await sluice(['copy', ...options, 'a', 'b'], { cwd });
    expect(stderr).toContain(message);
    expect(status).toBe(2);
    expect(readdirSync(cwd)).toEqual(['a']);
  });
});

describe('sluice copy with compression', () => {
  it.each(['gzip', 'brotli', 'zstd'])('compresses with %s and decompresses again', async (format) => {
    const cwd = temporary();
    const text = Array.from({ length: 50_000 }, (_, i) => `line ${i}\n`).join('');
    writeFileSync(join(cwd, 'f'), text);
    expect((await sluice(['copy', '--compress', format, 'f', 'f.br'], { cwd })).status).toBe(0);
    expect(statSync(join(cwd, 'f.br')).size).toBeLessThan(text.length / 2);
    expect((await sluice(['copy', '--decompress', 'f.br', 'g'], { cwd })).status).toBe(0);
    expect(readFileSync(join(cwd, 'g'), 'utf8')).toBe(text);
    const piped = await shell(
      `sluice copy --compress ${format} - - < f | sluice copy --decompress=${format} - - | cmp - f`,
      { cwd },
    );
    expect(piped).toMatchObject({ status: 0, stderr: '' });
  });
  it('changes the text between decompressing and compressing', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'f.gz'), gzipSync('a\r\n'));
    expect(
      (await sluice(['copy', '--decompress', '--newline', 'lf', '--compress', 'gzip', 'f.gz', 'f.gz'], { cwd })).status,
    ).toBe(0);
    expect(gunzipSync(readFileSync(join(cwd, 'f.gz'))).toString()).toBe('a\n');
  });
  it.each([
    ['cut short', gzipSync('x'.repeat(100_000)).subarray(0, -4), 'the gzip data are cut short'],
    ['followed by something else', Buffer.concat([gzipSync('x'), Buffer.from('more')]), 'the gzip data are damaged'],
    ['not compressed', Buffer.from('text'), 'is not compressed in a way that its first bytes tell'],
  ])('leaves the destination when the data are %s', async (_, bytes, message) => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'f.gz'), bytes);
    writeFileSync(join(cwd, 'old'), 'old');
    const { status, stderr } = await sluice(['copy', '--decompress', 'f.gz', 'old'], { cwd });
    expect(stderr).toContain(`sluice copy: f.gz: ${message}`);
    expect(stderr).toContain('destination left as it was');
    expect(status).toBe(1);
    expect(readFileSync(join(cwd, 'old'), 'utf8')).toBe('old');
    expect(readdirSync(cwd).sort()).toEqual(['f.gz', 'old']);
  });
  it('writes the same bytes as gzip -n reads, holes and all', async () => {
    const cwd = temporary();
    const { status } = await shell(
      'truncate -s 3M f && echo end >> f && sluice copy --compress gzip f - | gzip -dc | cmp - f',
      { cwd },
    );
    expect(status).toBe(0);
  });
  it.skipIf(!has('xz') || !has('bzip2'))('reads what xz and bzip2 wrote', async () => {
    const cwd = temporary();
    const line =
      'seq 10000 > f; xz -k f; bzip2 -k f; sluice copy --decompress f.xz x && sluice copy --decompress f.bz2 b && cmp f x && cmp f b';
    expect((await shell(line, { cwd })).status).toBe(0);
  });
  it('passes a full disk on as it is', async () => {
    const { status, stderr } = await shell(
      'head -c 3000000 /dev/urandom | sluice copy --compress gzip - - > /dev/full',
    );
    expect(status).toBe(1);
    expect(stderr).toContain('no space left on device (ENOSPC, write)');
  });
  it('stops quietly when downstream has gone', async () => {
    const { status } = await shell(
      'set -o pipefail; sluice copy --compress gzip /dev/urandom - | head -c 100000 > /dev/null',
    );
    expect(status).toBe(141);
  });
});
