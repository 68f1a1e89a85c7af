// Copying one file: 1 GiB of data, and 1 TiB that is 1 MiB of data and holes, against cp, in turns; medians of the paired ratios.
// node bench/copy.mjs [rounds]

import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const rounds = Number(process.argv[2] ?? 7);
const sluice = fileURLToPath(new URL('../bin/sluice.js', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const env = { ...process.env };
delete env.NODE_EXTRA_CA_CERTS; // Reading certificates doubles Node's own start.

const MiB = 2 ** 20;
const random = Buffer.alloc(MiB);
crypto.getRandomValues(random.subarray(0, 65536));

function file(name, size, data) {
  const fd = openSync(join(dir, name), 'w');
  ftruncateSync(fd, size);
  for (const at of data) writeSync(fd, random, 0, MiB, at);
  closeSync(fd);
}
file(
  'dense',
  1024 * MiB,
  Array.from({ length: 1024 }, (_, i) => i * MiB),
);
file('sparse', 2 ** 40, [2 ** 39]);
execFileSync('sync'); // Nobody is to pay for writing the sources out.

const jobs = (source) => ({
  cp: ['cp', [source, 'target']],
  'sluice copy': [process.execPath, [sluice, 'copy', source, 'target']],
  'sluice copy, without native calls': [process.execPath, [sluice, 'copy', source, 'target'], { SLUICE_NATIVE: '0' }],
});

function time([command, args, more]) {
  const started = process.hrtime.bigint();
  const { status, stderr } = spawnSync(command, args, { cwd: dir, env: { ...env, ...more } });
  const ms = Number(process.hrtime.bigint() - started) / 1e6;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stderr}`);
  const { size, blocks } = statSync(join(dir, 'target'));
  rmSync(join(dir, 'target'));
  return { ms, size, blocks };
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
try {
  for (const source of ['dense', 'sparse']) {
    const commands = Object.entries(jobs(source)).filter(([name]) => source === 'dense' || !name.includes('without'));
    const all = Object.fromEntries(commands.map(([name]) => [name, []]));
    const from = statSync(join(dir, source));
    console.log(`${source === 'dense' ? '1 GiB of data' : '1 TiB, 1 MiB of it data'}`);
    for (let round = -1; round < rounds; round++)
      // Who goes first gains or loses by it: each in turn.
      for (const [name, job] of round % 2 ? commands : [...commands].reverse()) {
        const { ms, size, blocks } = time(job);
        if (size !== from.size || (source === 'sparse' && blocks > from.blocks + 16))
          throw new Error(`${name}: not the same`);
        if (round >= 0) all[name].push(ms);
      }
    for (const [name, times] of Object.entries(all)) {
      const ratio = median(times.map((ms, i) => ms / all.cp[i]));
      console.log(`  ${name.padEnd(36)} ${median(times).toFixed(1).padStart(8)} ms   ${ratio.toFixed(2)}x`);
    }
  }
} finally {
  rmSync(dir, { recursive: true });
}
