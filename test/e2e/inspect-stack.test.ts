import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sluice, temporary } from '../helpers/sluice.js';

async function layers(...args: string[]) {
  const ended = await sluice(['inspect', '--json', '--stack', ...args]);
  expect(ended.status, ended.out + ended.stderr).toBe(0);
  return ended.records()[0] as { effect: { value: string }; layers: Record<string, unknown>[] };
}

describe('inspect --stack', () => {
  it('draws the layers of text, of bytes, and of no buffer', async () => {
    const path = join(temporary(), 'file');
    writeFileSync(path, 'x');
    const text = await layers(path, '--mode', 'r+', '--encoding', 'utf-16', '--newline', 'crlf', '--buffering', '1');
    expect(text.layers).toMatchObject([
      { class: 'TextIOWrapper', newline: '\r\n', lineBuffering: true },
      { class: 'BufferedRandom', bufferSize: 131072 },
      { class: 'FileIO', mode: 'rb+', seekable: true, terminal: false },
    ]);
    expect((await layers(path, '--mode', 'rb', '--buffering', '5000')).layers).toMatchObject([
      { class: 'BufferedReader', bufferSize: 5000 },
      { class: 'FileIO' },
    ]);
    expect((await layers(path, '--mode', 'rb', '--buffering=0')).layers.map((layer) => layer['class'])).toEqual([
      'FileIO',
    ]);
    expect((await layers(path, '--mode', 'rb', '--buffering', '-1')).layers[0]).toMatchObject({ bufferSize: 131072 });
  });

  it('touches nothing, whatever the mode', async () => {
    const directory = temporary();
    const path = join(directory, 'there');
    writeFileSync(path, 'content');
    expect((await layers(path, '--mode', 'w')).effect).toMatchObject({ value: 'empties', inferred: true });
    expect(readFileSync(path, 'utf8')).toBe('content');
    expect((await layers(join(directory, 'missing'), '--mode', 'a')).effect).toMatchObject({ value: 'creates' });
    expect(existsSync(join(directory, 'missing'))).toBe(false);
  });

  it.each([
    [['--mode', 'q']],
    [['--buffering', '0']],
    [['--encoding', 'none-such']],
    [['--mode', 'rb', '--newline', 'lf']],
    [['extra']],
  ])('what open() refuses is a usage error: %j', async (args) => {
    expect((await sluice(['inspect', '--stack', 'file', ...args])).status).toBe(2);
  });

  it.each([
    [['--buffering', '5']],
    [['--mode', 'w', 'file']],
    [['--encoding', 'utf-8', 'file']],
  ])('%j without --stack is one too', async (args) => {
    expect((await sluice(['inspect', ...args])).status).toBe(2);
  });

  it('--buffering takes the words of every command too, in either place, and -u', async () => {
    const path = join(temporary(), 'file');
    writeFileSync(path, 'x\n');
    for (const args of [
      ['inspect', '--buffering', 'line', path],
      ['--buffering', 'none', 'inspect', path],
      ['inspect', '-u', path],
    ])
      expect((await sluice(args)).status).toBe(0);
    expect((await sluice(['inspect', '--buffering', 'some', path])).status).toBe(2);
  });

  it('is a drawing for a person', async () => {
    const ended = await sluice(['inspect', '--stack', 'no such file', '--mode', 'w']);
    expect(ended.out).toMatch(/┌─+┐\n.*TextIOWrapper.*\n(.*\n)+.*├─+┤\n.*BufferedWriter/);
    expect(ended.out).toContain('makes it');
  });
});
