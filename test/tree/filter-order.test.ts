// --include and --exclude in their order: rsync, whose rules they are, says which entries of a tree are meant.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { Scopes } from '../../src/tree/filter.js';
import { places } from '../../src/tree/place.js';
import { parseRules } from '../../src/tree/rules.js';
import { below, Tree } from '../../src/tree/tree.js';
import { has } from '../helpers/programs.js';
import { Dice } from '../helpers/random-tree.js';
import { temporary } from '../helpers/sluice.js';

const files = [
  'a',
  'ab',
  'b/a',
  'b/ab',
  'b/c/a',
  'b/c/b',
  'c/a/b',
  'c/a/c',
  'c/b/a',
  'c/.x',
  '.x',
  'd/a/b/c/a',
  'd/ab/b',
];

/** Names, wildcards, paths, anchors: most of them match something of the above. */
const patterns = [
  ...['a', 'b', 'ab', '.x', '*', 'a*', '?', '[!a]', '[a-b]', '.*', 'a/', 'b/', '*/', '/a', '/b', '/b/', '/*', '/*/'],
  ...[
    'a/b',
    'b/a',
    '/b/a',
    'c/*',
    '/c/*',
    '*/a',
    '/*/a',
    'a/b/',
    '/c/a/',
    'b/c/',
    '**/a',
    '/**/a',
    'b/**',
    '/d/**',
    '**',
  ],
  ...[
    '/d/**/a',
    'c/**/',
    'd/**/b',
    'a**',
    '**b',
    'd**a',
    '/c**b',
    '***',
    '/b/***',
    'a/***',
    '[[:alpha:]]',
    '[]a]',
    '[^b-c]',
    '[a-]b',
    '[b',
    '\\a',
  ],
];

function kept(root: string, rules: string): string[] {
  const tree = new Tree(root);
  const found: string[] = [];
  try {
    const scopes = new Scopes({ rules: parseRules(rules) }, tree);
    const waiting = [''];
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
      const names: string[] = [];
      places().list(tree.at(path), (name) => names.push(name));
      for (const name of names) {
        const isDirectory = places().stat(tree.at(path), name)?.kind === 'directory';
        if (scopes.at(path).excludes(name, isDirectory)) continue;
        found.push(below(path, name) + (isDirectory ? '/' : ''));
        if (isDirectory) waiting.push(below(path, name));
      }
    }
  } finally {
    tree.close();
  }
  return found.sort();
}

function keptByRsync(root: string, rules: string): string[] {
  const options = ['-rn', '--exclude-from=-', '--out-format=%n'];
  const out = execFileSync('rsync', [...options, `${root}/`, join(root, '../nowhere/')], { input: rules }).toString();
  return out
    .split('\n')
    .filter((line) => line !== '' && line !== './' && !line.startsWith('created '))
    .sort();
}

describe.skipIf(!has('rsync'))('rules in their order mean what they mean to rsync', () => {
  let root: string;
  beforeEach(() => {
    root = join(temporary(), 'src');
    for (const path of files) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), '');
    }
  });

  it.each(patterns)('one alone: %s', (pattern) => {
    expect(kept(root, `- ${pattern}\n`)).toEqual(keptByRsync(root, `- ${pattern}\n`));
  });

  it('many together (40 seeds)', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const dice = new Dice(seed);
      const rules = Array.from(
        { length: 1 + dice.roll(5) },
        () => `${dice.pick(['+', '-'])} ${dice.pick(patterns)}\n`,
      ).join('');
      expect([seed, rules, kept(root, rules)]).toEqual([seed, rules, keptByRsync(root, rules)]);
    }
  });
});
