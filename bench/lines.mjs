// Iterating the lines of a text file: sluice's open() against node:readline and CPython's `for line in f`, as text and as
// bytes. Every contestant is a fresh process that times its own loop; they take turns, and ratios are medians of turns.
//
//   node bench/lines.mjs [MEGABYTES=200] [ROUNDS=5]
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [megabytes = 200, rounds = 5] = process.argv.slice(2).map(Number);
const library = new URL('../dist/index.js', import.meta.url).href;
const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-lines-'));
const file = join(dir, 'lines.txt');

/** Lines of 0 to 160 characters, the same every time. */
function makeFile() {
  let seed = 1;
  const lines = [];
  for (let size = 0; size < 1e6; ) {
    seed = (seed * 48271) % 2147483647;
    const line = 'the quick brown fox jumps over the lazy dog, '.repeat(4).slice(0, seed % 160);
    lines.push(line);
    size += line.length + 1;
  }
  const block = `${lines.join('\n')}\n`;
  writeFileSync(file, '');
  for (let i = 0; i < megabytes; i++) writeFileSync(file, block, { flag: 'a' });
}

const sluice = (mode) => `
  import { open } from ${JSON.stringify(library)};
  const start = performance.now();
  let lines = 0, length = 0;
  for (const line of open(${JSON.stringify(file)}, '${mode}')) { lines += 1; length += line.length; }
  console.log(JSON.stringify({ ms: performance.now() - start, lines, length, rss: process.memoryUsage.rss() }));`;

const readline = `
  import { createReadStream } from 'node:fs';
  import { createInterface } from 'node:readline';
  const start = performance.now();
  let lines = 0, length = 0;
  for await (const line of createInterface({ input: createReadStream(${JSON.stringify(file)}), crlfDelay: Infinity })) {
    lines += 1; length += line.length + 1;
  }
  console.log(JSON.stringify({ ms: performance.now() - start, lines, length, rss: process.memoryUsage.rss() }));`;

const python = (mode) => `
import json, time, resource
def main():
    start = time.perf_counter()
    lines = length = 0
    for line in open(${JSON.stringify(file)}, '${mode}'):
        lines += 1; length += len(line)
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(dict(ms=(time.perf_counter() - start) * 1000, lines=lines, length=length, rss=rss)))
main()`;

const node = (script) => [process.execPath, ['--input-type=module', '-e', script]];
const contestants = {
  'sluice text': node(sluice('r')),
  'node:readline': node(readline),
  'python text': ['python3', ['-c', python('r')]],
  'sluice bytes': node(sluice('rb')),
  'python bytes': ['python3', ['-c', python('rb')]],
};

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

try {
  makeFile();
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: undefined, PYTHONUTF8: '1' };
  const runs = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
  for (let round = 0; round <= rounds; round++)
    for (const [name, [command, args]] of Object.entries(contestants)) {
      const { stdout, stderr, error } = spawnSync(command, args, { env, encoding: 'utf8' });
      if (error || stdout === '') {
        if (round === 0) console.log(`${name}: not run: ${error?.message ?? stderr}`);
        continue;
      }
      if (round > 0) runs[name].push(JSON.parse(stdout)); // the first fills the page cache
    }
  for (const [name, all] of Object.entries(runs))
    if (all.length > 0)
      console.log(
        `${name.padEnd(14)} ${median(all.map((run) => run.ms))
          .toFixed(0)
          .padStart(
            6,
          )} ms  ${(median(all.map((run) => run.rss)) / 2 ** 20).toFixed(0)} MiB  ${all[0].lines} lines, ${all[0].length}`,
      );
  for (const [name, peer, goal] of [
    ['sluice text', 'node:readline', 0.5],
    ['sluice text', 'python text', 1],
    ['sluice bytes', 'python bytes', 1],
  ]) {
    if (runs[peer].length === 0) continue;
    const ratio = median(runs[name].map((run, i) => run.ms / runs[peer][i].ms));
    console.log(`${name} / ${peer}: ${ratio.toFixed(2)} (goal: at most ${goal})`);
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
