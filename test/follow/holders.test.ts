import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { hasWriters } from '../../src/follow/holders.js';
import { isRoot, temporary } from '../helpers/sluice.js';

it.skipIf(!isRoot)('knows whether somebody has a file open for writing', () => {
  const path = join(temporary(), 'file');
  writeFileSync(path, 'x');
  const ours = openSync(path, 'r');
  const other = openSync(path, 'r');
  expect(hasWriters(ours)).toBe(false);
  const writer = openSync(path, 'a');
  expect(hasWriters(ours)).toBe(true);
  closeSync(writer);
  expect(hasWriters(ours)).toBe(false);
  closeSync(other);
  closeSync(ours);
});
