// Who may use what a tree's copy makes: never more people than could use the source, or than the destination's own rules let in.
// cp is the measure where ACLs are in play.

import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { native } from '../../src/io/native.js';
import { treeLines } from '../helpers/nasty-tree.js';
import { bin, type Ended, isRoot, sluice, temporary } from '../helpers/sluice.js';
import { hasStrace, strace } from '../helpers/strace.js';
import { asNobody } from '../helpers/unprivileged.js';

const setfacl = (...args: string[]) => execFileSync('setfacl', args);
const hasAcls = (() => {
  const dir = temporary();
  return spawnSync('setfacl', ['-m', 'u:1:r', dir]).status === 0;
})();

let dir: string;
beforeEach(() => {
  dir = temporary();
  chmodSync(dir, 0o755);
});
const at = (...names: string[]) => join(dir, ...names);

function file(name: string, mode: number, acl?: string): void {
  writeFileSync(at(name), name);
  chmodSync(at(name), mode);
  if (acl !== undefined) setfacl('-m', acl, at(name));
}

/** Modes and ACLs of all that is in this directory, in the order of names. */
const rights = (name: string): string =>
  execFileSync(
    '/bin/sh',
    [
      '-c',
      'find . -mindepth 1 | LC_ALL=C sort | xargs getfacl -cpn; find . -mindepth 1 -printf "%P %m\\n" | LC_ALL=C sort',
    ],
    {
      cwd: at(name),
    },
  ).toString();

/** What `group` of an open mode may do beside the owner and the named user, by the file's ACL. */
const groupOf = (name: string): string =>
  /^group::(...)/m.exec(execFileSync('getfacl', ['-cpe', at(name)]).toString())![1]!;

const ways = [['0'], ...(native() ? [['1']] : [])] as [string][];

describe.skipIf(!hasAcls)('under a default ACL', () => {
  for (const acl of ['d:u:65534:rwx,d:g::---,d:o::---', 'd:g::r-x,d:o::---', 'd:u::r-x,d:g::rwx,d:o::rwx'])
    it.each(
      ways,
    )(`copy -r makes of each entry what cp -r makes of it (${acl}; SLUICE_NATIVE=%s)`, async (SLUICE_NATIVE) => {
      for (const each of ['by-cp', 'ours']) {
        mkdirSync(at(each));
        setfacl('-m', acl, at(each));
      }
      mkdirSync(at('src/sub/deep'), { recursive: true });
      mkdirSync(at('src/few'));
      mkdirSync(at('src/closed'));
      // More than are made one by one, and fewer.
      for (let i = 0; i < 8; i++) file(`src/sub/f${i}`, [0o644, 0o600, 0o755, 0o666][i % 4]!);
      for (const name of ['src/a', 'src/few/b']) file(name, 0o664);
      file('src/c', 0o600);
      execFileSync('mkfifo', ['-m', '666', at('src/fifo')]);
      chmodSync(at('src/closed'), 0o555);
      chmodSync(at('src/few'), 0o777);
      const umask = 'umask 027; exec "$@"';
      const run = (...args: string[]): void =>
        void execFileSync('/bin/sh', ['-c', umask, 'sh', ...args], { env: { ...process.env, SLUICE_NATIVE } });
      run('cp', '-rT', at('src'), at('by-cp'));
      run(process.execPath, join(import.meta.dirname, '../../bin/sluice.js'), 'copy', '-rT', at('src'), at('ours'));
      expect(rights('ours')).toBe(rights('by-cp'));
    });

  it.each(ways)('copy -a lets in nobody by it (SLUICE_NATIVE=%s)', async (SLUICE_NATIVE) => {
    mkdirSync(at('src'));
    file('src/a', 0o640);
    file('src/b', 0o660, 'u:1:rw,g::---');
    mkdirSync(at('dst'));
    setfacl('-m', 'd:u:65534:rwx', at('dst'));
    const { status } = await sluice(['copy', '-aT', at('src'), at('dst')], { env: { SLUICE_NATIVE } });
    expect(status).toBe(0);
    expect(rights('dst')).toBe(rights('src'));
  });
});

describe.skipIf(!hasAcls)("an ACL's mask is not the group's right", () => {
  /** Without cp(1) the ACL cannot come along where there are no native calls: then the group is kept out, and that is told. */
  const poor = async (args: string[]): Promise<Ended> => {
    mkdirSync(at('programs'), { recursive: true });
    return sluice(args, { env: { SLUICE_NATIVE: '0', PATH: at('programs') } });
  };
  const runs: [string, (args: string[]) => Promise<Ended>, boolean][] = [
    ['without native calls', (args) => sluice(args, { env: { SLUICE_NATIVE: '0' } }), true],
    ['without native calls, and no ls or cp', poor, false],
  ];
  if (native()) runs.push(['with native calls', (args) => sluice(args), true]);

  it.each(runs)('of a file that is replaced by copy -r (%s)', async (_, run, kept) => {
    mkdirSync(at('src'));
    mkdirSync(at('dst'));
    file('src/f', 0o644);
    file('dst/f', 0o660, 'u:1:rw,g::---');
    const before = rights('dst');
    const { status, stderr } = await run(['copy', '-rT', at('src'), at('dst')]);
    expect([status, groupOf('dst/f')]).toEqual([0, '---']);
    if (kept) expect(rights('dst')).toBe(before);
    else expect(stderr).toContain('1 xattr');
  });

  it.each(runs)('of a source, by copy -a and sync -X, and when only its mode changes (%s)', async (_, run, kept) => {
    mkdirSync(at('src/shared'), { recursive: true });
    file('src/f', 0o660, 'u:1:rw,g::---');
    chmodSync(at('src/shared'), 0o775);
    setfacl('-m', 'u:1:rwx,g::---', at('src/shared'));
    for (const args of [
      ['copy', '-aT'],
      ['sync', '-X'],
    ]) {
      const target = `by-${args[0]}`;
      const { status } = await run([...args, at('src'), at(target)]);
      expect([status, groupOf(`${target}/f`)]).toEqual([0, '---']);
      if (kept && native()) expect(rights(target)).toContain('user:1:rw-');
    }
    chmodSync(at('src/f'), 0o640);
    expect((await run(['sync', '-X', at('src'), at('by-sync')])).status).toBe(0);
    expect(groupOf('by-sync/f')).toBe('---');
  });
});

describe.skipIf(!hasStrace)('at no instant', () => {
  it.each([
    'copy -aT',
    'copy -rTp --durable',
    'sync',
    'sync --durable',
    'sync --jobs 1',
  ])('is what %s makes open to others before it has its attributes', (line) => {
    mkdirSync(at('src/many'), { recursive: true });
    mkdirSync(at('src/few'));
    for (let i = 0; i < 6; i++) file(`src/many/f${i}`, 0o600 | (i % 2 ? 0o044 : 0));
    file('src/few/one', 0o640);
    writeFileSync(at('src/large'), Buffer.alloc(5 << 20, 'large'), { mode: 0o644 });
    writeFileSync(at('src/middle'), Buffer.alloc(300 << 10, 'middle'), { mode: 0o644 });
    execFileSync('mkfifo', ['-m', '666', at('src/fifo')]);
    const trace = '?open,openat,?mkdir,mkdirat,?mknod,mknodat';
    const { status, calls } = strace(process.execPath, [bin, ...line.split(' '), at('src'), at('dst')], { trace });
    expect(status).toBe(0);
    const made = calls.filter((call) => /^mk|O_CREAT/.test(call) && call.endsWith('= 0') === /^mk/.test(call));
    const modes = made.map((call) => /(?:, |\|)(0\d*)(?:\)|, )/.exec(call)?.[1]);
    // Directories, files, temp names or not, and the FIFO.
    expect(made.length).toBeGreaterThanOrEqual(13);
    for (const [i, mode] of modes.entries())
      expect([made[i], Number.parseInt(mode ?? '777', 8) & 0o077]).toEqual([made[i], 0]);
    expect(treeLines(at('dst'), { xattrs: false, times: 'none' })).toEqual(
      treeLines(at('src'), { xattrs: false, times: 'none' }),
    );
  });
});

describe.skipIf(!isRoot)("set-id bits speak of the source's owner (needs root to become nobody)", () => {
  it.each(['copy -aT', 'sync'])('%s by somebody else leaves them out', async (line) => {
    mkdirSync(at('src'));
    for (const mode of [0o4755, 0o2755, 0o6711, 0o1755]) file(`src/${mode.toString(8)}`, mode);
    chmodSync(at('src/6711'), 0o6755);
    chmodSync(dir, 0o777);
    const run = (...more: string[]) => asNobody([...line.split(' '), ...more, at('src'), at('dst')]);
    expect((await run()).status).toBe(0);
    const modes = () => readdirSync(at('dst')).map((name) => [name, statSync(at('dst', name)).mode & 0o7777]);
    const expected = [
      ['1755', 0o1755],
      ['2755', 0o755],
      ['4755', 0o755],
      ['6711', 0o755],
    ];
    expect(modes()).toEqual(expected);
    // Again there is nothing to do, and over what is there they do not come back.
    expect((await run()).status).toBe(0);
    expect(modes()).toEqual(expected);
  });
});
