// Copying a file through BufferedReader and BufferedWriter with reads of 64 KiB: sluice's against CPython's, with the
// default buffers of each. Every contestant is a fresh process that times its own loop; they take turns.
//
//   node bench/buffered-copy.mjs [MEGABYTES=512] [ROUNDS=7]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [megabytes = 512, rounds = 7] = process.argv.slice(2).map(Number);
const library = new URL('../dist/index.js', import.meta.url).href;
const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-copy-'));
const [from, to] = [join(dir, 'from'), join(dir, 'to')];

const sluice = `
  import { open } from ${JSON.stringify(library)};
  const start = performance.now();
  const source = open(${JSON.stringify(from)}, 'rb'), sink = open(${JSON.stringify(to)}, 'wb');
  let total = 0;
  for (;;) {
    const chunk = source.read(65536);
    if (chunk.length === 0) break;
    total += sink.write(chunk);
  }
  source.close();
  sink.close();
  console.log(JSON.stringify({ ms: performance.now() - start, total }));`;

const python = `
import json, time
def copy():
    start = time.perf_counter()
    total = 0
    with open(${JSON.stringify(from)}, 'rb') as source, open(${JSON.stringify(to)}, 'wb') as sink:
        while True:
            chunk = source.read(65536)
            if not chunk:
                break
            total += sink.write(chunk)
    print(json.dumps(dict(ms=(time.perf_counter() - start) * 1000, total=total)))
copy()`;

const contestants = {
  sluice: [process.execPath, ['--input-type=module', '-e', sluice]],
  python: ['python3', ['-c', python]],
};
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

try {
  const block = Buffer.alloc(1 << 20, 'sluice moves bytes. ');
  writeFileSync(from, '');
  for (let i = 0; i < megabytes; i++) writeFileSync(from, block, { flag: 'a' });
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: undefined };
  const runs = { sluice: [], python: [] };
  for (let round = 0; round <= rounds; round++)
    for (const [name, [command, args]] of Object.entries(contestants)) {
      rmSync(to, { force: true });
      const { stdout, stderr, error } = spawnSync(command, args, { env, encoding: 'utf8' });
      if (error || stdout === '') throw new Error(`${name}: ${error?.message ?? stderr}`);
      const run = JSON.parse(stdout);
      if (run.total !== megabytes * 2 ** 20) throw new Error(`${name} copied ${run.total} bytes`);
      if (round > 0) runs[name].push(run.ms);
    }
  for (const [name, all] of Object.entries(runs)) console.log(`${name} ${median(all).toFixed(0).padStart(6)} ms`);
  const ratio = median(runs.sluice.map((ms, i) => ms / runs.python[i]));
  console.log(`sluice / python: ${ratio.toFixed(2)} (goal: at most 1)`);
} finally {
  rmSync(dir, { recursive: true, force: true });
}
