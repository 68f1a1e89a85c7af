// Trees and filesystems: -x stays on one, for copying as for deleting, and what is too large for any disk is copied by what it holds.

import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { native } from '../../src/io/native.js';
import { canMount } from '../helpers/loop-mount.js';
import { sluice, temporary } from '../helpers/sluice.js';

let dir: string;
beforeEach(() => {
  dir = temporary();
});
const mounts: string[] = [];
afterEach(() => {
  for (const mount of mounts.splice(0)) execFileSync('umount', ['-l', mount]);
  execFileSync('rm', ['-rf', dir]);
});
const at = (...names: string[]) => join(dir, ...names);
const names = (path: string): string[] => (readdirSync(path, { recursive: true }) as string[]).sort();

/** A filesystem of its own, with a file in it. */
function mount(path: string): void {
  mkdirSync(path, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path]);
  mounts.push(path);
  writeFileSync(join(path, 'inside'), 'on another filesystem');
}

describe.skipIf(!canMount('ext4'))('-x (needs root to mount)', () => {
  it('copies the directory that is mounted on, and nothing in it; without -x all of it', async () => {
    mount(at('src/a/mnt'));
    writeFileSync(at('src/a/b'), 'B');
    for (const command of ['copy -rT', 'copy -aT', 'sync']) {
      const [name, ...options] = command.split(' ');
      for (const [x, expected] of [
        [['-x'], ['a', 'a/b', 'a/mnt']],
        [[], ['a', 'a/b', 'a/mnt', 'a/mnt/inside']],
      ] as const) {
        const target = at(`${name}-${options}${x}`);
        expect([command, (await sluice([name!, ...options, ...x, at('src'), target])).status]).toEqual([command, 0]);
        expect([command, names(target)]).toEqual([command, [...expected]]);
      }
    }
  });

  it('deletes nothing on another filesystem, nor the directories on the way to it; told before is done', async () => {
    mkdirSync(at('src'));
    writeFileSync(at('src/a'), 'A');
    mount(at('dst/extra/mnt'));
    writeFileSync(at('dst/extra/goes'), '');
    const dry = await sluice(['sync', '-x', '--delete', '-n', at('src'), at('dst')]);
    const real = await sluice(['sync', '-x', '--delete', '-v', at('src'), at('dst')]);
    expect([real.status, real.out]).toEqual([0, dry.out]);
    expect(names(at('dst'))).toEqual(['a', 'extra', 'extra/mnt', 'extra/mnt/inside']);
  });
});

describe.skipIf(!native())('a file of 1 TiB of holes in a tree', () => {
  it.each(['copy -r', 'copy -a', 'sync'])('%s takes what it holds, in no time', async (line) => {
    mkdirSync(at('src/deep'), { recursive: true });
    const fd = openSync(at('src/deep/sparse'), 'w');
    for (let i = 0; i < 16; i++) writeSync(fd, Buffer.alloc(65536, i + 1), 0, 65536, i * 2 ** 36);
    closeSync(fd);
    truncateSync(at('src/deep/sparse'), 2 ** 40);
    const before = performance.now();
    const { status } = await sluice([...line.split(' '), at('src'), at('dst')]);
    expect(status).toBe(0);
    expect(performance.now() - before).toBeLessThan(20_000);
    const { size, blocks } = statSync(at('dst/deep/sparse'));
    expect([size, blocks * 512 < 4 << 20]).toEqual([2 ** 40, true]);
    const copied = openSync(at('dst/deep/sparse'), 'r');
    for (let i = 0; i < 16; i++) {
      const piece = Buffer.alloc(65536);
      readSync(copied, piece, 0, 65536, i * 2 ** 36);
      expect(piece.equals(Buffer.alloc(65536, i + 1))).toBe(true);
    }
    closeSync(copied);
  });
});
