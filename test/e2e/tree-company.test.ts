// Trees and others who are at work in them at the same time: a second run into the same place, and somebody who puts
// symlinks in the way.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { native } from '../../src/io/native.js';
import { treeLines } from '../helpers/nasty-tree.js';
import { bin, type Ended, outcome, sluice, temporary } from '../helpers/sluice.js';
import { hasStrace } from '../helpers/strace.js';

const comparable = native() ? {} : { xattrs: false, times: 'none' as const };

let dir: string;
beforeEach(() => {
  dir = temporary();
});
afterEach(() => void execFileSync('rm', ['-rf', dir]));
const at = (...names: string[]) => join(dir, ...names);

/** `directories` of them with `files` files each, one level down too. */
function fill(root: string, directories: number, files: number): void {
  for (let i = 0; i < directories; i++) {
    mkdirSync(join(root, `d${i}`, 'sub'), { recursive: true });
    writeFileSync(join(root, `d${i}`, 'top'), `${i}`);
    for (let k = 0; k < files; k++) writeFileSync(join(root, `d${i}`, 'sub', `f${k}`), `${i} ${k}`);
  }
}

describe('two runs into one place at once', () => {
  it.each([
    'sync --delete',
    'sync --delete --durable',
    'sync --delete --jobs 4',
    'copy -aT',
  ])('%s: both succeed, the tree is equal, no temp file is left', async (line) => {
    fill(at('src'), 25, 8);
    mkdirSync(at('dst'));
    if (line.includes('--delete')) fill(at('dst', 'gone'), 3, 20);
    const both = await Promise.all([1, 2].map(() => sluice([...line.split(' '), at('src'), at('dst')])));
    expect(both.map(({ status, stderr }) => [status, stderr.includes('(E')])).toEqual([
      [0, false],
      [0, false],
    ]);
    expect(treeLines(at('dst'), comparable)).toEqual(treeLines(at('src'), comparable));
  });
});

describe('a directory of the destination that is a symlink to outside from one moment to the next', () => {
  /** Each of `victims` is itself and a link to `outside` in turns, for as long as the run lasts; then itself again. */
  async function whileSwapping(running: Promise<Ended>, victims: string[]): Promise<number> {
    let over = false;
    void running.then(() => {
      over = true;
    });
    const links = victims.map((_, i) => at(`link-${i}`));
    const aside = victims.map((_, i) => at(`aside-${i}`));
    for (const link of links) symlinkSync(at('outside'), link);
    const move = (from: string, to: string): boolean => {
      try {
        renameSync(from, to);
        return true;
      } catch {
        return false; // It was taken away.
      }
    };
    let swapped = 0;
    while (!over) {
      for (const [i, victim] of victims.entries()) if (move(victim, aside[i]!) && move(links[i]!, victim)) swapped++;
      await new Promise((resolve) => setImmediate(resolve));
      for (const [i, victim] of victims.entries()) {
        if (lstatSync(victim, { throwIfNoEntry: false })?.isSymbolicLink()) move(victim, links[i]!);
        if (existsSync(aside[i]!)) move(aside[i]!, victim);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    return swapped;
  }

  it.skipIf(!hasStrace).each([
    ['what is deleted', 'dst/extra', '--delete'],
    ['what is deleted from a directory that stays', 'dst', '--delete'],
    ['what goes to the trash', 'dst/extra', '--delete --trash bin'],
    ['what is copied', 'dst', ''],
  ])('%s: nothing outside is touched', async (_, root, options) => {
    fill(at('src'), 12, options === '' ? 30 : 2);
    fill(at(root), 12, options === '' ? 30 : 10);
    mkdirSync(at('outside'));
    for (let k = 0; k < 30; k++) writeFileSync(at('outside', `f${k}`), 'mine');
    const before = treeLines(at('outside'), comparable);
    // Each look takes a moment, in which the directory can be swapped.
    const slow = '?openat,?openat2,?unlinkat,?unlink';
    const traced = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${slow}`, '-e', `inject=${slow}:delay_enter=500`];
    const words = options.split(' ').filter(Boolean);
    const args = [...traced, process.execPath, bin, 'sync', ...words, 'src', 'dst'];
    const ended = outcome(spawn('strace', args, { stdio: 'pipe', cwd: dir }));
    const victims = Array.from({ length: 12 }, (__, i) => at(root, `d${i}`, 'sub'));
    expect(await whileSwapping(ended, victims)).toBeGreaterThan(12);
    await ended;
    expect(treeLines(at('outside'), comparable)).toEqual(before);
    expect((await sluice(['sync', '--delete', at('src'), at('dst')])).status).toBe(0);
    expect(treeLines(at('outside'), comparable)).toEqual(before);
    expect(treeLines(at('dst'), comparable)).toEqual(treeLines(at('src'), comparable));
  });
});
