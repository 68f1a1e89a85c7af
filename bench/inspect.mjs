// `sluice inspect` beside its peers, in turn in one run: the pipe meter and `pv -q` on 2 GiB, the text facts of a 900 MB log and
// `wc -lL` with `file`, `--pid` and the bare start of Node on a machine with 200 processes. Prints medians of the pairwise ratios.
// A peer that is not installed is left out (PV=/path/to/pv names one elsewhere).
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../bin/sluice.js', import.meta.url));
const node = process.execPath;
const env = { ...process.env, NODE_EXTRA_CA_CERTS: undefined };
const rounds = Number(process.argv[2] ?? 5);
const scratch = mkdtempSync(join(tmpdir(), 'sluice-bench-'));

function time(command) {
  const started = performance.now();
  const { status, stderr } = spawnSync('/bin/sh', ['-c', command], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  if (status !== 0) throw new Error(`${command}: ${status} ${stderr}`);
  return performance.now() - started;
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

function pair(label, ours, peer) {
  const pairs = [];
  time(ours);
  time(peer);
  for (let i = 0; i < rounds; i++) pairs.push([time(ours), time(peer)]);
  const ratio = median(pairs.map(([a, b]) => a / b));
  const [a, b] = [0, 1].map((side) => Math.round(median(pairs.map((each) => each[side]))));
  console.log(`${label}: ${ratio.toFixed(2)}× (${a} ms, peer ${b} ms, ${rounds} pairs)`);
}

const has = (program) => spawnSync('/bin/sh', ['-c', `command -v ${program}`]).status === 0;

try {
  const pv = process.env.PV ?? 'pv';
  if (has(pv)) {
    const producer = 'head -c 2G /dev/zero';
    pair(
      'pipe meter, 2 GiB to cat, against pv -q',
      `${producer} | '${node}' '${bin}' inspect - 2>/dev/null | cat >/dev/null`,
      `${producer} | ${pv} -q | cat >/dev/null`,
    );
    pair(
      'pipe meter, 2 GiB to /dev/null, against pv -q',
      `${producer} | '${node}' '${bin}' inspect - 2>/dev/null >/dev/null`,
      `${producer} | ${pv} -q >/dev/null`,
    );
  } else console.log('pv is not installed: the pipe meter is not compared');

  const log = join(scratch, 'log');
  const lines = [];
  for (let i = 0; i < 20_000; i++)
    lines.push(
      `2026-01-02T03:04:05Z INFO request id=${i} status=200 ms=${i % 97} path=/index/${'x'.repeat(i % 120)}.html`,
    );
  const block = Buffer.from(`${lines.join('\n')}\n`);
  const fd = openSync(log, 'w');
  for (let written = 0; written < 900e6; written += block.length) writeSync(fd, block);
  closeSync(fd);
  pair(
    'text facts of a 900 MB log, against wc -lL and file',
    `'${node}' '${bin}' inspect '${log}'`,
    `wc -lL '${log}'; file '${log}'`,
  );

  const crowd = Array.from({ length: 200 }, () => spawn('sleep', ['600'], { stdio: 'ignore' }));
  try {
    const pairs = Array.from({ length: rounds * 2 }, () => [
      time(`'${node}' '${bin}' inspect --pid ${process.pid}`),
      time(`'${node}' -e 0`),
    ]);
    console.log(
      `--pid with 200 more processes: ${Math.round(median(pairs.map(([a, b]) => a - b)))} ms over bare start`,
    );
  } finally {
    for (const child of crowd) child.kill();
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
