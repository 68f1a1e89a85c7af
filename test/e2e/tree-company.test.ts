// Trees and others who are at work in them at the same time: a second run into the same place, and somebody who puts
// symlinks in the way.

import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { native } from '../../src/io/native.js';
import { positionOf, traced } from '../helpers/injection.js';
import { treeLines } from '../helpers/nasty-tree.js';
import { bin, type Ended, eventually, outcome, sluice, temporary } from '../helpers/sluice.js';
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

describe.skipIf(!hasStrace)('a file of the source that changes while it is copied', () => {
  it.each(['copy -rT', 'copy -aT', 'sync', 'sync --durable'])('%s: is copied again, and is whole', async (line) => {
    mkdirSync(at('src'));
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      writeFileSync(at('src', name), 'first');
      utimesSync(at('src', name), 1000, 1000);
    }
    // Between the read and the look whether the file is still the same a second goes by.
    const args = [bin, ...line.split(' '), '--jobs', '1', at('src'), at('dst')];
    const toTemp = (call: string) => /^write\(\d+<[^>]*\.sluice-[^>]*>, "first"/.test(call);
    const when = positionOf(traced(process.execPath, args, { trace: 'write' }), 'write', toTemp);
    execFileSync('rm', ['-r', at('dst')]);
    const slow = ['-e', 'trace=write', '-e', `inject=write:delay_enter=1000000:when=${when}`];
    const env = { ...process.env, UV_THREADPOOL_SIZE: '1', NODE_EXTRA_CA_CERTS: '' };
    const log = ['-f', '-qq', '-o', '/dev/null'];
    const running = outcome(spawn('strace', [...log, ...slow, process.execPath, ...args], { stdio: 'pipe', env }));
    const begun = () => readdirSync(dir, { recursive: true }).some((name) => String(name).includes('.sluice-'));
    await eventually('it has been read', begun);
    writeFileSync(at('src/a'), 'second, and longer');
    expect((await running).status).toBe(0);
    expect(readFileSync(at('dst/a'), 'utf8')).toBe('second, and longer');
    expect(readFileSync(at('dst/b'), 'utf8')).toBe('first');
  });
});
