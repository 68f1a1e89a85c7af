import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bin, eventually, outcome, shell, temporary } from '../helpers/sluice.js';

const native = process.env['SLUICE_NATIVE'] !== '0';
const linux = process.platform === 'linux';

interface Report {
  type: string;
  ended: boolean;
  bytes: number;
  lines: number;
  chunks: number;
  method: string;
  verdict: { value?: string; certainty?: number; inferred?: boolean; unknown?: string };
  size: { value?: number } | null;
  fix: string | null;
  upstreamWrites: { writes?: number };
  upstream: { pid?: number; program?: string; unknown?: string };
  chunkSizes: { from: number; to: number; chunks: number; bytes: number }[];
}

const has = (program: string): boolean => {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`]);
    return true;
  } catch {
    return false;
  }
};

/** The report of `line | sluice inspect - | consumer`; `$LOG` in `line` is where the meter says that it has begun. */
async function meter(line: string, consumer = 'cat >/dev/null'): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-'));
  try {
    const log = join(directory, 'log');
    writeFileSync(log, '');
    const ended = await shell(
      `unset PYTHONUNBUFFERED; LOG="${log}"; ${line} | sluice inspect --json --debug - 2>"${log}" | ${consumer}`,
    );
    const said = readFileSync(log, 'utf8');
    const reports = said.split('\n').filter((each) => each.startsWith('{"type":"pipe"'));
    expect(reports, said + ended.stderr).toHaveLength(1);
    return JSON.parse(reports[0]!);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Lines, some time apart, once the meter is there. */
const slow = `until grep -q upstream "$LOG"; do sleep 0.02; done; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo "line number $i of a log"; sleep 0.05; done`;
/** So much that a program that writes blocks is still at it when it is looked at again. */
const flood = (verdict: string): string =>
  `seq -f 'line number %.0f of a log' ${verdict === 'block' ? 400_000 : 40_000}`;
const python = `python3 -c 'import sys
for line in sys.stdin: print(line.rstrip())'`;
const node = `'${process.execPath}' -e 'require("readline").createInterface({input:process.stdin}).on("line",(line)=>console.log(line))'`;

describe.runIf(linux)('the verdict on real programs', () => {
  const programs: [name: string, command: string, verdict: string, size?: number, fix?: string][] = [
    ['grep', 'grep line', 'block', 4096, 'grep --line-buffered'],
    ['grep', 'grep --line-buffered line', 'line'],
    ['sed', 'sed s/a/b/', 'block', 4096, 'sed -u'],
    ['sed', 'sed -u s/a/b/', 'line'],
    ['mawk', "mawk '{print}'", 'block', 4096, 'mawk -W interactive'],
    ['mawk', "mawk -W interactive '{print}'", 'line'],
    ['gawk', "gawk '{print}'", 'block', 4096, 'stdbuf -oL gawk'],
    ['gawk', "gawk '{print; fflush()}'", 'line'],
    ['perl', 'perl -ne print', 'block', 8192, '$| = 1'],
    ['perl', "perl -ne 'BEGIN { $| = 1 } print'", 'line'],
    ['python3', python, 'block', 8192, '-u'],
    ['python3', python.replace('python3', 'python3 -u'), 'line'],
    ['node', node, 'line'],
    ['cut', 'cut -c1-20', 'block', 4096, 'stdbuf -oL cut'],
    ['cut', 'stdbuf -oL cut -c1-20', 'line'],
    ['cat', 'cat', 'pass-through'],
  ];
  for (const [program, command, verdict, size, fix] of programs) {
    const label = command.split('\n')[0];
    (has(program) ? it.concurrent : it.skip)(`${label} on a slow input: ${verdict}`, async () => {
      const report = await meter(`(${slow}) | ${command}`);
      expect(report.verdict, JSON.stringify(report)).toMatchObject({ value: verdict, inferred: true });
      expect(report.fix ?? '').toContain(fix ?? '');
      expect(report.size?.value).toBe(size);
    });
    it.skipIf(!has(program))(`${label} on a fast input: ${verdict}`, async () => {
      const report = await meter(`${flood(verdict)} | ${command}`);
      expect(report.verdict, JSON.stringify(report)).toMatchObject({ value: verdict });
      expect(report.size?.value).toBe(size);
    });
  }

  it.runIf(native).each([
    ['seq -f "line number %.0f of a log" 1000 | cut -c1-60', 'block'],
    ['for i in {1..1000}; do echo "line number $i of a log"; done', 'line'],
    ['seq 1000 | awk \'{ printf "line number %s ", $1; fflush(); print "of a log"; fflush() }\'', undefined],
  ])('%s is known even after it has ended: %s', async (line, verdict) => {
    const ended = await shell(
      `mkfifo p; exec 3<>p; (${line}) >p; exec 4<p 3>&-; sluice inspect --json - <&4 2>&1 >/dev/null`,
      { cwd: temporary() },
    );
    expect(ended.records()[0]).toMatchObject({ upstream: { unknown: expect.any(String) } });
    expect((ended.records()[0] as unknown as Report).verdict.value).toBe(verdict);
  });

  it('what a program wrote elsewhere before it was another (exec) is not counted', async () => {
    const shim = `bash -c 'for i in {1..200}; do echo elsewhere; done >/dev/null; exec grep --line-buffered line'`;
    const report = await meter(`(${slow}) | ${shim}`);
    expect(report.verdict).toMatchObject({ value: 'line' });
    if (native) expect(report.upstreamWrites).toMatchObject({ writes: 12 });
  });

  it.runIf(native && has('python3'))(
    'nor is what it wrote elsewhere before the meter looked, however little',
    async () => {
      // One write to the pipe, five to another place; it goes on once the meter has read all.
      const program = `perl -e '
      open my $other, ">", "/dev/null";
      syswrite $other, "x" x 20 for 1 .. 5;
      syswrite STDOUT, "a line\\n" x 1000;
      open my $done, ">", $ENV{DONE};
      my $left = pack "i", 1;
      while (unpack "i", $left) { select undef, undef, undef, 0.02; ioctl STDOUT, 0x541b, $left }
      select undef, undef, undef, 0.2'`;
      const done = join(temporary(), 'done');
      const ended = await shell(
        `export DONE="${done}"; ${program} | { until [ -e "$DONE" ]; do :; done; sluice inspect --json -; } 2>&1 >/dev/null`,
      );
      const report = ended.records()[0] as unknown as Report & { upstreamWrites: { bytes?: number } };
      expect(report.upstreamWrites.bytes ?? 0, ended.out).toBeLessThanOrEqual(report.bytes);
      expect(report.upstreamWrites.writes ?? 0).toBeLessThanOrEqual(1);
    },
  );

  it('is unknown when nothing came, or too little to tell', async () => {
    expect((await meter('true')).verdict).toEqual({ unknown: expect.any(String) });
    expect((await meter('printf x')).verdict).toEqual({ unknown: expect.any(String) });
  });

  it('names the program that writes, not the shell that waits for it', async () => {
    const report = await meter(`(${slow}; exit) | bash -c 'grep --line-buffered line; true'`);
    expect(report.upstream.program).toBe('grep');
  });
});

describe('what passes', () => {
  it.runIf(linux)('passes unchanged, slowly and fast, to a pipe and to a file', async () => {
    const directory = temporary();
    const source = join(directory, 'source');
    const bytes = Buffer.alloc(40_000_000);
    for (let i = 0; i < bytes.length; i += 4096) bytes.write(`${i} `, i);
    writeFileSync(source, bytes);
    const digest = createHash('sha256').update(bytes).digest('hex');
    const ended = await shell(
      `cat source | sluice inspect --json - | sha256sum; cat source | sluice inspect --json - > copy; cat source | sluice inspect --json - >> copy; sha256sum < source; cat copy | wc -c; cmp copy <(cat source source) && echo same`,
      { cwd: directory },
    );
    const lines = ended.out.split('\n');
    expect(lines[0]).toBe(`${digest}  -`);
    expect(lines[2]).toBe('80000000');
    expect(lines[3]).toBe('same');
    const reports = ended.stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Report);
    for (const report of reports) {
      expect(report.bytes).toBe(40_000_000);
      expect(report.chunkSizes.reduce((sum, bin) => sum + bin.bytes, 0)).toBe(40_000_000);
      expect(report.chunkSizes.reduce((sum, bin) => sum + bin.chunks, 0)).toBe(report.chunks);
    }
  });

  it.runIf(linux)('reaches a reader at once, and a reader that is slow gets all of it', async () => {
    const report = await meter('head -c 3000000 /dev/zero', '(sleep 0.3; cat >/dev/null)');
    expect(report.bytes).toBe(3_000_000);
  });

  it('a reader that has gone ends it quietly with 141', async () => {
    const ended = await shell(`while echo line; do sleep 0.1; done | (sluice inspect -; echo $? >&2) | head -n 1`);
    expect(ended.out).toBe('line\n');
    expect(ended.stderr.trim()).toBe('141');
  });

  it.runIf(linux && native)('a reader that has gone is noticed before the next byte comes', async () => {
    const producer = spawn('sleep', ['60'], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      const ended = await shell(
        `tail -f /dev/null --pid ${producer.pid} | (sluice inspect -; echo $? >&2; kill ${producer.pid}) | true`,
      );
      expect(ended.stderr.trim()).toBe('141');
    } finally {
      producer.kill();
    }
  });

  it('a signal is heard at once, however much flows', async () => {
    // 143: it has ended of the first signal; 137: it had to be killed.
    const meter = `"${process.execPath}" "${bin}" inspect -q -`;
    const once = `yes | timeout --preserve-status -s TERM -k 3 0.4 ${meter} > /dev/null; echo $?`;
    const ended = await shell(`for i in 1 2 3 4; do ${once}; done`);
    expect(ended.out).toBe('143\n'.repeat(4));
  });

  it('a full disk is told', async () => {
    const ended = await shell('echo x | sluice inspect - > /dev/full');
    expect(ended.status).toBe(1);
    expect(ended.stderr).toBe('sluice inspect: standard output: no space left on device (ENOSPC, write)\n');
    // Records are on stderr here, and so is this one.
    for (const command of ['inspect --json -', 'copy --json - -', 'atomic-write --json --tee file']) {
      const told = await shell(`echo x | sluice ${command} > /dev/full`, { cwd: temporary() });
      expect(told.status).toBe(1);
      const records = told.stderr
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      const error = { type: 'error', code: 'ENOSPC', syscall: 'write', path: 'standard output' };
      expect(records).toContainEqual(expect.objectContaining(error));
    }
    expect((await shell('sluice inspect - < .', { cwd: temporary() })).stderr).toMatch(/: standard input: .*EISDIR/);
  });

  it('a file, and nothing, can be stdin too', async () => {
    const path = join(temporary(), 'file');
    writeFileSync(path, 'a\nb\n');
    const ended = await shell(`sluice inspect --json - < "${path}"; sluice inspect --json - < /dev/null`);
    expect(ended.out).toBe('a\nb\n');
    expect(
      ended.stderr
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { bytes: 4, lines: 2, upstream: { unknown: 'stdin is a file' }, ended: true },
      { bytes: 0, verdict: { unknown: expect.any(String) } },
    ]);
  });
});

describe.runIf(linux)('asked in between', () => {
  it('SIGUSR1 has it report, and go on; a signal to stop has it report, and die of it', async () => {
    const child = spawn(process.execPath, [bin, 'inspect', '--json', '-'], { stdio: ['pipe', 'pipe', 'pipe'] });
    let stderr = '';
    let stdout = '';
    child.stdout.on('data', (text) => {
      stdout += text;
    });
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    const ended = outcome(child);
    child.stdin.write('first\n');
    await eventually('the first line', () => stdout === 'first\n');
    child.kill('SIGUSR1');
    await eventually('a report', () => stderr.includes('\n'));
    expect(JSON.parse(stderr)).toMatchObject({ type: 'pipe', ended: false, bytes: 6 });
    child.stdin.write('second\n');
    await eventually('the second line', () => stdout === 'first\nsecond\n');
    child.kill('SIGTERM');
    expect((await ended).signal).toBe('SIGTERM');
    expect(JSON.parse(stderr.trim().split('\n').at(-1)!)).toMatchObject({ ended: false, bytes: 13, lines: 2 });
  });

  it.each([
    ['before the meter is ready', "process.nextTick(() => process.kill(process.pid, 'SIGUSR1'));", false],
    [
      'before the first line of ours',
      `process.kill(process.pid, 'SIGUSR1');
       const { url } = require('node:inspector'), limit = Date.now() + 10_000;
       while (url() === undefined && Date.now() < limit);`,
      true,
    ],
  ])('SIGUSR1 %s is answered once it is, and leaves no debugger', async (_, code, debuggerToo) => {
    const early = join(temporary(), 'early.cjs');
    const closed = "process.on('exit', () => console.error(String(require('node:inspector').url())));";
    writeFileSync(early, code + closed);
    const child = spawn(process.execPath, ['--inspect-port=0', '--require', early, bin, 'inspect', '--json', '-']);
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    const ended = outcome(child);
    child.stdin.write('x\n');
    await eventually('a report', () => stderr.includes('{'));
    child.stdin.end();
    expect(await ended).toMatchObject({ status: 0, out: 'x\n' });
    expect(stderr.includes('Debugger listening')).toBe(debuggerToo);
    const reports = stderr.split('\n').filter((line) => line.startsWith('{'));
    expect(reports.map((line) => JSON.parse(line))).toMatchObject([{ ended: false }, { ended: true, bytes: 2 }]);
    expect(stderr.trim().split('\n').at(-1)).toBe('undefined');
  });

  it('a program that holds its output back is found out before it has written anything', async () => {
    const child = spawn(
      'bash',
      [
        '-c',
        `(while sleep 0.03; do echo line; done) | grep line | { echo METER $BASHPID >&2; exec "${process.execPath}" "${bin}" inspect --json -; }`,
      ],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      },
    );
    let stderr = '';
    child.stderr.on('data', (text) => {
      stderr += text;
    });
    try {
      const pid = await eventually('the meter', () => /METER (\d+)/.exec(stderr)?.[1]);
      // Before a handler stands, the signal would end it.
      await eventually('its handler', () => {
        const caught = /SigCgt:\s*(\w+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1];
        return BigInt(`0x${caught}`) & (1n << 9n);
      });
      const report = await eventually('a verdict', async () => {
        process.kill(Number(pid), 'SIGUSR1');
        await new Promise((resolve) => setTimeout(resolve, 100));
        const reports = stderr.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
        return reports.map((line) => JSON.parse(line) as Report).find(({ verdict }) => verdict.value);
      });
      expect(report).toMatchObject({
        bytes: 0,
        verdict: { value: 'block', inferred: true },
        fix: 'grep --line-buffered',
        upstream: { program: 'grep' },
      });
    } finally {
      process.kill(-child.pid!, 'SIGKILL');
    }
  });
});

describe('for a person', () => {
  it.runIf(linux)('the report has its colours on a terminal, where a live line was before', async () => {
    const { spawn: spawnPty } = await import('@lydell/node-pty');
    let screen = '';
    const source = 'for i in 1 2 3 4 5 6; do echo $i; sleep 0.3; done';
    const pty = spawnPty('bash', ['-c', `(${source}) | "${process.execPath}" "${bin}" inspect - >/dev/null`], {});
    pty.onData((text) => {
      screen += text;
    });
    await eventually('the report', () => screen.includes('verdict'));
    expect(screen).toContain('\x1b[1mpipe');
    expect(screen).toMatch(/\d+ B {2}[\d.]+ B\/s {2}0:0\d/);
    pty.kill();
  });

  it.runIf(linux)('the report goes to stderr with a histogram, and the bytes alone to stdout', async () => {
    const log = join(temporary(), 'log');
    writeFileSync(log, '');
    const ended = await shell(`LOG="${log}"; (${slow}) | sluice inspect --debug - 2>"$LOG"; cat "$LOG" >&2`);
    expect(ended.out.split('\n')).toHaveLength(13);
    expect(ended.stderr).toMatch(/verdict +line-buffered/);
    expect(ended.stderr).toContain('█');
  });
});
