import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { bin, eventually, outcome, shell, sluice, temporary } from '../helpers/sluice.js';
import { hasStrace } from '../helpers/strace.js';

let dir: string;
let file: string;
beforeEach(() => {
  dir = temporary();
  file = join(dir, 'file');
});

const write = (input: string | Uint8Array, ...args: string[]) => sluice(['atomic-write', ...args], { input });
const text = (path = file) => readFileSync(path, 'utf8');
const sha256 = (content: string) => createHash('sha256').update(content).digest('hex');
/** The system call that a process is in: its number first. */
const callOf = (pid: string): string => {
  try {
    return readFileSync(`/proc/${pid}/syscall`, 'latin1');
  } catch {
    return '';
  }
};
/** Nothing in the directory but these. */
const only = (...names: string[]) => expect(readdirSync(dir).sort()).toEqual(names.sort());

describe('stdin', () => {
  it('makes a new file with the mode that the umask leaves', async () => {
    const { status, out, stderr } = await shell(`umask 027; echo new | sluice atomic-write ${file}`);
    expect([status, out, stderr]).toEqual([0, '', '']);
    expect(text()).toBe('new\n');
    expect(statSync(file).mode & 0o7777).toBe(0o640);
    only('file');
  });

  it('replaces a file, which keeps its mode, by another inode', async () => {
    writeFileSync(file, 'old');
    chmodSync(file, 0o751);
    const before = statSync(file).ino;
    expect((await write('new', file)).status).toBe(0);
    expect(text()).toBe('new');
    expect(statSync(file).mode & 0o7777).toBe(0o751);
    expect(statSync(file).ino).not.toBe(before);
  });

  it('--json says what became of it', async () => {
    const first = await write('one', '--json', '--no-durable', file);
    expect(first.records()).toEqual([
      {
        type: 'atomic-write',
        path: file,
        outcome: 'created',
        bytes: 3,
        sha256: sha256('one'),
        previousSha256: null,
        durability: 'none',
      },
    ]);
    const [record] = (await write('two', '--json', file)).records();
    expect(record).toMatchObject({ outcome: 'replaced', sha256: sha256('two'), previousSha256: sha256('one') });
    expect(['durable', 'volatile', 'unknown']).toContain(record!['durability']);
  });

  it('keeps the old file when the pipe’s producer was told to stop as we were, though its end came first', async () => {
    writeFileSync(file, 'old');
    const child = spawn(process.execPath, [bin, 'atomic-write', '--no-durable', file], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const ended = outcome(child);
    child.stdin.write('half of it');
    await eventually('the input is in the temp file', () =>
      readdirSync(dir).some((name) => name.endsWith('.tmp') && statSync(join(dir, name)).size > 0),
    );
    // Stopped, it finds both at once when it goes on: the end of the input, and the signal.
    child.kill('SIGSTOP');
    await eventually('it has stopped', () => /^State:\s+T/m.test(readFileSync(`/proc/${child.pid}/status`, 'utf8')));
    child.stdin.end();
    child.kill('SIGINT');
    child.kill('SIGCONT');
    expect((await ended).signal).toBe('SIGINT');
    expect(text()).toBe('old');
    only('file');
  });

  it.each([
    'SIGINT',
    'SIGTERM',
    'SIGHUP',
    'SIGQUIT',
  ] as const)('%s: no temp file is left, and it dies of it', async (signal) => {
    writeFileSync(file, 'old');
    const child = spawn(process.execPath, [bin, 'atomic-write', file], { stdio: ['pipe', 'pipe', 'pipe'] });
    const ended = outcome(child);
    child.stdin.write('half');
    await eventually('a temp file', () => readdirSync(dir).length > 1);
    child.kill(signal);
    expect((await ended).signal).toBe(signal);
    expect(text()).toBe('old');
    only('file');
  });

  it('a directory is refused before stdin is read', async () => {
    const child = spawn(process.execPath, [bin, 'atomic-write', dir], { stdio: ['pipe', 'pipe', 'pipe'] });
    // stdin stays open and silent: only one who does not read it can end.
    const { status, stderr } = await outcome(child);
    expect(status).toBe(1);
    expect(stderr).toBe(`sluice atomic-write: ${dir}: is a directory (EISDIR) — destination left as it was\n`);
  });

  it('a missing directory is told, and nothing is made', async () => {
    const { status, stderr } = await write('x', join(dir, 'no', 'file'));
    expect(status).toBe(1);
    expect(stderr).toContain('no such file or directory (ENOENT, open)');
    only();
  });

  it('a temp file has an unpredictable name, no permissions for others, and is beside the target', async () => {
    const names = new Set<string>();
    for (let i = 0; i < 2; i++) {
      const child = spawn(process.execPath, [bin, 'atomic-write', file], { stdio: ['pipe', 'pipe', 'pipe'] });
      const ended = outcome(child);
      const name = await eventually('a temp file', () => readdirSync(dir).find((each) => each.endsWith('.tmp')));
      expect(name).toMatch(/^\.file\.sluice-[0-9a-f]{16}\.tmp$/);
      expect(statSync(join(dir, name)).mode & 0o7777).toBe(0o600);
      names.add(name);
      child.kill();
      await ended;
    }
    expect(names.size).toBe(2);
  });
});

describe('-- COMMAND', () => {
  it('its output becomes the file', async () => {
    expect((await write('x', file, '--', 'echo', '-n', 'a', '--', 'b')).status).toBe(0);
    expect(text()).toBe('a -- b');
  });

  it.each([
    [['false'], 1, "the command 'false' failed (exit status 1)"],
    [['sh', '-c', 'echo half; exit 7'], 7, "the command 'sh' failed (exit status 7)"],
    [['sh', '-c', 'echo half; kill -9 $$'], 137, "the command 'sh' was killed by SIGKILL"],
    [['/no/such/command'], 127, "the command '/no/such/command' was not found"],
    [['/etc/passwd'], 126, "the command '/etc/passwd' cannot be run"],
  ])('%j: the file stays, the status is named and recorded', async (command, status, message) => {
    writeFileSync(file, 'old');
    const plain = await write('', file, '--', ...command);
    expect(plain.status).toBe(1);
    expect(plain.stderr).toContain(`sluice atomic-write: ${file}: ${message}`);
    const json = await write('', '--json', file, '--', ...command);
    expect(json.status).toBe(1);
    expect(json.records().at(-1)).toMatchObject({ outcome: 'failed', commandStatus: status });
    expect(json.records()[0]).toMatchObject({ type: 'error', path: file });
    expect(text()).toBe('old');
    only('file');
  });

  it('a -- before FILE ends the options, the next one starts the command', async () => {
    const { status } = await sluice(['atomic-write', '--no-durable', '--', '--json', '--', 'echo', 'x'], { cwd: dir });
    expect(status).toBe(0);
    expect(text(join(dir, '--json'))).toBe('x\n');
    expect((await sluice(['atomic-write', '-m', '600', '--', '--', '--', 'echo', 'y'], { cwd: dir })).status).toBe(0);
    expect(text(join(dir, '--'))).toBe('y\n');
  });

  it('its stdin is ours, and need not be read', async () => {
    expect((await write('from us', file, '--', 'cat')).status).toBe(0);
    expect(text()).toBe('from us');
    expect((await write('x'.repeat(1 << 20), file, '--', 'echo', 'unread')).status).toBe(0);
    expect(text()).toBe('unread\n');
  });

  it('its stdout is a pipe that can be opened by name, and may hold more than a pipe does', async () => {
    const { status } = await write(
      '',
      file,
      '--',
      'sh',
      '-c',
      'echo a > /dev/stdout; echo b; seq 200000; test -p /dev/stdout',
    );
    expect(status).toBe(0);
    expect(text().startsWith('a\nb\n1\n')).toBe(true);
    expect(statSync(file).size).toBe(4 + 1288895);
  });

  it('failure is noticed though a process that it left behind keeps its stdout', async () => {
    writeFileSync(file, 'old');
    const line = `sluice atomic-write ${file} -- sh -c 'sleep 100 & echo $! > ${dir}/pid; exit 3'; code=$?; kill $(cat ${dir}/pid); exit $code`;
    expect((await shell(line)).status).toBe(1);
    expect(text()).toBe('old');
  });

  it('is told to stop when we are, with all that it has started', async () => {
    writeFileSync(file, 'old');
    const line = `echo x; sleep 1000 & echo $! > ${dir}/pid; wait`;
    const child = spawn(process.execPath, [bin, 'atomic-write', file, '--', 'sh', '-c', line], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = outcome(child);
    const pid = await eventually('the command runs', () => (existsSync(`${dir}/pid`) ? Number(text(`${dir}/pid`)) : 0));
    child.kill('SIGTERM');
    expect((await ended).signal).toBe('SIGTERM');
    await eventually('the sleeper is gone', () => !isRunning(pid));
    only('file', 'pid');
    expect(text()).toBe('old');
  });

  it('--shell runs a pipeline, every part of which counts', async () => {
    writeFileSync(file, 'old');
    expect((await write('', '--shell', 'false | cat', file)).status).toBe(1);
    expect((await write('', '--shell', 'seq 3 | grep -v 9 | false', file)).status).toBe(1);
    expect(text()).toBe('old');
    expect((await write('b\na\n', '--shell', 'cat | sort', file)).status).toBe(0);
    expect(text()).toBe('a\nb\n');
  });

  it('arguments that are no UTF-8 reach it byte for byte', async () => {
    const { status } = await shell(`sluice atomic-write ${file} -- printf '%s|' $'\\xff\\n' $'a\\xfe'`);
    expect(status).toBe(0);
    expect(readFileSync(file).toString('latin1')).toBe('\xff\n|a\xfe|');
  });
});

const isRunning = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

describe('--edit', () => {
  it('the file is the command’s input, and its output the file', async () => {
    writeFileSync(file, 'b\na\n');
    expect((await write('', '--edit', file, '--', 'sort')).status).toBe(0);
    expect(text()).toBe('a\nb\n');
    expect((await write('', '--edit', '--shell', 'sort -r | head -1', file)).status).toBe(0);
    expect(text()).toBe('b\n');
  });

  it('the file must exist, and a command is needed', async () => {
    const missing = await write('', '--edit', file, '--', 'sort');
    expect(missing.status).toBe(1);
    expect(missing.stderr).toContain('there is no file to edit (ENOENT)');
    only();
    expect((await write('', '--edit', file)).status).toBe(2);
  });

  it('is tried again on what somebody else has put there meanwhile', async () => {
    writeFileSync(file, '1\n');
    // The first run is overtaken by a writer that asks nobody.
    const command = `test -e ${dir}/once || { touch ${dir}/once; echo 10 > ${dir}/f2; mv ${dir}/f2 ${file}; }; while read n; do echo $((n + 1)); done`;
    expect((await write('', '--edit', file, '--', 'sh', '-c', command)).status).toBe(0);
    expect(text()).toBe('11\n');
  });

  it('gives up with exit 3 after --retries more, and the other’s change stays', async () => {
    writeFileSync(file, '0\n');
    const command = `echo run >> ${dir}/runs; cat > /dev/null; echo theirs >> ${file}; echo ours`;
    const ended = await write('', '--json', '--edit', '--retries', '2', file, '--', 'sh', '-c', command);
    expect(ended.status).toBe(3);
    expect(ended.records()).toMatchObject([{ outcome: 'refused', commandStatus: 0 }]);
    expect(text(`${dir}/runs`)).toBe('run\n'.repeat(3));
    expect(text()).toBe('0\ntheirs\ntheirs\ntheirs\n');
    only('file', 'runs');
  });

  it('sees a change in place that keeps size and time', async () => {
    writeFileSync(file, 'aaaa');
    utimesSync(file, 1, 1);
    const command = `cat; printf bbbb 1<> ${file}; touch -d @1 ${file}`;
    expect((await write('', '--edit', '--retries', '0', file, '--', 'sh', '-c', command)).status).toBe(3);
    expect(text()).toBe('bbbb');
  });

  it('of 8 writers with 25 increments each none is lost', async () => {
    writeFileSync(file, '0\n');
    // Without native calls every lock is a process more: fewer of them say as much.
    const each = process.env['SLUICE_NATIVE'] === '0' ? 5 : 25;
    const loop = `for i in $(seq ${each}); do sluice atomic-write --no-durable --edit ${file} -- sh -c 'read n; echo $((n + 1))' || exit 9; done`;
    const writers = await Promise.all(Array.from({ length: 8 }, () => shell(loop)));
    expect(writers.map(({ status, stderr }) => status || stderr)).toEqual(Array(8).fill(''));
    expect(text()).toBe(`${8 * each}\n`);
    only('file');
  }, 240_000);

  it.skipIf(!hasStrace || process.env['SLUICE_NATIVE'] === '0')(
    'what somebody else puts there between the last look and the replacement is not lost, and is edited',
    async () => {
      writeFileSync(file, 'old\n');
      const inject = 'inject=renameat2:delay_enter=1500000:when=1';
      const args = [
        '-f',
        '-qq',
        '-o',
        join(temporary(), 'log'),
        '-e',
        'trace=renameat2',
        '-e',
        inject,
        process.execPath,
        bin,
      ];
      const child = spawn('strace', [...args, 'atomic-write', '--edit', file, '--', 'sh', '-c', 'cat; echo mine']);
      const ended = outcome(child);
      await eventually('it is saved, closed, and about to be renamed', () => {
        const temp = readdirSync(dir).find((name) => name.endsWith('.tmp'));
        if (!temp || readFileSync(join(dir, temp), 'utf8') !== 'old\nmine\n') return false;
        for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name)))
          if (callOf(pid).startsWith('316 ') || callOf(pid).startsWith('276 ')) return true;
        return false;
      });
      writeFileSync(join(dir, 'theirs'), 'theirs\n');
      renameSync(join(dir, 'theirs'), file);
      const { status, stderr } = await ended;
      expect([status, stderr]).toEqual([0, '']);
      expect(text()).toBe('theirs\nmine\n');
      only('file');
    },
  );

  it('waits for no lock that the shell around it holds on the file', async () => {
    writeFileSync(file, '1\n');
    const line = `exec 9< ${file}; flock -x 9; sluice atomic-write --edit ${file} -- sed s/1/2/`;
    expect((await shell(line)).status).toBe(0);
    expect(text()).toBe('2\n');
  });
});

describe('--append', () => {
  it('puts the input behind the old content, in a new file', async () => {
    expect((await write('a', '-a', file)).status).toBe(0);
    const { ino } = statSync(file);
    expect((await write('b', '--append', file)).status).toBe(0);
    expect(text()).toBe('ab');
    expect(statSync(file).ino).not.toBe(ino);
  });

  it('empty input changes nothing, and makes nothing', async () => {
    expect((await write('', '-a', file)).status).toBe(0);
    only();
    writeFileSync(file, 'old');
    const { ino } = statSync(file);
    const ended = await write('', '--json', '-a', file);
    expect(ended.records()).toMatchObject([{ outcome: 'unchanged', bytes: 3 }]);
    expect(statSync(file).ino).toBe(ino);
  });

  it('of 6 writers at once none is lost, also where the file is yet to be made', async () => {
    const writers = Array.from({ length: 6 }, (_, i) =>
      shell(`for i in 1 2 3 4; do echo ${i}-$i | sluice atomic-write --no-durable -a ${file} || exit 9; done`),
    );
    for (const { status } of await Promise.all(writers)) expect(status).toBe(0);
    const lines = text().trimEnd().split('\n').sort();
    expect(lines).toEqual(Array.from({ length: 24 }, (_, i) => `${Math.floor(i / 4)}-${(i % 4) + 1}`));
    only('file');
  }, 120_000);
});

describe('guards leave the file as it was, with exit 3', () => {
  const refusals: [string, string[], string, string][] = [
    ['empty input', [], '', 'the input is empty'],
    ['a loss over --max-shrink', ['--max-shrink', '50'], '1234', 'it would shrink from 10 to 4 bytes'],
    [
      'another digest than --if-match',
      ['--if-match', sha256('else')],
      'x',
      `the file's digest is ${sha256('0123456789')}`,
    ],
    ['--if-match none', ['--if-match', 'none'], 'x', 'the file exists'],
    ['--no-clobber', ['-n'], 'x', 'the file exists'],
    ['a check that fails', ['--check', 'grep -q y {}'], 'x', "the check 'grep -q y {}' failed (exit status 1)"],
    ['a check that is killed', ['--check', 'kill -9 $$'], 'x', 'was killed by SIGKILL'],
    ['a second check', ['--check', 'true', '--check', 'false'], 'x', "the check 'false' failed"],
    ['a check that changes the file', ['--check', 'echo >> {}'], 'x', 'changed the file that it was to look at'],
    ['a check that replaces the file', ['--check', 'cp {} {}.2; mv {}.2 {}'], 'x', 'changed the file'],
    ['no seal', ['--seal', 'OK'], 'all\nbut that\n', "the input does not end with the line 'OK'"],
    ['a seal that is part of a line', ['--seal', 'OK'], 'no\nnotOK\n', 'does not end with the line'],
    ['a seal that is not the last line', ['--seal', 'OK'], 'OK\nmore\n', 'does not end with the line'],
  ];
  it.each(refusals)('%s', async (_, args, input, reason) => {
    writeFileSync(file, '0123456789');
    const before = statSync(file, { bigint: true });
    const plain = await write(input, ...args, file);
    expect(plain.status).toBe(3);
    expect(plain.stderr).toContain(`sluice atomic-write: ${file}: `);
    expect(plain.stderr).toContain(reason);
    expect(plain.stderr).toContain('left as it was');
    const json = await write(input, '--json', ...args, file);
    expect(json.status).toBe(3);
    expect(json.stderr).toBe('');
    expect(json.records()).toMatchObject([{ type: 'atomic-write', outcome: 'refused', path: file }]);
    expect(json.records()[0]!['reason']).toContain(reason);
    const { ino, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    expect([ino, mtimeNs, ctimeNs]).toEqual([before.ino, before.mtimeNs, before.ctimeNs]);
    only('file');
  });

  const passes: [string, string[], string, string][] = [
    ['--allow-empty', ['--allow-empty'], '', ''],
    ['exactly --max-shrink', ['--max-shrink', '50%'], '12345', '12345'],
    ['--if-match with this digest', ['--if-match', sha256('0123456789').toUpperCase()], 'x', 'x'],
    ['a check that is content', ['--check', 'grep -q x "{}" && test -s {} && grep -q x'], 'x', 'x'],
    ['a check with its file in quotes in quotes', ['--check', "sh -c 'grep -q x {}'"], 'x', 'x'],
    ['a seal', ['--seal', 'OK'], 'a\nOK\n', 'a\n'],
    ['a seal without its newline', ['--seal', 'OK'], 'a\nOK', 'a\n'],
    ['a seal alone', ['--seal', 'OK', '--allow-empty'], 'OK\n', ''],
    [
      'a long input with a seal',
      ['--seal', 'OK'],
      `${'0123456789\n'.repeat(40_000)}OK\n`,
      '0123456789\n'.repeat(40_000),
    ],
  ];
  it.each(passes)('%s: it is replaced', async (_, args, input, content) => {
    writeFileSync(file, '0123456789');
    const { status, stderr } = await write(input, ...args, file);
    expect([status, stderr]).toEqual([0, '']);
    expect(text()).toBe(content);
    only('file');
  });

  it('a check’s output goes to stderr, and it sees the complete temp file', async () => {
    const { out, stderr } = await write('data', '--json', '--check', 'echo "$(cat {}) in $(basename {})"', file);
    expect(stderr).toMatch(/^data in \.file\.sluice-/);
    expect(() => JSON.parse(out)).not.toThrow();
  });

  it('of 20 racing --no-clobber writers one wins, and its content is there', async () => {
    const writers = Array.from({ length: 20 }, (_, i) =>
      i % 2 === 0
        ? write(`${i}`, '--no-durable', '-n', file)
        : write(`${i}`, '--no-durable', '--if-match', 'none', file),
    );
    const statuses = (await Promise.all(writers)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 0)).toHaveLength(1);
    expect(statuses.filter((status) => status === 3)).toHaveLength(19);
    expect(text()).toBe(String(statuses.indexOf(0)));
    only('file');
  }, 60_000);
});

describe('what is kept, and what is told', () => {
  it('--skip-unchanged: the same content touches nothing', async () => {
    writeFileSync(file, 'same');
    const before = statSync(file, { bigint: true });
    const ended = await write('same', '--json', '--skip-unchanged', file);
    expect(ended.status).toBe(0);
    expect(ended.records()).toMatchObject([{ outcome: 'unchanged', sha256: sha256('same') }]);
    const { ino, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    expect([ino, mtimeNs, ctimeNs]).toEqual([before.ino, before.mtimeNs, before.ctimeNs]);
    expect((await write('diff', '--skip-unchanged', file)).status).toBe(0);
    expect(text()).toBe('diff');
    only('file');
  });

  it('--backup keeps the old file itself under its name with a suffix', async () => {
    writeFileSync(file, 'old');
    const { ino } = statSync(file);
    expect((await write('new', '--backup', file)).status).toBe(0);
    expect([text(), text(`${file}~`), statSync(`${file}~`).ino]).toEqual(['new', 'old', ino]);
    expect((await write('newer', '--backup=.bak', file)).status).toBe(0);
    expect(text(`${file}.bak`)).toBe('new');
    only('file', 'file~', 'file.bak');
  });

  it('-m sets the mode, whatever the umask and the old mode', async () => {
    expect((await shell(`umask 077; echo x | sluice atomic-write -m 4755 ${file}`)).status).toBe(0);
    expect(statSync(file).mode & 0o7777).toBe(0o4755);
    expect((await write('y', '--mode=600', file)).status).toBe(0);
    expect(statSync(file).mode & 0o7777).toBe(0o600);
  });

  it('a file with several names: they part, with a warning', async () => {
    writeFileSync(file, 'old');
    linkSync(file, join(dir, 'other'));
    const { status, stderr } = await write('new', file);
    expect(status).toBe(0);
    expect(stderr).toBe(
      `sluice atomic-write: warning: ${file}: it had 2 names (hard links): the others keep the old content\n`,
    );
    expect(text(join(dir, 'other'))).toBe('old');
  });

  it('-q says nothing of that, -v says what was done', async () => {
    writeFileSync(file, 'old');
    linkSync(file, join(dir, 'other'));
    expect((await write('new', '-q', file)).stderr).toBe('');
    expect((await write('newer', '-v', '--no-durable', file)).stderr).toBe(`${file}: replaced, 5 bytes\n`);
  });

  it('--tee copies to stdout; records then go to stderr', async () => {
    const ended = await write('data', '--tee', '--json', file);
    expect(ended.out).toBe('data');
    expect(JSON.parse(ended.stderr)).toMatchObject({ outcome: 'created' });
    expect(text()).toBe('data');
  });

  it('--tee: a stdout that fails does not stop the commit', async () => {
    const full = await shell(`seq 100000 | sluice atomic-write --tee ${file} > /dev/full`);
    expect(full.status).toBe(1);
    expect(full.stderr).toContain('standard output: no space left on device (ENOSPC, write)');
    expect(statSync(file).size).toBe(588895);
    const closed = await shell(`seq 100000 | { sluice atomic-write --tee ${file}2; echo $? >&2; } | head -1`);
    expect([closed.out, closed.stderr]).toEqual(['1\n', '141\n']);
    expect(statSync(`${file}2`).size).toBe(588895);
  });
});

describe('what FILE can be', () => {
  it('a symlink stays, and its target is replaced, in the target’s directory', async () => {
    mkdirSync(join(dir, 'sub'));
    writeFileSync(join(dir, 'sub/real'), 'old');
    symlinkSync('sub/real', join(dir, 'hop'));
    symlinkSync('hop', file);
    expect((await write('new', file)).status).toBe(0);
    expect(readlinkSync(file)).toBe('hop');
    expect(text(join(dir, 'sub/real'))).toBe('new');
    expect(lstatSync(join(dir, 'sub/real')).isSymbolicLink()).toBe(false);
    only('file', 'hop', 'sub');
  });

  it('a dangling symlink’s target is made', async () => {
    mkdirSync(join(dir, 'sub'));
    symlinkSync('sub/new', file);
    expect((await write('new', file)).status).toBe(0);
    expect(readlinkSync(file)).toBe('sub/new');
    expect(text(join(dir, 'sub/new'))).toBe('new');
    symlinkSync('circle', join(dir, 'circle'));
    const circle = await write('x', join(dir, 'circle'));
    expect([circle.status, circle.stderr.includes('ELOOP')]).toEqual([1, true]);
  });

  it('.. behind a symlink to a directory is the kernel’s ..', async () => {
    mkdirSync(join(dir, 'a/b'), { recursive: true });
    symlinkSync('a/b', join(dir, 'link'));
    expect((await write('x', `${dir}/link/../f`)).status).toBe(0);
    expect(text(join(dir, 'a/f'))).toBe('x');
  });

  it('a FIFO is written through', async () => {
    const { status, out } = await shell(`mkfifo ${file}; cat ${file} & seq 50000 | sluice atomic-write ${file}; wait`);
    expect(status).toBe(0);
    expect(out.length).toBe(288894);
    expect(lstatSync(file).isFIFO()).toBe(true);
    only('file');
  });

  it('a seal is bytes', async () => {
    const line = `printf 'data\\n\\377\\n' | sluice atomic-write --seal $'\\377' ${file}`;
    expect((await shell(line)).status).toBe(0);
    expect(text()).toBe('data\n');
  });

  it('what is written through has a digest too', async () => {
    const { stderr } = await write('x', '--json', '-');
    expect(JSON.parse(stderr)).toMatchObject({ outcome: 'replaced', sha256: sha256('x') });
  });

  it('/dev/stdout, - and /dev/null are written through', async () => {
    expect((await write('x', '/dev/stdout')).out).toBe('x');
    expect((await write('x', '-')).out).toBe('x');
    expect((await write('x', '/dev/null')).status).toBe(0);
    expect(lstatSync('/dev/null').isCharacterDevice()).toBe(true);
    const { status, stderr } = await write('x', '/dev/full');
    expect([status, stderr.includes('(ENOSPC, write)')]).toEqual([1, true]);
    expect((await write('x\nOK\n', '--seal', 'OK', '/dev/null')).status).toBe(1);
  });

  it('a name of 255 bytes, one that is no UTF-8, one with newlines', async () => {
    const long = join(dir, 'é'.repeat(127));
    expect((await write('x', long)).status).toBe(0);
    const { status, out } = await shell(
      `cd ${dir}; for n in $'\\xff\\xfe' $'a\\nb' ./-n; do echo $n | sluice atomic-write --json "$n"; done; cat $'\\xff\\xfe' $'a\\nb' -- -n | wc -l`,
    );
    expect(status).toBe(0);
    expect(out).toContain(`"pathBytes":"${Buffer.from([0xff, 0xfe]).toString('base64')}"`);
    expect(out.trim().endsWith('3')).toBe(true);
  });
});

it.each([
  [[], 'missing file operand'],
  [['f', 'g'], "extra operand 'g'"],
  [['f', '--'], 'missing command after --'],
  [['--edit', 'f'], '--edit needs a command'],
  [['--edit', '-a', 'f', '--', 'x'], 'exclude each other'],
  [['--shell', 'x', 'f', '--', 'y'], 'exclude each other'],
  [['--max-shrink', '101', 'f'], 'Not a percentage'],
  [['--if-match', 'abc', 'f'], 'Not a sha256'],
  [['-m', '9', 'f'], 'Not a mode'],
  [['--seal', '', 'f'], 'a seal is one line'],
  [['-n', '-a', 'f'], '-n wants no file'],
  [['--durable=maybe', 'f'], 'Allowed choices'],
  [['--allow-emtpy', 'f'], 'did you mean --allow-empty'],
])('usage errors are found before anything is touched: %j', async (args, message) => {
  const { status, stderr } = await sluice(['atomic-write', ...args], { cwd: dir, input: 'x' });
  expect(status).toBe(2);
  expect(stderr).toContain(message);
  only();
});
