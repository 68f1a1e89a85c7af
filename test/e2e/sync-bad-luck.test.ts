// Trees and bad luck: power cuts, full disks, few descriptors, and somebody who swaps things while we work.

import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { native } from '../../src/io/native.js';
import { canMount, type Filesystem, loopMount } from '../helpers/loop-mount.js';
import { nastyTree, treeLines } from '../helpers/nasty-tree.js';
import { bin, command, outcome, shell, sluice, temporary } from '../helpers/sluice.js';
import { hasStrace, strace } from '../helpers/strace.js';

const exact = native() !== null;
const comparable = exact ? {} : { xattrs: false, times: 'none' as const };
/** Sockets are passed over. */
const asSource = { ...comparable, sockets: false };

let dir: string;
beforeEach(() => {
  dir = temporary();
});
afterEach(() => void execFileSync('rm', ['-rf', dir]));
const at = (...names: string[]) => join(dir, ...names);

describe('after a power cut', () => {
  for (const fs of ['ext4', 'xfs', 'btrfs'] as Filesystem[]) {
    it.skipIf(!canMount(fs))(
      `copy -a --durable that has ended is all there on ${fs} (needs root to mount)`,
      async () => {
        nastyTree(at('src'), { depth: 5 });
        using mount = loopMount(fs, 64);
        const target = join(mount.dir, 'dst');
        const { status, stderr } = await sluice(['copy', '-a', '--durable', at('src'), target]);
        expect([status, stderr.includes('error')]).toEqual([0, false]);
        mount.crash();
        mount.remount();
        expect(treeLines(target, comparable)).toEqual(treeLines(at('src'), asSource));
      },
    );

    it.skipIf(!canMount(fs))(`sync --durable that has ended is all there on ${fs} (needs root to mount)`, async () => {
      nastyTree(at('src'), { depth: 15 });
      using mount = loopMount(fs, 64);
      const target = join(mount.dir, 'dst');
      const first = await sluice(['sync', '-HX', '--durable', at('src'), target]);
      expect([first.status, first.stderr.includes('error')]).toEqual([0, false]);
      mount.crash();
      mount.remount();
      expect(treeLines(target, comparable)).toEqual(treeLines(at('src'), asSource));
      if (fs === 'btrfs') return; // Its copy can be made once only.
      // And once more over what is there, with deletions.
      writeFileSync(at('src/plain'), 'a new version');
      rmSync(at('src/sub/two'));
      const second = await sluice(['sync', '-HX', '--durable', '--delete', at('src'), target]);
      expect(second.status).toBe(0);
      mount.crash();
      mount.remount();
      expect(treeLines(target, comparable)).toEqual(treeLines(at('src'), asSource));
    });

    it.skipIf(!canMount(fs) || !exact)(
      `sync --swap --durable is one whole tree on ${fs} (needs root to mount)`,
      async () => {
        using mount = loopMount(fs, 64);
        const [source, target] = [join(mount.dir, 'src'), join(mount.dir, 'dst')];
        for (const generation of ['one', 'two']) {
          for (let i = 0; i < 20; i++) {
            mkdirSync(join(source, `d${i % 4}`), { recursive: true });
            writeFileSync(join(source, `d${i % 4}`, `f${i}`), generation);
          }
          const ended = await sluice(['sync', '--swap', '--durable', source, target]);
          expect(ended.status).toBe(0);
        }
        mount.crash();
        mount.remount();
        for (let i = 0; i < 20; i++) expect(readFileSync(join(target, `d${i % 4}`, `f${i}`), 'utf8')).toBe('two');
      },
    );
  }
});

describe('--durable', () => {
  // Without native calls names are looked up in /proc, which strace does not see through.
  it.skipIf(!hasStrace || !exact).each(['sync --durable', 'copy -aT --durable', 'sync --durable --jobs 1'])(
    '%s: no file gets its name before it is on stable storage, and every directory that got names follows',
    (line) => {
      for (let i = 0; i < 30; i++) {
        mkdirSync(at('src', `d${i}`), { recursive: true });
        for (const name of ['one', 'two']) writeFileSync(at('src', `d${i}`, name), `${i}`);
      }
      writeFileSync(at('src/large'), Buffer.alloc(5 << 20, 'large'));
      const { status, calls } = strace(process.execPath, [bin, ...line.split(' '), at('src'), at('dst')], {
        trace: 'fsync,?rename,?renameat,?renameat2',
        decode: true,
      });
      expect(status).toBe(0);
      // Calls of several threads are told in two halves: the first has the descriptor, the second is the end.
      const synced = (path: string): number =>
        calls.findIndex((call) => call.startsWith('fsync(') && call.includes(`<${path}>`));
      let renamed = 0;
      const last = new Map<string, number>();
      for (const [i, call] of calls.entries()) {
        const [, directory, temp] = /^rename\w*\(\d+<([^>]*)>, "([^"]*\.sluice-[^"]*)"/.exec(call) ?? [];
        if (temp === undefined) continue;
        renamed++;
        const before = synced(`${directory}/${temp}`);
        expect([temp, before >= 0 && before < i]).toEqual([temp, true]);
        last.set(directory!, i);
      }
      expect(renamed).toBeGreaterThan(60);
      for (const [directory, at] of last) {
        const after = calls.findLastIndex((call) => call.startsWith('fsync(') && call.includes(`<${directory}>`));
        expect([directory, after > at]).toEqual([directory, true]);
      }
    },
  );
});

describe('with too little', () => {
  it.skipIf(!canMount('ext4'))(
    'a full disk half way: exit 1, named, no temp files; room makes it whole (needs root to mount)',
    async () => {
      const mount = at('mnt');
      mkdirSync(mount);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', mount]);
      try {
        mkdirSync(at('src'));
        for (let i = 0; i < 40; i++) writeFileSync(at('src', `f${i}`), Buffer.alloc(400_000, i));
        const target = join(mount, 'dst');
        const full = await sluice(['sync', at('src'), target]);
        expect(full.status).toBe(1);
        expect(full.stderr).toContain('ENOSPC');
        const there = readdirSync(target);
        expect(there.filter((name) => name.includes('.sluice-'))).toEqual([]);
        for (const name of there)
          expect(readFileSync(join(target, name)).equals(readFileSync(at('src', name)))).toBe(true);
        for (let i = 20; i < 40; i++) rmSync(at('src', `f${i}`));
        // What is there in their place has to go first: deletions come last.
        for (const name of there) if (Number(name.slice(1)) >= 20) rmSync(join(target, name));
        expect((await sluice(['sync', '--delete', at('src'), target])).status).toBe(0);
        expect(readdirSync(target)).toHaveLength(20);
      } finally {
        execFileSync('umount', ['-l', mount]);
      }
    },
  );

  it('40 descriptors are enough, for 300 levels and for several threads', async () => {
    nastyTree(at('src'));
    for (let i = 0; i < 20; i++) {
      mkdirSync(at('src', `many${i}`));
      for (let k = 0; k < 40; k++) writeFileSync(at('src', `many${i}`, `f${k}`), `${k}`);
    }
    const line = `ulimit -n 40; exec "${process.execPath}" "${bin}" copy -a --jobs 2 "${at('src')}" "${at('dst')}"`;
    const ended = await command('/bin/bash', ['-c', line]);
    expect(ended.stderr.replace(/.*(kept everything|is a socket).*\n/g, '')).toBe('');
    expect(ended.status).toBe(0);
    expect(treeLines(at('dst'), comparable)).toEqual(treeLines(at('src'), asSource));
  });
});

describe('ended before it is over', () => {
  const many = (files: number) => {
    for (let i = 0; i < 40; i++) {
      mkdirSync(at('src', `d${i}`, 'sub'), { recursive: true });
      for (let k = 0; k < files; k++) writeFileSync(at('src', `d${i}`, 'sub', `f${k}`), `${k}`);
    }
  };
  const temps = () =>
    (existsSync(at('dst')) ? (readdirSync(at('dst'), { recursive: true }) as string[]) : [])
      .concat(readdirSync(dir))
      .filter((name) => name.includes('.sluice-'));

  it.each([
    'sync -v',
    'sync -v --durable',
    'sync --json --jobs 1',
    'copy -rTv',
    'copy -aT --json --durable',
  ])('%s, whose reader has left, or whose output is full: told by the status, and no temp file is left', async (line) => {
    many(2);
    const pipe = await shell(`sluice ${line} src dst | true; exit \${PIPESTATUS[0]}`, { cwd: dir });
    expect([pipe.status, pipe.stderr, temps()]).toEqual([141, '', []]);
    rmSync(at('dst'), { recursive: true });
    const full = await shell(`sluice ${line} src dst > /dev/full`, { cwd: dir });
    expect([full.status, temps()]).toEqual([1, []]);
    expect(full.stderr).toMatch(/^sluice \w+: standard output: no space left on device \(ENOSPC, write\)\n/);
    expect(full.stderr).not.toContain(' at ');
  });

  it.skipIf(!hasStrace)('by a signal, while what is staged is on its way to storage and to its names', () => {
    many(2);
    for (const [call, when] of [
      ['fsync', 1],
      ['fsync', 40],
      ['?rename,?renameat,?renameat2', 20],
    ] as const) {
      rmSync(at('dst'), { recursive: true, force: true });
      const { signal } = strace(process.execPath, [bin, 'sync', '--durable', at('src'), at('dst')], {
        inject: [`${call}:signal=TERM:when=${when}`],
        trace: call,
        // One thread of the pool, so that the signal comes once: a second one skips the clean-up.
        env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
      });
      expect([call, when, signal, temps()]).toEqual([call, when, 'SIGTERM', []]);
    }
  });
});

describe('while somebody swaps things', () => {
  it('a directory of the destination that becomes a symlink leads nowhere outside', async () => {
    mkdirSync(at('outside'));
    for (let i = 0; i < 40; i++) {
      mkdirSync(at('src', `d${i}`, 'sub'), { recursive: true });
      for (let k = 0; k < 20; k++) writeFileSync(at('src', `d${i}`, 'sub', `f${k}`), `${k}`);
    }
    const child = spawn(process.execPath, [bin, 'sync', at('src'), at('dst')], { stdio: 'pipe' });
    const ended = outcome(child);
    let running = true;
    void ended.then(() => {
      running = false;
    });
    let swapped = 0;
    while (running) {
      for (let i = 0; i < 40 && running; i++) {
        const victim = at('dst', `d${i}`, 'sub');
        try {
          renameSync(victim, at(`moved-${swapped}`));
          symlinkSync(at('outside'), victim);
          swapped++;
        } catch {
          // Not there yet, or swapped already.
        }
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await ended;
    expect(readdirSync(at('outside'))).toEqual([]);
    // The next run replaces the links, and leaves what they lead to alone.
    expect((await sluice(['sync', '--delete', at('src'), at('dst')])).status).toBe(0);
    expect(readdirSync(at('outside'))).toEqual([]);
    expect(treeLines(at('dst'), comparable)).toEqual(treeLines(at('src'), asSource));
  });

  it('an entry of the source that becomes a symlink is not followed', async () => {
    writeFileSync(at('secret'), 'secret');
    mkdirSync(at('src'));
    for (let i = 0; i < 500; i++) writeFileSync(at('src', `f${i}`), 'plain');
    const child = spawn(process.execPath, [bin, 'copy', '-r', at('src'), at('dst')], { stdio: 'pipe' });
    const ended = outcome(child);
    let running = true;
    void ended.then(() => {
      running = false;
    });
    for (let i = 499; i >= 0 && running; i--) {
      unlinkSync(at('src', `f${i}`));
      symlinkSync(at('secret'), at('src', `f${i}`));
      if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await ended;
    for (const name of existsSync(at('dst')) ? readdirSync(at('dst'), { withFileTypes: true }) : [])
      if (name.isFile()) expect(readFileSync(at('dst', name.name), 'utf8')).toBe('plain');
  });
});
