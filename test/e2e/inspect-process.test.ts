import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { bin, eventually, isRoot, outcome, shell, sluice, temporary } from '../helpers/sluice.js';
import { onTerminal } from '../helpers/terminal.js';

const native = process.env['SLUICE_NATIVE'] !== '0';
const linux = process.platform === 'linux';

const kernelThread = existsSync('/proc/2/comm') && readFileSync('/proc/2/comm', 'utf8') === 'kthreadd\n';

interface Facts {
  pid: number;
  command: string;
  waiting: { for: string; fd?: number; call?: string };
  descriptors: {
    fd: number;
    kind: string;
    target: string;
    access: string;
    offset?: number;
    size?: number;
    append: boolean;
    peers?: { pid: number }[];
    waiting?: unknown;
    capacity?: unknown;
    progress?: { value: number };
  }[];
  pipeline: {
    pid: number;
    program: string;
    role: string;
    waiting: { for: string };
    waitsFor: number[];
    io: { written?: number };
    holding: { value: { bytes: number }; certainty: number } | null;
  }[];
  findings: { kind: string; pids: number[]; text: string; fix: string | null; inferred: boolean }[];
  notPermitted: number;
}

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) {
    try {
      process.kill(-child.pid!, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
});

/** A program in a process group of its own, killed after the test. */
function start(
  file: string,
  args: string[],
  stdio: ('ignore' | 'pipe')[] = ['ignore', 'ignore', 'ignore'],
): ChildProcess {
  const child = spawn(file, args, { detached: true, stdio });
  started.push(child);
  return child;
}

async function inspect(pid: number): Promise<Facts> {
  const ended = await sluice(['inspect', '--json', '--pid', String(pid)]);
  expect(ended.status, ended.out + ended.stderr).toBe(0);
  return ended.records()[0] as unknown as Facts;
}

/** The process in `group` whose program is `name`. */
const member = (group: number, name: string): Promise<number> =>
  eventually(`a ${name}`, () => {
    for (const pid of execFileSync('ps', ['-e', '-o', 'pid=,pgid=,comm=']).toString().trim().split('\n')) {
      const [id, pgid, comm] = pid.trim().split(/\s+/);
      if (Number(pgid) === group && comm === name) return Number(id);
    }
    return undefined;
  });

/** Not a moment at which it is still being started. */
const settled = (pid: number, what: string, holds: (facts: Facts) => boolean): Promise<Facts> =>
  eventually(what, async () => {
    const facts = await inspect(pid);
    return holds(facts) ? facts : undefined;
  });

const slow = 'while :; do echo a line; sleep 0.1; done';

describe.runIf(linux)('a process', () => {
  it('has its descriptors told: type, flags, offset, progress', async () => {
    const directory = temporary();
    const path = join(directory, 'input');
    writeFileSync(path, 'x'.repeat(1000));
    const child = start('bash', [
      '-c',
      `exec 5<"${path}" 6>>"${directory}/log" 7<>"${path}"; head -c 250 <&5 >/dev/null; exec sleep 60`,
    ]);
    const facts = await settled(child.pid!, 'it sleeps', (each) => each.command === 'sleep 60');
    const descriptor = (number: number) => facts.descriptors.find(({ fd }) => fd === number);
    expect(descriptor(0)).toMatchObject({ kind: 'null', access: 'read' });
    expect(descriptor(5)).toMatchObject({
      kind: 'file',
      target: path,
      access: 'read',
      offset: 250,
      size: 1000,
      progress: { value: 0.25, inferred: true },
    });
    expect(descriptor(6)).toMatchObject({ kind: 'file', access: 'write', append: true, size: 0 });
    expect(descriptor(7)).toMatchObject({ access: 'read-write', append: false, offset: 0 });
    expect(facts.waiting).toMatchObject({ for: 'time' });
  });

  it('has files told by their bytes, and which of them have lost their name', async () => {
    const directory = temporary();
    const line = `exec 7>$'inv\\xff' 8>'kept (deleted)' 9>gone; rm gone; mkfifo "/dev/shm/$$"; exec 10<>"/dev/shm/$$"; rm "/dev/shm/$$"
      echo ready; exec sleep 60`;
    const child = spawn('bash', ['-c', line], { cwd: directory, detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
    started.push(child);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const { descriptors } = await inspect(child.pid!);
    const known = (fd: number) => descriptors.find((each) => each.fd === fd) as unknown as Record<string, unknown>;
    expect(Buffer.from(known(7)['targetBytes'] as string, 'base64').toString('latin1')).toBe(`${directory}/inv\xff`);
    expect(known(8)).toMatchObject({ target: `${directory}/kept (deleted)`, deleted: false });
    expect(known(9)).toMatchObject({ deleted: true });
    expect(known(10)).toMatchObject({ kind: 'fifo', deleted: true, peers: [] });
  });

  it.runIf(kernelThread)("of the kernel's own reads nothing, and has no program", async () => {
    const facts = await inspect(2);
    expect(facts.waiting.for).not.toBe('read');
    expect(facts).toMatchObject({ program: { unknown: expect.stringContaining('kernel') }, descriptors: [] });
  });

  it('that is not there is an error', async () => {
    const ended = await sluice(['inspect', '--json', '--pid', '4194304']);
    expect(ended.status).toBe(1);
    expect(ended.records()[0]).toMatchObject({ type: 'error', code: 'ESRCH' });
  });

  it.each([
    [['--pid', 'x']],
    [['--pid', '0']],
    [['--pid', '1', 'file']],
    [['--watch']],
  ])('%j is a usage error', async (args) => {
    expect((await sluice(['inspect', ...args])).status).toBe(2);
  });

  it.runIf(isRoot)('of somebody else is told as far as it may be seen', async () => {
    const child = start('sleep', ['60']);
    const ended = await shell(
      `setpriv --reuid 65534 --regid 65534 --clear-groups "${process.execPath}" "${bin}" inspect --json --pid ${child.pid}`,
    );
    expect(ended.status).toBe(0);
    expect(ended.records()[0]).toMatchObject({
      pid: child.pid,
      command: 'sleep 60',
      descriptors: { unknown: 'not permitted' },
      io: { unknown: 'not permitted' },
    });
    expect(ended.records()[0]!['notPermitted']).toBeGreaterThan(0);
  });
});

describe.runIf(linux)('a pipeline', () => {
  it('is told stage by stage, from any of them: who waits for whom', async () => {
    const { pid: group } = start('bash', ['-c', `(${slow}) | grep --line-buffered line | cat >/dev/null`]);
    const [grep, cat] = [await member(group!, 'grep'), await member(group!, 'cat')];
    const facts = await settled(
      cat,
      'both wait',
      ({ pipeline }) => pipeline.filter(({ waiting }) => waiting.for === 'read').length >= 2,
    );
    const order = facts.pipeline.map(({ pid }) => pid);
    expect(order.indexOf(grep)).toBeLessThan(order.indexOf(cat));
    expect(facts.pipeline.find(({ pid }) => pid === cat)).toMatchObject({
      waiting: { for: 'read', fd: 0 },
      waitsFor: [grep],
    });
    expect(facts.descriptors[0]).toMatchObject({ fd: 0, kind: 'pipe', access: 'read', peers: [{ pid: grep }] });
    if (native) expect(facts.descriptors[0]).toMatchObject({ waiting: 0, capacity: 65536 });
    expect(facts.findings.filter(({ kind }) => kind === 'deadlock')).toEqual([]);
  });

  it.runIf(native)('has the bytes that wait in it counted, and its slow reader named', async () => {
    const { pid: group } = start('bash', ['-c', 'head -c 9000000 /dev/zero | (sleep 60; cat) >/dev/null']);
    const head = await member(group!, 'head');
    const facts = await settled(head, 'it waits to write', ({ waiting }) => waiting.for === 'write');
    expect(facts.descriptors.find(({ fd }) => fd === 1)).toMatchObject({ waiting: 65536, capacity: 65536 });
    // Not the shell, which only waits for it.
    expect(facts.findings).toMatchObject([{ kind: 'slowest', pids: [await member(group!, 'sleep')] }]);
  });

  it.runIf(native)('has the last of a chain named as slow, not those who wait for it themselves', async () => {
    const { pid: group } = start('bash', ['-c', 'yes | cat | sleep 60']);
    const cat = await member(group!, 'cat');
    const facts = await settled(
      cat,
      'both wait to write',
      ({ pipeline }) => pipeline.filter(({ waiting }) => waiting.for === 'write').length === 2,
    );
    expect(facts.findings).toMatchObject([{ kind: 'slowest', pids: [await member(group!, 'sleep')] }]);
  });

  it('has the stage named that has read and not written', async () => {
    const { pid: group } = start('bash', ['-c', `(${slow}) | cut -c1-5 | cat >/dev/null`]);
    const cut = await member(group!, 'cut');
    const facts = await settled(cut, 'a finding', ({ findings }) => findings.some(({ kind }) => kind === 'holding'));
    expect(facts.findings[0]).toMatchObject({ kind: 'holding', pids: [cut], inferred: true, fix: 'stdbuf -oL cut' });
    const other = start('bash', ['-c', `(${slow}) | stdbuf -oL cut -c1-5 | cat >/dev/null`]).pid!;
    const innocent = await member(other, 'cut');
    const calm = await settled(innocent, 'it has written', ({ pipeline }) =>
      pipeline.some(
        (stage) => stage.pid === innocent && (stage as unknown as { io: { written: number } }).io.written > 10,
      ),
    );
    expect(calm.findings).toEqual([]);
  });

  it('has a wrapper told from the program that does the work', async () => {
    const { pid: group } = start('bash', ['-c', `(${slow}) | timeout 60 grep --line-buffered line | cat >/dev/null`]);
    const cat = await member(group!, 'cat');
    const facts = await settled(cat, 'a wrapper', ({ pipeline }) =>
      pipeline.some(({ program, role }) => program === 'timeout' && role === 'wrapper'),
    );
    expect(facts.pipeline.find(({ program }) => program === 'grep')?.role).toBe('stage');
  });

  it('has a shell that writes itself told as a stage', async () => {
    const { pid: group } = start('bash', ['-c', `(echo first; sleep 60; true) | cat >/dev/null`]);
    const cat = await member(group!, 'cat');
    const { pipeline } = await settled(cat, 'a shell that has written', ({ pipeline }) =>
      pipeline.some(
        ({ program, waiting, io }) => program === 'bash' && waiting.for === 'child' && (io.written ?? 0) > 0,
      ),
    );
    expect(pipeline.find(({ io }) => (io.written ?? 0) > 0)).toMatchObject({ program: 'bash', role: 'stage' });
  });
});

const python = (code: string): [string, string[]] => ['python3', ['-c', code]];
const hasPython = (() => {
  try {
    execFileSync('python3', ['-c', '0']);
    return true;
  } catch {
    return false;
  }
})();

describe.runIf(linux && hasPython)('a deadlock', () => {
  it('of two that each wait for a full pipe of the other is called one', async () => {
    const child = start(
      ...python(`import subprocess, sys
child = subprocess.Popen([sys.executable, '-c', '''
import sys
while True:
    data = sys.stdin.buffer.read1(65536)
    sys.stdout.buffer.write(data * 3)
    sys.stdout.buffer.flush()
'''], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
while True:
    child.stdin.write(b'x' * 100000)
    child.stdin.flush()
`),
    );
    const facts = await settled(child.pid!, 'a deadlock', ({ findings }) =>
      findings.some(({ kind }) => kind === 'deadlock'),
    );
    const [finding] = facts.findings;
    expect(finding).toMatchObject({ kind: 'deadlock', inferred: true });
    expect(finding!.pids).toContain(child.pid);
    expect(finding!.pids).toHaveLength(2);
    // Seen from the other side it is the same.
    const other = await inspect(finding!.pids.find((pid) => pid !== child.pid)!);
    expect(other.findings[0]!.pids.sort()).toEqual(finding!.pids.sort());
  });

  it('of two that each wait for the other to write is called one', async () => {
    const directory = temporary();
    execFileSync('mkfifo', [join(directory, 'there'), join(directory, 'back')]);
    const { pid: group } = start('bash', [
      '-c',
      `cd "${directory}"; exec 3<>there 4<>back; cat <&3 >&4 3<&- 4<&- & cat <&4 >&3 3<&- 4<&- & exec 3<&- 4<&-; wait`,
    ]);
    const cat = await member(group!, 'cat');
    const facts = await settled(cat, 'a deadlock', ({ findings }) => findings.some(({ kind }) => kind === 'deadlock'));
    expect(facts.findings[0]!.pids).toHaveLength(2);
  });

  it('of one that waits for itself, having kept the end it should have closed, is called one', async () => {
    const child = start(...python('import os\nr, w = os.pipe()\nos.read(r, 1)'));
    const facts = await settled(child.pid!, 'a deadlock', ({ findings }) =>
      findings.some(({ kind }) => kind === 'deadlock'),
    );
    expect(facts.findings[0]).toMatchObject({ pids: [child.pid], text: expect.stringContaining('itself') });
  });

  it('is not what a pipeline has whose source is slow, or whose reader is', async () => {
    for (const line of ['sleep 60 | cat | cat', 'yes | cat | sleep 60', '(sleep 60; echo x) | tee /dev/null | cat']) {
      const { pid: group } = start('bash', ['-c', `${line} >/dev/null`]);
      const cat = await member(group!, 'cat');
      for (let i = 0; i < 3; i++)
        expect((await inspect(cat)).findings.filter(({ kind }) => kind === 'deadlock')).toEqual([]);
    }
  });
});

describe.runIf(linux)('watching', () => {
  it('looks again and again, until the process has ended', async () => {
    const child = start('sleep', ['60']);
    const watch = spawn(process.execPath, [bin, 'inspect', '--json', '--pid', String(child.pid), '--watch=50ms']);
    const watched = outcome(watch);
    let looks = 0;
    watch.stdout.on('data', (text: Buffer) => {
      looks += text.toString().split('"type":"process"').length - 1;
    });
    await eventually('three looks', () => looks >= 3);
    child.kill('SIGKILL');
    const ended = await watched;
    expect(ended.status).toBe(0);
    expect(ended.records().every(({ type, pid }) => type === 'process' && pid === child.pid)).toBe(true);
  });

  it('a program with control characters in its name does nothing to a terminal', async () => {
    const program = join(temporary(), 'a\x1b[31mb');
    copyFileSync('/bin/cat', program);
    const { pid: group } = start('bash', ['-c', `sleep 60 | "$1" | cat`, 'bash', program]);
    const cat = await member(group!, 'cat');
    await settled(cat, 'it waits', ({ pipeline }) => pipeline.some(({ pid, waitsFor }) => pid === cat && waitsFor[0]));
    const { screen, raw } = await onTerminal(['inspect', '--color', 'never', '--pid', String(cat)], {
      cwd: temporary(),
      columns: 300,
    });
    expect(raw).not.toContain('\x1b[31m');
    expect(screen.join('\n')).toContain('for a\\x1b[31mb');
  });

  it('a page shows descriptors, stages and findings to a person', async () => {
    const { pid: group } = start('bash', ['-c', `(${slow}) | cut -c1-5 | cat >/dev/null`]);
    const cut = await member(group!, 'cut');
    const page = await eventually('a finding', async () => {
      const { out } = await sluice(['inspect', '--pid', String(cut)]);
      return out.includes('sits on its output') ? out : undefined;
    });
    expect(page).toContain('fix: stdbuf -oL cut');
    expect(page).toMatch(/▶ ┌ cut -c1-5/);
    expect(page).toContain(readFileSync(`/proc/${cut}/comm`, 'utf8').trim());
  });
});
