// What a command costs before it does anything: each beside bare Node, interleaved, as ratios of CPU time (user and system, which a busy
// machine disturbs less) and of wall time. `node bench/startup.mjs [ROUNDS]`; the standalone executable is measured where it is built.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'bin/sluice.js');
const rounds = Number(process.argv[2] ?? 15);
const cwd = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const env = { ...process.env };
delete env.NODE_EXTRA_CA_CERTS; // read at each start: it would drown the rest
writeFileSync(join(cwd, 'empty.mjs'), '');
writeFileSync(join(cwd, 'f'), 'a small file\n'.repeat(300));
mkdirSync(join(cwd, 'a'));

const jobs = {
  '--version': ['--version'],
  '--help': ['--help'],
  'copy f new': ['copy', 'f', 'new'],
  'copy f existing': ['copy', 'f', 'existing'],
  'copy --newline lf f g': ['copy', '--newline', 'lf', 'f', 'g'],
  'copy --compress gzip f g': ['copy', '--compress', 'gzip', 'f', 'g'],
  'copy -r a b': ['copy', '-r', 'a', 'b'],
  'atomic-write new': ['atomic-write', '--no-durable', 'new'],
  'atomic-write existing': ['atomic-write', '--no-durable', 'existing'],
  'tail -n 1 f': ['tail', '-n', '1', 'f'],
  'inspect --quick f': ['inspect', '--quick', 'f'],
  'sync a c': ['sync', 'a', 'c'],
  'flush f': ['flush', 'f'],
  'complete -- copy --n': ['complete', '--', 'copy', '--n'],
};
const standalone = join(root, 'standalone/sluice');
const commands = [['bare node', [process.execPath, 'empty.mjs']]];
for (const [name, args] of Object.entries(jobs)) commands.push([name, [process.execPath, bin, ...args]]);
if (existsSync(standalone))
  for (const name of ['--version', 'copy f new', 'tail -n 1 f'])
    commands.push([`standalone ${name}`, [standalone, ...jobs[name]]]);

/** CPU milliseconds of children so far: the kernel counts in ticks of 10 ms, but adds up exactly over many runs. */
const ticks = () => {
  const fields = readFileSync('/proc/self/stat', 'latin1').split(') ')[1].split(' ');
  return (Number(fields[13]) + Number(fields[14])) * 10;
};

let fresh = 0;
function once([file, ...given]) {
  const args = given.map((argument) => (argument === 'new' ? `new${fresh++}` : argument));
  const before = ticks();
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd, env, stdio: [openSync(join(cwd, 'f'), 'r'), 'ignore', 'ignore'] });
    child.on('exit', () => resolve({ wall: performance.now() - started, cpu: ticks() - before }));
  });
}

const sums = new Map(commands.map(([name]) => [name, { wall: [], cpu: 0 }]));
try {
  for (let round = 0; round < rounds; round++)
    for (const [name, command] of commands) {
      const { wall, cpu } = await once(command);
      sums.get(name).wall.push(wall);
      sums.get(name).cpu += cpu;
    }
} finally {
  rmSync(cwd, { recursive: true, force: true });
}
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const base = sums.get('bare node');
console.log(`startup, ${rounds} rounds, node ${process.version}`);
for (const [name, { wall, cpu }] of sums) {
  const ratio = median(wall.map((ms, i) => ms / base.wall[i]));
  console.log(
    `  ${name.padEnd(28)} cpu ${(cpu / base.cpu).toFixed(2)}×  wall ${ratio.toFixed(2)}×  (${(cpu / rounds).toFixed(0)} ms)`,
  );
}
