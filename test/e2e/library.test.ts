// The built library, as a program that imports it sees it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const dir = mkdtempSync(join(tmpdir(), 'sluice-library-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const library = new URL('../../dist/index.js', import.meta.url).href;
const run = (script: string): string =>
  execFileSync(
    process.execPath,
    ['--input-type=module', '-e', `import * as sluice from ${JSON.stringify(library)};${script}`],
    {
      encoding: 'utf8',
      cwd: dir,
    },
  );

describe('the built library', () => {
  it('has what the contract names', () => {
    const names = JSON.parse(run('console.log(JSON.stringify(Object.keys(sluice)))'));
    expect(names).toEqual(
      expect.arrayContaining([
        ...['open', 'FileIO', 'BufferedReader', 'BufferedWriter', 'BufferedRandom', 'BufferedRWPair', 'BytesIO'],
        ...[
          'ByteBuffer',
          'TextIOWrapper',
          'UnsupportedOperation',
          'BufferError',
          'UnicodeDecodeError',
          'BlockingIOError',
        ],
        ...['UnicodeEncodeError', 'describe', 'stdio'],
      ]),
    );
  });

  it('finds the tables of rarer encodings from wherever the build has put its code', () => {
    for (const [encoding, hex] of [
      ['shift_jis', '8341'],
      ['windows-1251', 'd4'],
    ] as const) {
      run(`{ using_(sluice.open('out', 'w', { encoding: '${encoding}' })); }
        function using_(file) { file.write(${JSON.stringify(encoding === 'shift_jis' ? 'ア' : 'Ф')}); file.close(); }`);
      expect(readFileSync(join(dir, 'out')).toString('hex')).toBe(hex);
      expect(run(`console.log(sluice.open('out', 'r', { encoding: '${encoding}' }).read())`)).toBe(
        encoding === 'shift_jis' ? 'ア\n' : 'Ф\n',
      );
    }
  });

  it('does not load those tables, nor anything of the kind, for plain text', () => {
    const loaded = run(`import { createRequire } from 'node:module';
      sluice.open('plain', 'w').close();
      console.log(String(Object.keys(createRequire(import.meta.url).cache).length));`);
    expect(loaded).toBe('0\n');
  });
});
