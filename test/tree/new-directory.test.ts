// A directory that has a temp name until the files in it are whole.

import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { native } from '../../src/io/native.js';
import { undoUnfinished } from '../../src/io/unfinished.js';
import { NewDirectory } from '../../src/tree/new-directory.js';
import { places } from '../../src/tree/place.js';
import { Tree } from '../../src/tree/tree.js';
import { temporary } from '../helpers/sluice.js';

describe.skipIf(!native())('a new directory (needs native calls)', () => {
  let dir: string;
  let tree: Tree;
  beforeEach(() => {
    dir = temporary();
    mkdirSync(join(dir, 'a'));
    tree = new Tree(dir);
  });
  afterEach(() => tree.close());

  function make(): NewDirectory {
    const made = NewDirectory.make(() => tree.at('a'), 'new', 0o700);
    tree.hold('a/new', made.place);
    return made;
  }

  /** A file in it, by the directory that the tree has open. */
  function put(name: string, content: string): void {
    writeFileSync(places().pathOf(tree.at('a/new'), name), content);
  }

  it('has its name when it is committed, and no other before or after', () => {
    const directory = make();
    put('f', 'content');
    expect(readdirSync(join(dir, 'a'))).toEqual([expect.stringMatching(/^\.new\.sluice-[0-9a-f]{16}\.tmp$/)]);
    directory.commit();
    expect(readdirSync(join(dir, 'a'))).toEqual(['new']);
    expect(readFileSync(join(dir, 'a/new/f'), 'utf8')).toBe('content');
    expect(lstatSync(join(dir, 'a/new')).mode & 0o777).toBe(0o700);
    put('g', 'later');
    expect(readFileSync(join(dir, 'a/new/g'), 'utf8')).toBe('later');
  });

  it('is held open however many others are looked at meanwhile', () => {
    for (let i = 0; i < 20; i++) mkdirSync(join(dir, `other${i}`));
    const directory = make();
    for (let i = 0; i < 20; i++) tree.at(`other${i}`);
    put('f', 'content');
    directory.commit();
    for (let i = 0; i < 20; i++) tree.at(`other${i}`);
    expect(readFileSync(join(dir, 'a/new/f'), 'utf8')).toBe('content');
    put('g', 'later');
    expect(existsSync(join(dir, 'a/new/g'))).toBe(true);
  });

  it('given up, or told to stop: it is gone with all that was made in it', () => {
    const directory = make();
    put('f', 'content');
    directory.remove();
    expect(readdirSync(join(dir, 'a'))).toEqual([]);
    make();
    put('f', 'content');
    undoUnfinished('SIGTERM');
    expect(readdirSync(join(dir, 'a'))).toEqual([]);
  });

  it('somebody made one of that name meanwhile: the files go into it, and what was there stays', () => {
    const directory = make();
    put('f', 'ours');
    mkdirSync(join(dir, 'a/new'));
    writeFileSync(join(dir, 'a/new/theirs'), 'theirs');
    directory.commit();
    expect(readdirSync(join(dir, 'a'))).toEqual(['new']);
    expect(readdirSync(join(dir, 'a/new')).sort()).toEqual(['f', 'theirs']);
    expect(readFileSync(places().pathOf(tree.at('a/new'), 'theirs'), 'utf8')).toBe('theirs');
  });

  it('something else got that name meanwhile: an error, and that stays', () => {
    const directory = make();
    put('f', 'ours');
    writeFileSync(join(dir, 'a/new'), 'a file');
    expect(() => directory.commit()).toThrow();
    directory.remove();
    expect(readdirSync(join(dir, 'a'))).toEqual(['new']);
    expect(readFileSync(join(dir, 'a/new'), 'utf8')).toBe('a file');
  });
});
