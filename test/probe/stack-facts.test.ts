import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stackFacts } from '../../src/probe/stack-facts.js';
import { temporary } from '../helpers/sluice.js';

describe('what open() would do', () => {
  it.each([
    ['r', 'reads', 'fails'],
    ['w', 'empties', 'creates'],
    ['x', 'fails', 'creates'],
    ['a', 'appends', 'creates'],
    ['r+', 'overwrites', 'fails'],
    ['w+b', 'empties', 'creates'],
    ['xb', 'fails', 'creates'],
    ['a+', 'appends', 'creates'],
  ])('with mode %s is said, and not done', (mode, there, missing) => {
    const directory = temporary();
    const path = join(directory, 'there');
    writeFileSync(path, 'content');
    const before = statSync(path, { bigint: true });
    expect(stackFacts(path, mode, {}).effect).toMatchObject({ value: there, inferred: true });
    expect(readFileSync(path, 'utf8')).toBe('content');
    expect(statSync(path, { bigint: true }).mtimeNs).toBe(before.mtimeNs);
    expect(stackFacts(join(directory, 'missing'), mode, {}).effect.value).toBe(missing);
    expect(existsSync(join(directory, 'missing'))).toBe(false);
  });

  it('to a directory, and where there is none, is to fail', () => {
    const directory = temporary();
    mkdirSync(join(directory, 'sub'));
    expect(stackFacts(join(directory, 'sub'), 'r', {}).effect.value).toBe('fails');
    expect(stackFacts(join(directory, 'none/file'), 'w', {}).effect.value).toBe('fails');
  });

  it.each(['q', 'rw', 'r++', '', 'br+t'])('mode %j is refused as open() refuses it', (mode) => {
    expect(() => stackFacts('file', mode, {})).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
  });
});
