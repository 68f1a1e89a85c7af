// sluice atomic-write against `dd conv=fsync` (1 GiB from a pipe, durable) and against Node's own start (a small file).
// Paired and interleaved; prints medians and the median of the pairs' ratios, and the peak memory.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../bin/sluice.js', import.meta.url));
const dir = mkdtempSync(join(process.env.BENCH_DIR ?? '/var/tmp', 'sluice-bench-'));
const env = { ...process.env };
delete env.NODE_EXTRA_CA_CERTS;
const node = process.execPath;
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

function time(line) {
  const started = performance.now();
  const { status, stderr } = spawnSync('/bin/sh', ['-c', line], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  if (status !== 0) throw new Error(`${line}: ${stderr}`);
  return performance.now() - started;
}

function pair(name, runs, ours, theirs) {
  const times = [[], []];
  for (let i = -1; i < runs; i++) {
    const order = i % 2 ? [0, 1] : [1, 0];
    const taken = [];
    for (const which of order) taken[which] = time(which === 0 ? ours : theirs);
    if (i >= 0) for (const which of order) times[which].push(taken[which]);
  }
  const ratio = median(times[0].map((value, i) => value / times[1][i]));
  console.log(
    `${name}: ${median(times[0]).toFixed(0)} ms against ${median(times[1]).toFixed(0)} ms, ratio ${ratio.toFixed(2)}`,
  );
}

try {
  const big = Number(process.env.BENCH_MIB ?? 1024);
  const source = `head -c ${big}M /dev/zero`;
  pair(
    `${big} MiB from a pipe, durable, against dd conv=fsync`,
    Number(process.env.BENCH_RUNS ?? 5),
    `${source} | "${node}" "${bin}" atomic-write ${dir}/ours`,
    `${source} | dd of=${dir}/theirs bs=256K iflag=fullblock conv=fsync status=none`,
  );
  rmSync(`${dir}/ours`);
  rmSync(`${dir}/theirs`);
  // The peak of the process as the kernel has it, asked by a child of it at the end.
  const peak = join(dir, 'peak');
  spawnSync(
    '/bin/sh',
    ['-c', `${source} | "${node}" "${bin}" atomic-write --check 'grep VmHWM /proc/$PPID/status > ${peak}' ${dir}/ours`],
    { env },
  );
  console.log(`peak memory: ${Math.round(Number(/\d+/.exec(readFileSync(peak, 'utf8'))[0]) / 1024)} MiB`);
  writeFileSync(`${dir}/empty.cjs`, '');
  const small = Number(process.env.BENCH_SMALL_RUNS ?? 21);
  pair(
    'a new small file, not durable, against node',
    small,
    `echo x | "${node}" "${bin}" atomic-write --no-durable ${dir}/new.$$`,
    `echo x | "${node}" ${dir}/empty.cjs`,
  );
  pair(
    'an existing small file, not durable, against node',
    small,
    `echo x | "${node}" "${bin}" atomic-write --no-durable ${dir}/one`,
    `echo x | "${node}" ${dir}/empty.cjs`,
  );
} finally {
  rmSync(dir, { recursive: true, force: true });
}
