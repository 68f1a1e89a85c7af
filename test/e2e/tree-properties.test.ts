// What holds of every tree, whatever is in it: random trees, random edits of either side, and kills at random calls, each decided
// by a seed, so that what was found once can be had again.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { native } from '../../src/io/native.js';
import { treeLines } from '../helpers/nasty-tree.js';
import { Dice, randomEdits, randomTree } from '../helpers/random-tree.js';
import { bin, type Ended, isRoot, sluice, temporary } from '../helpers/sluice.js';
import { hasStrace, strace } from '../helpers/strace.js';
import { asNobody, nobody } from '../helpers/unprivileged.js';

/** What can be compared without native calls, too. */
const comparable = native() ? {} : { xattrs: false, times: 'none' as const };
const asSource = { ...comparable, sockets: false };

let dir: string;
beforeEach(() => {
  dir = temporary();
});
// Deeper than Node's own rm can go.
afterEach(() => void execFileSync('rm', ['-rf', dir]));
const at = (...names: string[]) => join(dir, ...names);

const actions = (ended: Ended) => ended.records().filter(({ type }) => type === 'action');

/** Names, inodes, times of change; and when files were read, where nobody is to read them. */
const state = (path: string, unread: boolean): string =>
  execFileSync('find', [
    path,
    '-printf',
    '%p %i %C@ %T@ %m %n %s\\n',
    ...(unread ? ['-type', 'f', '-printf', '%A@\\n'] : []),
  ]).toString('latin1');

/** The same again has nothing to do, and leaves everything alone. */
async function expectNothing(run: (...args: string[]) => Promise<Ended>, unread = true): Promise<void> {
  const states = () => ['src', 'dst'].map((side) => state(at(side), unread));
  const before = states();
  const again = await run();
  expect(again.status).toBe(0);
  expect(actions(again)).toEqual([]);
  expect(again.records().at(-1)).toMatchObject({
    created: 0,
    updated: 0,
    metadata: 0,
    linked: 0,
    deleted: 0,
    bytes: 0,
  });
  expect(states()).toEqual(before);
}

const seeds = (count: number, from = 1) => Array.from({ length: count }, (_, i) => from + i);
const own = () => execFileSync('chown', ['-hR', `${nobody.uid}:${nobody.gid}`, dir]);

describe('copy -a', () => {
  for (const seed of seeds(3))
    it(`makes an equal tree, into a new place and over another tree (seed ${seed})`, async () => {
      const dice = new Dice(seed);
      randomTree(at('src'), dice, { sockets: true });
      const first = await sluice(['copy', '-a', '--json', at('src'), at('dst')]);
      expect(first.status).toBe(0);
      expect(treeLines(at('dst'), comparable)).toEqual(treeLines(at('src'), asSource));
      const again = await sluice(['copy', '-aT', '--jobs', '1', at('src'), at('dst')]);
      expect(again.status).toBe(0);
      expect(treeLines(at('dst'), comparable)).toEqual(treeLines(at('src'), asSource));
    });

  it.skipIf(!isRoot)('makes an equal tree for somebody who may do little (needs root to become nobody)', async () => {
    randomTree(at('src'), new Dice(77), { unprivileged: true, sockets: true });
    own();
    const ended = await asNobody(['copy', '-a', at('src'), at('dst')]);
    expect(ended.status).toBe(0);
    expect(treeLines(at('dst'), comparable)).toEqual(treeLines(at('src'), asSource));
  });
});

describe('sync', () => {
  for (const seed of seeds(2, 100))
    it(`makes an equal tree in a new place; told before is done; again does nothing (seed ${seed})`, async () => {
      randomTree(at('src'), new Dice(seed), { sockets: true });
      const run = (...args: string[]) => sluice(['sync', '-HX', '--json', ...args, at('src'), at('dst')]);
      const dry = await run('-n');
      expect(existsSync(at('dst'))).toBe(false);
      const real = await run();
      expect([dry.status, real.status]).toEqual([0, 0]);
      expect(actions(dry)).toEqual(actions(real));
      expect(treeLines(at('dst'), comparable)).toEqual(treeLines(at('src'), asSource));
      await expectNothing(run);
    });

  for (const seed of seeds(8, 200))
    it(`after edits of both sides --delete makes them equal again, directly and by a plan (seed ${seed})`, async () => {
      const dice = new Dice(seed);
      randomTree(at('src'), dice);
      execFileSync('cp', ['-a', at('src'), at('dst')]);
      randomEdits(at('src'), dice, 5 + dice.roll(30));
      randomEdits(at('dst'), dice, dice.roll(30));
      execFileSync('cp', ['-a', at('dst'), at('twin')]);
      const options = [
        '-HX',
        '--delete',
        '--allow-empty',
        ...(dice.once(2) ? ['--checksum'] : []),
        ...(dice.once(3) ? ['--durable'] : []),
        ...dice.pick([[], ['--jobs', '1'], ['--jobs', '4']]),
      ];
      const run = (...args: string[]) => sluice(['sync', '--json', ...options, ...args, at('src'), at('dst')]);
      const dry = await run('-n');
      const real = await run();
      expect([dry.status, dry.stderr, real.status, real.stderr]).toEqual([0, '', 0, '']);
      expect(actions(real)).toEqual(actions(dry));
      const wanted = treeLines(at('src'), asSource);
      expect(treeLines(at('dst'), comparable)).toEqual(wanted);
      await expectNothing(run, !options.includes('--checksum'));
      // The twin of what DEST was, by way of a plan.
      renameSync(at('dst'), at('direct'));
      renameSync(at('twin'), at('dst'));
      expect((await run('--plan', at('plan'))).status).toBe(0);
      const applied = await sluice(['sync', '--json', '--apply', at('plan')]);
      expect(applied.status).toBe(0);
      expect(actions(applied)).toEqual(actions(dry));
      expect(treeLines(at('dst'), comparable)).toEqual(wanted);
    });

  for (const seed of seeds(3, 300))
    it.skipIf(!native())(`--swap comes to the same (seed ${seed})`, async () => {
      const dice = new Dice(seed);
      randomTree(at('src'), dice);
      execFileSync('cp', ['-a', at('src'), at('dst')]);
      randomEdits(at('src'), dice, 20);
      randomEdits(at('dst'), dice, 20);
      const run = (...args: string[]) =>
        sluice(['sync', '--json', '-HX', '--delete', '--allow-empty', '--swap', ...args, at('src'), at('dst')]);
      const dry = await run('-n');
      const real = await run();
      expect([real.status, real.stderr]).toEqual([0, '']);
      expect(actions(real)).toEqual(actions(dry));
      expect(treeLines(at('dst'), comparable)).toEqual(treeLines(at('src'), asSource));
      expect(readdirSync(dir).sort()).toEqual(['dst', 'src']);
    });

  for (const seed of seeds(2, 400))
    it.skipIf(!isRoot)(`the same for somebody who may do little (seed ${seed}; needs root to become him)`, async () => {
      const dice = new Dice(seed);
      randomTree(at('src'), dice, { unprivileged: true });
      execFileSync('cp', ['-a', at('src'), at('dst')]);
      randomEdits(at('src'), dice, 20, { unprivileged: true });
      randomEdits(at('dst'), dice, 20, { unprivileged: true });
      own();
      const run = (...args: string[]) => asNobody(['sync', '--json', '-HX', '--delete', ...args, at('src'), at('dst')]);
      const dry = await run('-n');
      const real = await run();
      expect([real.status, real.stderr]).toEqual([0, '']);
      expect(actions(real)).toEqual(actions(dry));
      expect(treeLines(at('dst'), comparable)).toEqual(treeLines(at('src'), asSource));
      await expectNothing(run);
    });

  it('without --delete what only DEST has stays, and all else is equal', async () => {
    const dice = new Dice(500);
    randomTree(at('src'), dice);
    mkdirSync(at('dst'));
    writeFileSync(at('dst/only here'), 'kept');
    mkdirSync(at('dst/only'));
    writeFileSync(at('dst/only/here'), 'kept');
    expect((await sluice(['sync', '-HX', at('src'), at('dst')])).status).toBe(0);
    expect(readFileSync(at('dst/only here'), 'utf8') + readFileSync(at('dst/only/here'), 'utf8')).toBe('keptkept');
    const there = treeLines(at('dst'), { ...comparable, times: 'none' }).filter((line) => !line.includes('/only'));
    expect(there).toEqual(treeLines(at('src'), { ...asSource, times: 'none' }));
  });
});

describe('killed at any call', () => {
  const calls = [
    '?mkdir,?mkdirat',
    '?rename,?renameat2',
    'fchmod',
    '?unlink,?unlinkat',
    'write',
    'utimensat',
    '?fsync',
  ];

  for (const seed of seeds(4, 600))
    it.skipIf(!hasStrace)(
      `files are old or new, and the next run finishes and tidies up (seed ${seed})`,
      { timeout: 60_000 },
      async () => {
        const dice = new Dice(seed);
        randomTree(at('src'), dice);
        for (let i = 0; i < 8; i++) {
          mkdirSync(at('src', `many-${i}`));
          for (let k = 0; k < 30; k++) writeFileSync(at('src', `many-${i}`, `${k}`), `new ${i} ${k} `.repeat(k));
        }
        execFileSync('cp', ['-a', at('src'), at('dst')]);
        for (let i = 0; i < 8; i++)
          for (let k = 0; k < 30; k += 2) writeFileSync(at('dst', `many-${i}`, `${k}`), `old ${i} ${k}`);
        randomEdits(at('dst'), dice, 20);
        const old = contents(at('dst'));
        execFileSync('cp', ['-a', at('dst'), at('before')]);
        const args = ['sync', '-HX', '--delete', ...dice.pick([[], ['--durable'], ['--jobs', '3'], ['--jobs', '1']])];
        let kills = 0;
        for (let tries = 0; kills < 2 && tries < 6; tries++) {
          const trace = dice.pick(args.includes('--durable') ? calls : calls.slice(0, -1));
          const inject = [`${trace}:signal=KILL:when=${1 + dice.roll(16)}`];
          const { signal } = strace(process.execPath, [bin, ...args, at('src'), at('dst')], { inject, trace });
          if (signal === 'SIGKILL') kills++;
          else {
            // It had ended before so many calls: again from the start.
            execFileSync('rm', ['-rf', at('dst')]);
            execFileSync('cp', ['-a', at('before'), at('dst')]);
          }
          const whole = contents(at('src'));
          for (const [path, content] of contents(at('dst')))
            expect([path, content]).toEqual([path, expect.toBeOneOf([old.get(path), whole.get(path)])]);
        }
        expect(kills).toBeGreaterThan(0);
        expect((await sluice([...args, '--allow-empty', at('src'), at('dst')])).status).toBe(0);
        expect(treeLines(at('dst'), comparable)).toEqual(treeLines(at('src'), asSource));
      },
    );
});

/** Of all files but those under temp names: a digest of what is in them. */
function contents(root: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of treeLines(root, { links: false, owners: false, xattrs: false, times: 'none', modes: false })) {
    const [, path, content] = /^("(?:[^"\\]|\\.)*") 100000 \d+ (\w+)/.exec(line) ?? [];
    if (path !== undefined && !path.includes('.sluice-')) found.set(path, content!);
  }
  return found;
}
