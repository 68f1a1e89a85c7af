// How often the pipe meter and `--pid` are right: real pipelines of real programs, each many times, on a machine that is kept
// busy if so asked. Prints right, unknown and wrong, and every report that was not right.
//
//     node bench/verdicts.mjs [ROUNDS] [--jobs N] [--busy N] [--only REGEX] [--show]
//
// --jobs: so many at once. --busy: so many loops that do nothing but take the processors away.
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    jobs: { type: 'string', default: '2' },
    busy: { type: 'string', default: '0' },
    only: { type: 'string', default: '' },
    show: { type: 'boolean', default: false },
  },
});
const rounds = Number(positionals[0] ?? 20);
const bin = fileURLToPath(new URL('../bin/sluice.js', import.meta.url));
const sluice = `'${process.execPath}' '${bin}'`;

/** What a pipeline reads. Nothing here waits for the meter to be there, which no shell user does either. */
const inputs = {
  slow: 'for i in $(seq 50); do echo "line number $i of a log"; sleep 0.01; done',
  'slow and long': `perl -e '$| = 1; for (1 .. 150) { print "$_ line of a log${' that is long'.repeat(7)}\n"; select undef, undef, undef, 0.01 }'`,
  fast: "seq -f 'line number %.0f of a log' 40000",
  'fast and short': "seq -f 'line number %.0f of a log' 1000",
};
const python = `python3 UNBUFFERED -c 'import sys
for line in sys.stdin: print(line.rstrip())'`;
const pythonFlush = `python3 -c 'import sys
for line in sys.stdin: print(line.rstrip(), flush=True)'`;
const node = `'${process.execPath}' -e 'require("readline").createInterface({input:process.stdin}).on("line",(line)=>console.log(line))'`;

/** A command line, what the verdict on it is, its block, and the input on which it is not asked for. */
const programs = [
  ['grep line', 'block', 4096],
  ['grep --line-buffered line', 'line'],
  ['sed s/a/b/', 'block', 4096],
  ['sed -u s/a/b/', 'line'],
  ["mawk '{print}'", 'block', 4096],
  ["mawk -W interactive '{print}'", 'line'],
  ["gawk '{print}'", 'block', 4096],
  ["gawk '{print; fflush()}'", 'line'],
  ['perl -ne print', 'block', 8192],
  ["perl -ne 'BEGIN { $| = 1 } print'", 'line'],
  [python.replace('UNBUFFERED ', ''), 'block', 8192],
  [python.replace('UNBUFFERED', '-u'), 'line'],
  [pythonFlush, 'line'],
  [node, 'line'],
  ['cut -c1-60', 'block', 4096],
  ['stdbuf -oL cut -c1-60', 'line'],
  ['tr a b', 'block', 4096],
  // What has ended before the meter began cannot be known for a cat.
  ['cat', 'pass-through', undefined, 'fast and short'],
].filter(([command]) => spawnSync('/bin/sh', ['-c', `command -v ${command.split(' ')[0]}`]).status === 0);

/** What a shell line writes to stdout. */
function output(line) {
  const child = spawn('/bin/bash', ['-c', `unset PYTHONUNBUFFERED; ${line}`], { stdio: ['ignore', 'pipe', 'ignore'] });
  let said = '';
  child.stdout.on('data', (text) => {
    said += text;
  });
  return new Promise((resolve) => child.on('close', () => resolve(said)));
}

const score = { right: 0, unknown: 0, wrong: 0 };
const cases = new Map();

function told(name, outcome, report) {
  score[outcome]++;
  const each = cases.get(name) ?? { right: 0, unknown: 0, wrong: 0 };
  each[outcome]++;
  cases.set(name, each);
  if (outcome !== 'right' || values.show) console.log(`${outcome}: ${name}: ${report}`);
}

async function meter(name, input, [command, verdict, size]) {
  const said = await output(`{ { ${input}; } | ${command} | ${sluice} inspect --json - | cat >/dev/null; } 2>&1`);
  let report;
  try {
    report = JSON.parse(said.split('\n').find((line) => line.startsWith('{"type":"pipe"')));
  } catch {
    told(name, 'wrong', said);
    return;
  }
  const got = report.verdict.value;
  const sized = report.size?.value ?? report.size?.unknown;
  // Of a program that had ended, the size is not known: what lay in the pipe shows blocks, but not how many at once.
  const outcome =
    got === undefined
      ? 'unknown'
      : got === verdict && (sized === size || size === undefined || report.upstream.unknown !== undefined)
        ? 'right'
        : 'wrong';
  told(name, outcome, JSON.stringify(report));
}

/** A process in a circle of pipes, of which each waits for the other to read. */
const circle = `python3 -c 'import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", """
import sys
while True:
    sys.stdout.buffer.write(sys.stdin.buffer.read1(65536) * 3)
    sys.stdout.buffer.flush()
"""], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
while True:
    child.stdin.write(b"x" * 100000)
    child.stdin.flush()'`;
const endless = 'while :; do echo a line; sleep 0.01; done';

/** A pipeline that stays, the program in it that is looked at, and what there is to find: a kind and the program it is about. */
const pictures = [
  [circle, 'python3', 'deadlock python3'],
  ["python3 -c 'import os; r, w = os.pipe(); os.read(r, 1)'", 'python3', 'deadlock python3'],
  ['sleep 60 | cat | cat', 'cat', ''],
  ['yes | cat | sleep 60', 'cat', 'slowest sleep'],
  ['(sleep 60; echo x) | tee /dev/null | cat', 'tee', ''],
  [`(${endless}) | cat | cat`, 'cat', ''],
  [`(${endless}) | cut -c1-5 | cat`, 'cat', 'holding cut'],
  [`(${endless}) | stdbuf -oL cut -c1-5 | cat`, 'cat', ''],
  [`(${endless}) | grep line | cat`, 'grep', 'holding grep'],
  [`(${endless}) | grep --line-buffered line | cat`, 'grep', ''],
  [`(${endless}) | timeout 60 sed s/a/b/ | cat`, 'cat', 'holding sed'],
  [`(${endless}) | timeout 60 sed -u s/a/b/ | cat`, 'cat', ''],
  [`(${endless}) | perl -ne print | cat`, 'cat', 'holding perl'],
  ['head -c 9000000 /dev/zero | (sleep 60; cat)', 'head', 'slowest sleep'],
];

/** Looked at five times: right if the last look finds what there is, wrong if any finds what there is not. */
async function picture([line, program, expected]) {
  const shell = spawn('/bin/bash', ['-c', `exec >/dev/null; ${line}`], { detached: true, stdio: 'ignore' });
  try {
    let found = '';
    for (let looks = 0; looks < 5; looks++) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      const members = spawnSync('ps', ['-e', '-o', 'pid=,pgid=,comm='], { encoding: 'utf8' }).stdout.trim().split('\n');
      const member = members
        .map((each) => each.trim().split(/\s+/))
        .find(([, pgid, comm]) => Number(pgid) === shell.pid && comm === program);
      if (!member) continue;
      const facts = JSON.parse(await output(`${sluice} inspect --json --pid ${member[0]}`));
      const name = (pid) => facts.pipeline.find((stage) => stage.pid === pid)?.program;
      found = facts.findings.map(({ kind, pids }) => `${kind} ${[...new Set(pids.map(name))].join(' ')}`).join(', ');
      if (found !== '' && found !== expected) return told(line, 'wrong', `${found}: ${JSON.stringify(facts)}`);
    }
    told(line, found === expected ? 'right' : 'unknown', `found ${found === '' ? 'nothing' : found}`);
  } finally {
    process.kill(-shell.pid, 'SIGKILL');
  }
}

const jobs = [];
for (let round = 0; round < rounds; round++)
  for (const each of pictures) if (new RegExp(values.only).test(`--pid ${each[0]}`)) jobs.push(() => picture(each));
for (let round = 0; round < rounds; round++)
  for (const [kind, input] of Object.entries(inputs))
    for (const program of programs) {
      if (program[3] === kind) continue;
      const name = `${kind} | ${program[0].replace(/\n/g, '; ').replaceAll(process.execPath, 'node')}`;
      if (new RegExp(values.only).test(name)) jobs.push(() => meter(name, input, program));
    }

const busy = Array.from({ length: Number(values.busy) }, () => spawn(process.execPath, ['-e', 'for (;;);']));
try {
  await Promise.all(
    Array.from({ length: Number(values.jobs) }, async () => {
      for (let job = jobs.shift(); job; job = jobs.shift()) await job();
    }),
  );
} finally {
  for (const child of busy) child.kill();
}
for (const [name, { right, unknown, wrong }] of cases)
  console.log(`${String(right).padStart(4)} ${String(unknown).padStart(4)} ${String(wrong).padStart(4)}  ${name}`);
const { right, unknown, wrong } = score;
console.log(`${right} right, ${unknown} unknown, ${wrong} wrong of ${right + unknown + wrong}`);
