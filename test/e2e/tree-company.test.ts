// Trees and others who are at work in them at the same time: a second run into the same place, and somebody who puts
// symlinks in the way.

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
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

describe('a directory of the destination that becomes a symlink to outside', () => {
  /** Swaps what is under `victims`, one after the other, for links to `outside`, for as long as the run lasts. */
  async function whileSwapping(running: Promise<Ended>, victims: string[]): Promise<number> {
    let over = false;
    void running.then(() => {
      over = true;
    });
    let swapped = 0;
    while (!over) {
      for (const victim of victims) {
        try {
          renameSync(victim, at(`moved-${swapped}`));
          symlinkSync(at('outside'), victim);
          swapped++;
        } catch {
          // Not there, or a link already.
        }
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    return swapped;
  }

  it.skipIf(!hasStrace).each([
    ['what is deleted', 'dst/extra'],
    ['what is deleted, from a directory that stays too', 'dst'],
    ['what goes to the trash', 'dst/extra', '--trash'],
  ])('%s: nothing outside is touched', async (_, extra, trash?: string) => {
    fill(at('src'), 1, 2);
    fill(at(extra), 12, 30);
    mkdirSync(at('outside'));
    for (let k = 0; k < 30; k++) writeFileSync(at('outside', `f${k}`), 'mine');
    const options = trash ? [trash, at('bin')] : [];
    // Each removal takes a moment, in which the directory can be swapped.
    const slow = '?unlink,?unlinkat,?rename,?renameat,?renameat2';
    const traced = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${slow}`, '-e', `inject=${slow}:delay_enter=300`];
    const args = [...traced, process.execPath, bin, 'sync', '--delete', ...options, at('src'), at('dst')];
    const ended = outcome(spawn('strace', args, { stdio: 'pipe' }));
    const victims = Array.from({ length: 12 }, (__, i) => at(extra, `d${i}`, 'sub'));
    expect(await whileSwapping(ended, victims)).toBeGreaterThan(0);
    await ended;
    expect(readdirSync(at('outside'))).toHaveLength(30);
    for (const name of readdirSync(at('outside'))) expect(readFileSync(at('outside', name), 'utf8')).toBe('mine');
    expect((await sluice(['sync', '--delete', at('src'), at('dst')])).status).toBe(0);
    expect(readdirSync(at('outside'))).toHaveLength(30);
    expect(treeLines(at('dst'), comparable)).toEqual(treeLines(at('src'), comparable));
  });
});
