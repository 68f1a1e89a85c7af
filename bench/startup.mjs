// Start-up: `sluice --version` and a small copy against a bare `node empty.mjs`, in turns, medians of the paired ratios.
// node bench/startup.mjs [rounds]

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const rounds = Number(process.argv[2] ?? 41);
const sluice = fileURLToPath(new URL('../bin/sluice.js', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const env = { ...process.env };
delete env.NODE_EXTRA_CA_CERTS; // Reading certificates doubles Node's own start.

writeFileSync(join(dir, 'empty.mjs'), '');
writeFileSync(join(dir, 'small'), 'small\n');
let fresh = 0;
const jobs = {
  'node empty.mjs': () => ['empty.mjs'],
  'sluice --version': () => [sluice, '--version'],
  'sluice copy small new': () => [sluice, 'copy', 'small', `new${fresh++}`],
  'sluice copy small existing': () => [sluice, 'copy', 'small', 'existing'],
  'sluice copy --help': () => [sluice, 'copy', '--help'],
};

function time(args) {
  const started = process.hrtime.bigint();
  const { status } = spawnSync(process.execPath, args, { cwd: dir, env, stdio: 'ignore' });
  if (status !== 0) throw new Error(`${args.join(' ')} ended with ${status}`);
  return Number(process.hrtime.bigint() - started) / 1e6;
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const times = Object.fromEntries(Object.keys(jobs).map((name) => [name, []]));
try {
  for (let round = -2; round < rounds; round++)
    for (const [name, args] of Object.entries(jobs)) {
      const ms = time(args());
      if (round >= 0) times[name].push(ms);
    }
} finally {
  rmSync(dir, { recursive: true });
}
const bare = times['node empty.mjs'];
for (const [name, all] of Object.entries(times)) {
  const ratio = median(all.map((ms, i) => ms / bare[i]));
  console.log(
    `${name.padEnd(28)} ${median(all).toFixed(1).padStart(7)} ms   min ${Math.min(...all).toFixed(1)} ms   ${ratio.toFixed(2)}x`,
  );
}
