// `sluice tail` beside GNU's tail: the last lines of a large log and of a pipe, taking turns, and the time from an append to its
// output while both follow the same file.
//
//   node bench/tail.mjs [MEGABYTES=900] [ROUNDS=5] [APPENDS=400]
import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const [megabytes = 900, rounds = 5, appends = 400] = process.argv.slice(2).map(Number);
const bin = fileURLToPath(new URL('../bin/sluice.js', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-tail-'));
const env = { ...process.env, NODE_EXTRA_CA_CERTS: undefined };
const contestants = { sluice: `"${process.execPath}" "${bin}" tail`, gnu: 'tail' };
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

/** Both in turn, `rounds` times after one to warm up; the median of the paired ratios. */
function race(title, line) {
  const ratios = [];
  const times = { sluice: [], gnu: [] };
  for (let round = 0; round <= rounds; round++) {
    const took = {};
    for (const [name, tail] of Object.entries(contestants)) {
      const start = performance.now();
      const { status } = spawnSync('bash', ['-c', line.replaceAll('TAIL', tail)], {
        env,
        cwd: dir,
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      took[name] = performance.now() - start;
      if (status !== 0) throw new Error(`${name}: ${line} exited ${status}`);
    }
    if (round === 0) continue;
    ratios.push(took.sluice / took.gnu);
    for (const name of Object.keys(times)) times[name].push(took[name]);
  }
  const [ours, theirs] = [median(times.sluice), median(times.gnu)];
  console.log(`${title}: ${median(ratios).toFixed(2)} of GNU's time (${ours.toFixed(0)} and ${theirs.toFixed(0)} ms)`);
}

/** Milliseconds from each append to its arrival in our pipe, for both followers of one file. */
async function latency() {
  const log = join(dir, 'followed');
  writeFileSync(log, '');
  const waits = { sluice: [], gnu: [] };
  const arrived = {};
  const children = Object.entries(contestants).map(([name, tail]) => {
    const child = spawn('bash', ['-c', `exec ${tail} -f "${log}"`], { env });
    child.stdout.on('data', () => arrived[name]?.(performance.now()));
    return child;
  });
  await sleep(1000);
  const fd = openSync(log, 'a');
  for (let i = 0; i < appends; i++) {
    const all = Promise.all(
      Object.keys(contestants).map(
        (name) =>
          new Promise((resolve) => {
            arrived[name] = (at) => resolve([name, at]);
          }),
      ),
    );
    const start = performance.now();
    writeSync(fd, `line ${i}\n`);
    for (const [name, at] of await all) waits[name].push(at - start);
    await sleep(2 + (i % 7));
  }
  closeSync(fd);
  const cpu = () => {
    const fields = readFileSync(`/proc/${children[0].pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  };
  const before = cpu();
  await sleep(5000);
  const idle = (cpu() - before) / 50;
  for (const child of children) child.kill();
  const [ours, theirs] = [median(waits.sluice), median(waits.gnu)];
  console.log(
    `append to output, median: ${ours.toFixed(3)} ms and GNU's ${theirs.toFixed(3)} ms; idle: ${idle.toFixed(1)} % of a CPU`,
  );
}

/** Most memory in use, in MB. */
function memory(title, line) {
  const { stderr } = spawnSync(
    'bash',
    ['-c', `${line.replaceAll('TAIL', `/usr/bin/env time -f %M ${contestants.sluice}`)} > /dev/null`],
    { env, cwd: dir, encoding: 'utf8' },
  );
  console.log(`${title}: ${(Number(stderr.trim().split('\n').at(-1)) / 1024).toFixed(0)} MB at most`);
}

try {
  const log = join(dir, 'log');
  let number = 0;
  for (let i = 0; i < megabytes; i++) {
    let text = '';
    while (text.length < 1e6)
      text += `2026-01-01T00:00:00.000Z info request ${number++} ${'x'.repeat(90 + (number % 90))}\n`;
    appendFileSync(log, text);
  }
  const most = Math.floor(number * 0.9);
  race(`-n ${most} of ${megabytes} MB to a file`, `TAIL -n ${most} log > out`);
  race(`-n ${most} of ${megabytes} MB to a pipe`, `TAIL -n ${most} log | cat > /dev/null`);
  race('-n 10 of the same', 'TAIL -n 10 log');
  race('-n 1000 of a pipe', 'cat log | TAIL -n 1000');
  race('-n +2 of the same to a pipe', 'TAIL -n +2 log | cat > /dev/null');
  await latency();
  if (spawnSync('/usr/bin/env', ['time', '-f', '%M', 'true']).status === 0) {
    memory('the last 1000 lines of a pipe of twice that', 'cat log log | TAIL -n 1000');
    spawnSync('bash', ['-c', '{ echo; head -c 1G /dev/zero | tr "\\0" x; } > long'], { cwd: dir });
    memory('a line of 1 GiB', 'TAIL -n 1 long');
  }
} finally {
  rmSync(dir, { recursive: true, force: true });
}
