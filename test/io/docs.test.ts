// The examples of docs/io.md run, and print what the comments in them say.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const dir = mkdtempSync(join(tmpdir(), 'sluice-docs-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const page = readFileSync(new URL('../../docs/io.md', import.meta.url), 'utf8');
const library = new URL('../../dist/index.js', import.meta.url).href;
const examples = [...page.matchAll(/^```js\n(.*?)^```/gms)].map((match) => match[1]!);

/** What an example says that it prints: comments behind console.log, and lines that are comments only. */
const promised = (example: string): string[] =>
  example
    .split('\n')
    .map((line) => /^\s*console\.log\(.*; \/\/ (.*)$/.exec(line) ?? /^\/\/ (.*)$/.exec(line))
    .flatMap((match) => (match ? [match[1]!] : []));

describe('docs/io.md', () => {
  it('has examples', () => expect(examples.length).toBeGreaterThan(7));

  it.each(
    examples.map((example, i) => [i + 1, example] as const),
  )('example %i prints what it promises', (_i, example) => {
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['--input-type=module', '-e', example.replace("'sluice'", JSON.stringify(library))],
      {
        cwd: dir,
        encoding: 'utf8',
        env: { ...process.env, FORCE_COLOR: '0' },
      },
    );
    expect(stderr.replaceAll(/^.*(Warning|--trace-warnings).*\n/gm, '')).toBe('');
    expect(promised(example).length).toBeGreaterThan(0);
    expect(stdout.trimEnd().split('\n')).toEqual(promised(example));
  });
});
