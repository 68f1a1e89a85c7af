// `--gitignore` against git itself: whatever `git check-ignore` says of a path, we say.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Scopes } from '../../src/tree/filter.js';
import { places } from '../../src/tree/place.js';
import { below, Tree } from '../../src/tree/tree.js';
import { temporary } from '../helpers/sluice.js';

const hasGit = spawnSync('git', ['--version']).status === 0;
const environment = {
  ...process.env,
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  XDG_CONFIG_HOME: '/nowhere',
};

/** Every path that is not left out, as a walk finds it. */
function kept(root: string): string[] {
  const before = process.env['XDG_CONFIG_HOME'];
  process.env['XDG_CONFIG_HOME'] = '/nowhere';
  const tree = new Tree(root);
  const found: string[] = [];
  const scopes = new Scopes({ rules: [], git: root }, tree);
  const walk = (path: string) => {
    const scope = scopes.at(path);
    const names: string[] = [];
    places().list(tree.at(path), (name) => names.push(name));
    for (const name of names.sort()) {
      if (path === '' && name === '.git') continue;
      const isDirectory = places().stat(tree.at(path), name)?.kind === 'directory';
      if (scope.excludes(name, isDirectory)) continue;
      found.push(below(path, name));
      if (isDirectory) walk(below(path, name));
    }
  };
  try {
    walk('');
  } finally {
    tree.close();
    process.env['XDG_CONFIG_HOME'] = before;
    if (before === undefined) delete process.env['XDG_CONFIG_HOME'];
  }
  return found.sort();
}

/** The same from git: those that neither they nor a directory above them are ignored. */
function keptByGit(root: string): string[] {
  const all = (readdirSync(root, { recursive: true }) as string[]).filter((path) => !/^\.git(\/|$)/.test(path));
  const { stdout } = spawnSync('git', ['check-ignore', '--no-index', '-z', '--stdin'], {
    cwd: root,
    env: environment,
    input: all.join('\0'),
  });
  const ignored = new Set(stdout.toString().split('\0').filter(Boolean));
  return all.filter((path) => !ignored.has(path)).sort();
}

function repository(files: Record<string, string>): string {
  const root = temporary();
  execFileSync('git', ['init', '-q'], { cwd: root, env: environment });
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(root, name, '..'), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return root;
}

const tree = [
  'a',
  'b.o',
  'dir/a',
  'dir/b.o',
  'dir/sub/c',
  'dir/sub/build/x',
  'build/out',
  'build/keep',
  'foo/bar/baz',
  'bar/foo',
  'Upper',
  'upper',
  'with space',
  'star*',
  '[x]',
  '#hash',
  '!bang',
  '..odd',
  'deep/1/2/3/4',
  'trailing ',
];

describe.skipIf(!hasGit)('gitignore as git decides (needs git)', () => {
  it('nested files, negation, directories, anchors', () => {
    const files = Object.fromEntries(tree.map((name) => [name, '']));
    const root = repository({
      ...files,
      '.gitignore':
        '*.o\n/build/*\n!/build/keep\nfoo/**/baz\n\\#hash\n\\!bang\ndeep/**\nwith\\ space\n[x]\nstar\\*\nsub/build/\n',
      'dir/.gitignore': '!b.o\nsub/*\n!sub/c\n',
      'dir/sub/.gitignore': '!build/\r\n',
      '.git/info/exclude': 'upper\n',
    });
    expect(kept(root)).toEqual(keptByGit(root));
  });

  it('whatever the patterns', () => {
    const piece = fc.constantFrom(
      'a',
      'b',
      'dir',
      'sub',
      'build',
      'foo',
      'bar',
      '*',
      '**',
      '?',
      '*.o',
      '[a-c]',
      '[!a]',
      'deep',
      'b*',
    );
    const pattern = fc
      .tuple(fc.boolean(), fc.boolean(), fc.array(piece, { minLength: 1, maxLength: 3 }), fc.boolean())
      .map(
        ([negated, anchored, pieces, directory]) =>
          `${negated ? '!' : ''}${anchored ? '/' : ''}${pieces.join('/')}${directory ? '/' : ''}`,
      );
    const file = fc.array(pattern, { maxLength: 5 }).map((lines) => `${lines.join('\n')}\n`);
    fc.assert(
      fc.property(file, file, file, (top, dir, sub) => {
        const root = repository({
          ...Object.fromEntries(tree.map((name) => [name, ''])),
          '.gitignore': top,
          'dir/.gitignore': dir,
          'dir/sub/.gitignore': sub,
        });
        expect(kept(root)).toEqual(keptByGit(root));
      }),
      { numRuns: 40 },
    );
  });

  it('a subdirectory of a repository is under the rules above it', () => {
    const root = repository({ '.gitignore': '*.o\ndir/x\n', 'dir/x': '', 'dir/y': '', 'dir/z.o': '' });
    expect(kept(join(root, 'dir'))).toEqual(['y']);
  });
});
