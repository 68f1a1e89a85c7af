// Trees against cp and rsync, paired: each round runs both, one after the other, in turns, into fresh directories. Everything is
// deleted at the end only: ext4 is slow at creating files right after many were deleted.
//
//   node bench/tree.mjs [--rounds N] [--only NAME,…] [DIRECTORY]
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, only: { type: 'string' } },
});
const rounds = Number(values.rounds);
const only = values.only?.split(',');
const home = mkdtempSync(join(positionals[0] ?? tmpdir(), 'sluice-bench-'));
const sluice = [process.execPath, fileURLToPath(new URL('../bin/sluice.js', import.meta.url))];
const env = { ...process.env };
delete env.NODE_EXTRA_CA_CERTS;

/** `files` files of up to 4 KiB, a hundred a directory (or all in one). */
function make(name, files, perDirectory = 100) {
  const root = join(home, name);
  const content = Buffer.alloc(4096, 'sluice ');
  for (let i = 0; i < files; i++) {
    const directory = join(root, `d${Math.floor(i / perDirectory)}`);
    if (i % perDirectory === 0) mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `file-${i}`), content.subarray(0, (i * 37) % 4096));
  }
  return root;
}

/** Wall-clock seconds. */
function time([command, ...args]) {
  const begin = process.hrtime.bigint();
  const { status, stderr, error } = spawnSync(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
  if (error || status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error ?? stderr}`);
  return seconds;
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

let fresh = 0;
const place = () => join(home, `out-${fresh++}`);

/** `ours` and `theirs` give a command for each round. */
function pair(name, goal, ours, theirs, before = () => {}) {
  if (only && !only.some((each) => name.includes(each))) return;
  const ratios = [];
  const times = [[], []];
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? [0, 1] : [1, 0];
    const pairTimes = [];
    for (const side of order) {
      before(side, round);
      pairTimes[side] = time((side === 0 ? ours : theirs)(round));
      times[side].push(pairTimes[side]);
    }
    ratios.push(pairTimes[0] / pairTimes[1]);
  }
  const [a, b] = times.map((each) => median(each).toFixed(2));
  const ratio = median(ratios);
  console.log(
    `${name.padEnd(46)} ${a} s : ${b} s  ratio ${ratio.toFixed(2)} (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}), goal ≤ ${goal}`,
  );
}

try {
  const wanted = (...names) => !only || names.some((name) => only.some((each) => name.includes(each)));
  if (wanted('copy -r', 'copy -a', 'sync into nothing')) {
    const small = make('small', 20_000);
    pair(
      'copy -r, 20,000 files : cp -r',
      0.67,
      () => [...sluice, 'copy', '-r', small, place()],
      () => ['cp', '-r', small, place()],
    );
    pair(
      'copy -a, 20,000 files : cp -a',
      0.75,
      () => [...sluice, 'copy', '-a', small, place()],
      () => ['cp', '-a', small, place()],
    );
    pair(
      'sync into nothing, 20,000 : rsync -a',
      0.5,
      () => [...sluice, 'sync', small, place()],
      () => ['rsync', '-a', `${small}/`, place()],
    );
  }
  if (wanted('copy -r flat')) {
    const flat = make('flat', 20_000, 20_000);
    pair(
      'copy -r flat, 20,000 in one directory : cp -r',
      0.67,
      () => [...sluice, 'copy', '-r', flat, place()],
      () => ['cp', '-r', flat, place()],
    );
  }
  if (wanted('sync durable')) {
    const some = make('some', 2_000);
    pair(
      'sync durable, 2,000 files : rsync -a --fsync',
      0.5,
      () => [...sluice, 'sync', '--durable', some, place()],
      () => ['rsync', '-a', '--fsync', `${some}/`, place()],
    );
  }
  if (wanted('sync nothing to do', 'sync 1 % changed')) {
    const large = make('large', 100_000);
    const [one, other] = [place(), place()];
    time(['rsync', '-a', `${large}/`, one]);
    time(['rsync', '-a', `${large}/`, other]);
    pair(
      'sync nothing to do, 100,000 : rsync -a',
      1,
      () => [...sluice, 'sync', large, one],
      () => ['rsync', '-a', `${large}/`, other],
    );
    const touch = (side, round) => {
      if (side !== (round % 2 === 0 ? 0 : 1)) return;
      for (let i = round; i < 100_000; i += 100)
        utimesSync(join(large, `d${Math.floor(i / 100)}`, `file-${i}`), 1e9 + round, 1e9 + round);
    };
    pair(
      'sync 1 % changed of 100,000 : rsync -a',
      1,
      () => [...sluice, 'sync', large, one],
      () => ['rsync', '-a', `${large}/`, other],
      touch,
    );
  }
  if (only?.includes('memory')) {
    const huge = make('huge', 1_000_000, 10_000);
    for (const command of [
      ['sync', huge, place()],
      ['copy', '-r', huge, place()],
    ]) {
      const { stderr } = spawnSync('/usr/bin/time', ['-f', '%M', ...sluice, ...command], { env, encoding: 'utf8' });
      console.log(
        `${command[0]}, 1,000,000 entries: ${Math.round(Number(stderr.trim().split('\n').at(-1)) / 1024)} MiB at most, goal ≤ 200`,
      );
    }
  }
} finally {
  rmSync(home, { recursive: true, force: true });
}
