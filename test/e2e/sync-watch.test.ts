// `sync --watch`: what changes in SRC is soon in DEST, however it changes, until a signal ends it.

import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { native } from '../../src/io/native.js';
import { treeLines } from '../helpers/nasty-tree.js';
import { bin, type Ended, eventually, outcome, temporary } from '../helpers/sluice.js';

const comparable = native() ? {} : { xattrs: false, times: 'none' as const };

let dir: string;
beforeEach(() => {
  dir = temporary();
});
afterEach(() => void execFileSync('rm', ['-rf', dir]));
const at = (...names: string[]) => join(dir, ...names);

function put(name: string, content: string): void {
  mkdirSync(dirname(at(name)), { recursive: true });
  writeFileSync(at(name), content);
}

/** The two sides are equal, and stay what they are. */
const equal = async (what: string): Promise<void> => {
  const lines = (side: string) => treeLines(at(side), comparable).join('\n');
  await eventually(what, () => {
    try {
      return lines('src') === lines('dst');
    } catch {
      return false; // Something went while it was looked at.
    }
  });
};

/** Runs until `work` has ended; then how the signal ended it. */
async function watching(
  args: string[],
  signal: NodeJS.Signals,
  work: (said: () => string) => Promise<void>,
): Promise<Ended> {
  const child = spawn(process.execPath, [bin, 'sync', '--watch', ...args, at('src'), at('dst')], { stdio: 'pipe' });
  const ended = outcome(child);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  try {
    await work(() => said);
  } finally {
    child.kill(signal);
  }
  return ended;
}

describe('sync --watch', () => {
  it('follows changes of every kind until it is told to stop', async () => {
    put('src/a', 'A');
    put('src/old/x', 'X');
    const { signal, stdout, stderr } = await watching(['--delete', '-v'], 'SIGINT', async () => {
      await equal('first run');
      put('src/new/deep/b', 'B');
      await equal('directories made and filled at once');
      writeFileSync(at('src/new/deep/b'), 'changed');
      await equal('a change in them');
      renameSync(at('src/new'), at('src/newer'));
      put('src/newer/deep/c', 'C');
      await equal('a directory renamed, and a change in it');
      rmSync(at('src/old'), { recursive: true });
      put('src/old', 'a file in its place');
      await equal('another kind in its place');
      symlinkSync('a', at('src/link'));
      chmodSync(at('src/a'), 0o600);
      await equal('a link, and a mode');
      for (let round = 0; round < 5; round++)
        for (let i = 0; i < 100; i++) put(`src/burst/${i}`, `${round} ${i}`.repeat(round + 1));
      await equal('a burst');
      rmSync(at('src/a'));
      await equal('a deletion');
    });
    expect([signal, readdirSync(dir).sort()]).toEqual(['SIGINT', ['dst', 'src']]);
    expect(stderr).not.toContain('(E');
    // Looks that found nothing say nothing.
    expect(stderr).not.toContain('nothing to do');
    expect(stdout.toString()).toContain('delete a (not in the source)');
  });

  it('a source that is gone for a while does not empty the destination, and is followed again', async () => {
    put('src/a', 'A');
    const { signal, stderr } = await watching(['--delete'], 'SIGTERM', async (said) => {
      await equal('first run');
      const before = lstatSync(at('dst/a')).ino;
      renameSync(at('src'), at('away'));
      await eventually('it is missed', () => said().includes('left as it is'));
      renameSync(at('away'), at('src'));
      put('src/b', 'B');
      await eventually(
        'it is back',
        () => existsSync(at('dst/b')) && readFileSync(at('dst/b'), 'utf8') === 'B',
        30_000,
      );
      expect(lstatSync(at('dst/a')).ino).toBe(before);
    });
    expect([signal, stderr.includes('deleted')]).toEqual(['SIGTERM', false]);
  });
});

it('what is refused at once ends it', async () => {
  mkdirSync(at('src'));
  const child = spawn(process.execPath, [bin, 'sync', '--watch', at('src'), at('src')], { stdio: 'pipe' });
  const { status, stderr } = await outcome(child);
  expect([status, stderr]).toEqual([1, expect.stringContaining('are the same')]);
});
