// Passing a pipe on: `head -c 2G /dev/zero | X | cat > /dev/null` for cat, pv and sluice, in turns; medians of the paired ratios.
// node bench/pipe.mjs [rounds]

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const rounds = Number(process.argv[2] ?? 7);
const sluice = `"${process.execPath}" "${fileURLToPath(new URL('../bin/sluice.js', import.meta.url))}"`;
const env = { ...process.env };
delete env.NODE_EXTRA_CA_CERTS; // Reading certificates doubles Node's own start.

const hasPv = spawnSync('pv', ['--version']).status === 0;
if (!hasPv) console.log('(pv is not installed)');
const jobs = {
  cat: 'cat',
  ...(hasPv && { 'pv -q': 'pv -q' }),
  'sluice copy - -': `${sluice} copy - -`,
  'sluice copy - -, without native calls': `SLUICE_NATIVE=0 ${sluice} copy - -`,
};

function time(stage) {
  const started = process.hrtime.bigint();
  const line = `set -o pipefail; head -c 2G /dev/zero | ${stage} | cat > /dev/null`;
  const { status, stderr } = spawnSync('/bin/bash', ['-c', line], { env });
  if (status !== 0) throw new Error(`${stage} ended with ${status}: ${stderr}`);
  return Number(process.hrtime.bigint() - started) / 1e6;
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const all = Object.fromEntries(Object.keys(jobs).map((name) => [name, []]));
for (let round = -1; round < rounds; round++) {
  const order = Object.entries(jobs);
  for (const [name, stage] of round % 2 ? order : order.reverse()) {
    const ms = time(stage);
    if (round >= 0) all[name].push(ms);
  }
}
const against = (name, peer) => median(all[name].map((ms, i) => ms / all[peer][i])).toFixed(2);
for (const [name, times] of Object.entries(all))
  console.log(
    `${name.padEnd(40)} ${median(times).toFixed(0).padStart(6)} ms   ${against(name, 'cat')}x cat${hasPv ? `   ${against(name, 'pv -q')}x pv` : ''}`,
  );
