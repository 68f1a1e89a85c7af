import { basename, dirname } from 'node:path';
import { expect, it } from 'vitest';
import { encodePath } from '../../src/io/path.js';
import { tempBase, tempName } from '../../src/io/temp-name.js';

it('is .<name>.sluice-<random>.tmp in the same directory', () => {
  expect(dirname(tempName('/a/b/file.txt'))).toBe('/a/b');
  expect(basename(tempName('/a/b/file.txt'))).toMatch(/^\.file\.txt\.sluice-[0-9a-f]{16}\.tmp$/);
  expect(tempBase(basename(tempName('/a/b/file.txt')))).toBe('file.txt');
  expect(tempBase('file.txt')).toBeUndefined();
});

it('fits a directory entry, and is cut between characters', () => {
  for (const name of ['x'.repeat(255), 'é'.repeat(127), '😀'.repeat(63), `${'x'.repeat(220)}${'\udcff'.repeat(30)}`]) {
    const temp = encodePath(basename(tempName(`/d/${name}`)));
    expect(temp.length).toBeLessThanOrEqual(255);
    expect(temp.length).toBeGreaterThan(240);
    expect(temp.toString()).not.toContain('\ufffd'.repeat(name.includes('\udcff') ? 99 : 1));
  }
});

it('never the same twice', () => {
  expect(new Set(Array.from({ length: 1000 }, () => tempName('f'))).size).toBe(1000);
});
