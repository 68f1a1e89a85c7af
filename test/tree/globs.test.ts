// --exclude and --include: which names a pattern is for.

import { describe, expect, it } from 'vitest';
import { compileRule } from '../../src/tree/globs.js';
import { parseRules } from '../../src/tree/rules.js';

const matches = (pattern: string, path: string, isDirectory = false): boolean =>
  compileRule({ include: false, pattern }).matches(path, path.slice(path.lastIndexOf('/') + 1), isDirectory);

describe('globs', () => {
  it.each([
    ['*.o', 'a.o', true],
    ['*.o', 'deep/down/a.o', true],
    ['*.o', 'a.obj', false],
    ['.*', 'x/.hidden', true],
    ['*', '.hidden', true],
    ['/top', 'top', true],
    ['/top', 'x/top', false],
    ['a/b', 'a/b', true],
    ['a/b', 'x/a/b', true],
    ['a/b', 'xa/b', false],
    ['a/*', 'a/b/c', false],
    ['a/**', 'a/b/c', true],
    ['**/x', 'x', true],
    ['a?c', 'abc', true],
    ['a?c', 'a/c', false],
    ['[ab]x', 'bx', true],
    ['[!ab]x', 'bx', false],
    ['a(1)', 'a(1)', true],
    ['a(1)', 'a1', false],
    ['a+b', 'a+b', true],
    ['a|b', 'a', false],
    ['!a', '!a', true],
    ['!a', 'b', false],
    ['"q"', '"q"', true],
    ['$x^', '$x^', true],
    ['\\*', '*', true],
    ['\\*', 'x', false],
    ['*\n*', 'a\nb', true],
    ['bad*', 'bad\udcff', true],
    ['Case', 'case', false],
  ])('%j and %j: %s', (pattern, path, expected) => {
    expect(matches(pattern, path)).toBe(expected);
  });

  it('a slash at the end is for directories only', () => {
    expect(matches('build/', 'x/build', true)).toBe(true);
    expect(matches('build/', 'x/build')).toBe(false);
  });

  it('a file of rules: comments, signs, order', () => {
    expect(parseRules('# c\n; c\n\n+ keep\n- drop me\nplain\r\n')).toEqual([
      { include: true, pattern: 'keep' },
      { include: false, pattern: 'drop me' },
      { include: false, pattern: 'plain' },
    ]);
  });
});
