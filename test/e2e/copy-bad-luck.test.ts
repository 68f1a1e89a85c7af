// `sluice copy` when things go wrong: a message worth reading, and the old file or the new one.

import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { traced as injected, positionOf } from '../helpers/injection.js';
import { bin, eventually, isRoot, outcome, shell, sluice, temporary } from '../helpers/sluice.js';
import { onTerminal } from '../helpers/terminal.js';
import { asNobody } from '../helpers/unprivileged.js';

let cwd: string;
const at = (name: string) => join(cwd, name);
const put = (name: string, content: string | Uint8Array = name) => writeFileSync(at(name), content);
const content = (name: string) => readFileSync(at(name), 'utf8');
const copy = (...args: string[]) => sluice(['copy', ...args], { cwd });
const left = (dir = cwd) => readdirSync(dir).filter((name) => name.includes('.sluice-'));
const has = (tool: string) => {
  try {
    execFileSync('/bin/sh', ['-c', `command -v ${tool}`]);
    return true;
  } catch {
    return false;
  }
};
const hasStrace = has('strace');

/** `sluice copy` under strace, which injects what `inject` says. */
const traced = (inject: string[], args: string) =>
  shell(
    `strace -f -qq -o trace -e trace=all ${inject.map((each) => `-e inject=${each}`).join(' ')} "${process.execPath}" "${bin}" copy ${args}`,
    {
      cwd,
      // strace counts calls by thread; V8's code is kept by a rename of its own.
      env: { SLUICE_NATIVE: '0', UV_THREADPOOL_SIZE: '1', NODE_DISABLE_COMPILE_CACHE: '1' },
    },
  );

beforeEach(() => {
  cwd = temporary();
});

describe('copy refuses what cannot be meant', () => {
  it('the same file, by any name', async () => {
    put('a', 'precious');
    symlinkSync('a', at('link'));
    execFileSync('ln', ['a', 'hard'], { cwd });
    mkdirSync(at('d'));
    symlinkSync('..', at('d/up'));
    for (const args of [
      ['a', 'a'],
      ['a', './a'],
      ['a', 'link'],
      ['link', 'a'],
      ['a', 'hard'],
      ['a', 'd/up/a'],
      ['a', '.'],
      ['--in-place', 'a', 'a'],
    ]) {
      const { status, stderr } = await copy(...args);
      expect(status, args.join(' ')).toBe(1);
      expect(stderr).toContain('same file');
    }
    expect((await shell('sluice copy a - >> a', { cwd })).status).toBe(1);
    expect((await shell('sluice copy - a < a', { cwd })).status).toBe(1);
    expect(content('a')).toBe('precious');
    expect(left()).toEqual([]);
  });

  it('a directory without -r, a missing source: the others are copied all the same', async () => {
    mkdirSync(at('d'));
    mkdirSync(at('to'));
    put('a');
    const { status, stderr } = await copy('d', 'none', 'a', 'to');
    expect(status).toBe(1);
    expect(stderr).toMatch(/^sluice copy: d: is a directory.*-r.*$/m);
    expect(stderr).toMatch(/^sluice copy: none: no such file or directory \(ENOENT, stat\) — /m);
    expect(content('to/a')).toBe('a');
  });

  it('two sources that would get one name', async () => {
    mkdirSync(at('x'));
    mkdirSync(at('y'));
    mkdirSync(at('to'));
    put('x/f', '1');
    put('y/f', '2');
    const { status, stderr } = await copy('x/f', 'y/f', 'to');
    expect(status).toBe(1);
    expect(stderr).toContain('will not overwrite');
    expect(content('to/f')).toBe('1');
  });

  it('names that are too long, a loop of links, a file where a directory should be', async () => {
    put('a');
    symlinkSync('loop', at('loop'));
    expect(await copy('a', 'n'.repeat(256))).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('ENAMETOOLONG'),
    });
    expect(await copy('a', 'n'.repeat(255))).toMatchObject({ status: 0 });
    expect(await copy('loop', 'b')).toMatchObject({ status: 1, stderr: expect.stringContaining('ELOOP') });
    expect(await copy('a', 'a/b')).toMatchObject({ status: 1, stderr: expect.stringContaining('ENOTDIR') });
    expect(await copy('a', 'nodir/b')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/nodir\/b: no such file or directory \(ENOENT/),
    });
  });

  it.skipIf(!isRoot)('what nobody may not read or write (needs root to become nobody)', async () => {
    chmodSync(cwd, 0o755);
    put('secret');
    chmodSync(at('secret'), 0o600);
    put('open');
    mkdirSync(at('closed'));
    mkdirSync(at('his'));
    chmodSync(at('his'), 0o777);
    const secret = await asNobody(['copy', 'secret', 'his/x'], { cwd });
    expect(secret).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/secret: permission denied \(EACCES, open\)/),
    });
    const closed = await asNobody(['copy', 'open', 'closed/x'], { cwd });
    expect(closed).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/closed\/x: permission denied \(EACCES, open\) — destination left as it was/),
    });
    expect(await asNobody(['copy', 'open', 'his/x'], { cwd })).toMatchObject({ status: 0, stderr: '' });
    expect(left(at('his'))).toEqual([]);
    // What can be written to but not replaced is said to be so.
    put('closed/his', 'old');
    chmodSync(at('closed/his'), 0o666);
    const { stderr } = await asNobody(['copy', 'open', 'closed/his'], { cwd });
    expect(stderr).toContain(
      'closed/his: permission denied (EACCES, open) — destination left as it was; --in-place would write into it\n',
    );
    expect((await asNobody(['copy', '--in-place', 'open', 'closed/his'], { cwd })).status).toBe(0);
    expect(content('closed/his')).toBe('open');
  });

  it.skipIf(!isRoot)(
    'an owner that nobody may not give is counted, costs the set-id bits, and --strict makes it fail',
    async () => {
      chmodSync(cwd, 0o777);
      put('a');
      chownSync(at('a'), 0, 0);
      chmodSync(at('a'), 0o4775);
      const kept = await asNobody(['copy', '-p', 'a', 'b'], { cwd });
      expect(kept).toMatchObject({ status: 0, stderr: expect.stringContaining('kept everything but: 1 owner') });
      expect(statSync(at('b')).mode & 0o7777).toBe(0o755); // and the group, another one, gets no more than others
      expect((await asNobody(['copy', '-p', '--strict', 'a', 'c'], { cwd })).status).toBe(1);
    },
  );
});

describe('copy on a full disk', () => {
  it.skipIf(!isRoot)('leaves the old file, no temp, and says so (needs root to mount)', async () => {
    mkdirSync(at('m'));
    put('big', Buffer.alloc(3 << 20, 1));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', at('m')]);
    try {
      put('m/f', 'old');
      const { status, stderr } = await copy('big', 'm/f');
      expect(stderr).toMatch(
        /^sluice copy: m\/f: no space left on device \(ENOSPC, write\) — destination left as it was\n$/,
      );
      expect(status).toBe(1);
      expect(content('m/f')).toBe('old');
      expect(left(at('m'))).toEqual([]);
      const stdin = await shell('sluice copy - m/g < big', { cwd });
      expect(stdin).toMatchObject({ status: 1, stderr: expect.stringContaining('ENOSPC') });
      expect(existsSync(at('m/g'))).toBe(false);
      const inPlace = await copy('--in-place', 'big', 'm/f');
      expect(inPlace).toMatchObject({ status: 1, stderr: expect.stringContaining('incomplete') });
    } finally {
      execFileSync('umount', [at('m')]);
    }
  });
});

describe.skipIf(!hasStrace)('copy with failing system calls (needs strace)', () => {
  beforeEach(() => {
    put('a', Buffer.alloc(700_000, 'new'));
    put('b', 'old');
  });
  const old = () => {
    expect(content('b')).toBe('old');
    expect(left()).toEqual([]);
  };

  it('--verify --durable: fsync, rename, fsync of the directory, in that order', async () => {
    const { status } = await traced([], 'a b --verify --durable');
    expect(status).toBe(0);
    const calls = readFileSync(at('trace'), 'utf8')
      .split('\n')
      // The call's own name: what it reads may be our code.
      .flatMap((line) => /^\d+ +(fsync|rename)\w*\(/.exec(line)?.[1] ?? []);
    expect(calls).toEqual(['fsync', 'rename', 'fsync']);
    expect(content('b')).toBe(content('a'));
  });

  it('a short write is gone on with', async () => {
    // The kernel is told to take a few bytes only: the call's length is not changed, so its answer has to be believed.
    expect((await shell(`ulimit -f 400; sluice copy a b`, { cwd })).status).not.toBe(0); // EFBIG at 400 KiB
    old();
  });

  it('a write that took less than it said: what has come is counted at the end', () => {
    const args = [bin, 'copy', 'a', 'b'];
    const env = { ...process.env, SLUICE_NATIVE: '0', UV_THREADPOOL_SIZE: '1' };
    const run = injected(process.execPath, args, { cwd, env });
    const last = positionOf(run, 'write', (line) => line.includes('.b.sluice-'), 'last');
    const taken = /= (\d+)$/.exec(
      run.calls.findLast((line) => line.startsWith('write(') && line.includes('.b.sluice-'))!,
    );
    put('b', 'old');
    const inject = [`write:retval=${taken![1]}:when=${last}`];
    const { status, stderr } = injected(process.execPath, args, { cwd, env, inject });
    expect(stderr).toMatch(/b: only \d+ of 700000 bytes were written — destination left as it was/);
    expect(status).toBe(1);
    old();
  });

  it('--verify: storage that gives back something else is told, and nothing replaced', () => {
    const args = [bin, 'copy', '--verify', 'a', 'b'];
    const run = injected(process.execPath, args, { cwd });
    expect([run.status, content('b')]).toEqual([0, content('a')]);
    put('b', 'old');
    const readBack = positionOf(run, 'pread64', (line) => line.includes('.b.sluice-'));
    const { status, stderr } = injected(process.execPath, args, {
      cwd,
      inject: [`pread64:poke_exit=@arg2=00:when=${readBack}`],
    });
    expect(stderr).toBe('sluice copy: b: what was read back is not what was written — destination left as it was\n');
    expect(status).toBe(1);
    old();
  });

  it('a signal that comes with the end of the input wins: the producer may have died of the same', () => {
    const args = ['-c', 'printf new | "$0" "$1" copy - b', process.execPath, bin];
    // Where the end of the pipe comes among the reads depends a little on who is first.
    for (let tries = 0; tries < 20; tries++) {
      put('b', 'old');
      const end = positionOf(injected('/bin/sh', args, { cwd }), 'read', (line) => /<pipe:.*= 0$/.test(line), 'last');
      put('b', 'old');
      const { calls } = injected('/bin/sh', args, { cwd, inject: [`read:signal=INT:when=${end}`] });
      const signal = calls.findIndex((line) => line.startsWith('--- SIGINT'));
      if (!/^read\(.*<pipe:.*= 0$/.test(calls[signal - 1] ?? '')) continue;
      old();
      return;
    }
    throw new Error('the signal never came with the end');
  });

  it('EIO on reading: the source is named, and the destination is what it was', async () => {
    const inject = `-P "$PWD/a" -e trace=read,pread64 -e inject=read,pread64:error=EIO`;
    const { status, stderr } = await shell(
      `strace -f -qq -o trace ${inject} "${process.execPath}" "${bin}" copy --reflink never a b`,
      { cwd, env: { SLUICE_NATIVE: '0' } },
    );
    expect(stderr).toMatch(/copy: a: i\/o error \(EIO, read\) — destination left as it was/);
    expect(status).toBe(1);
    old();
  });

  // Every call that has to do with one of the three files, or their directory, fails in one run.
  it.each([[[]], [['-p', '--durable', '--preserve=xattr']], [['--backup', '--verify']]])(
    'EIO anywhere, with options %j: old and an error, or new; never a temp file',
    { timeout: 120_000 },
    (options) => {
      put('a', 'new'.repeat(100));
      const ours = (line: string) =>
        line.replace(/AT_FDCWD<.*?>/g, '').includes(cwd) || /"(a|b|b~|\.|\.\/\.b.*)"/.test(line);
      const args = [bin, 'copy', ...options, 'a', 'b'];
      const again = () => {
        put('b', 'old');
        rmSync(at('b~'), { force: true });
      };
      again();
      const run = injected(process.execPath, args, { cwd });
      expect(run.status).toBe(0);
      const counts = new Map<string, number>();
      let tried = 0;
      for (const [i, line] of run.calls.entries()) {
        const call = /^\w+/.exec(line)?.[0] ?? '';
        const key = `${run.threads[i]} ${call}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
        if (call === '' || !ours(line) || /^(execve|getcwd)/.test(line)) continue;
        again();
        const { status, stderr } = injected(process.execPath, args, {
          cwd,
          inject: [`${call}:error=EIO:when=${counts.get(key)}`],
        });
        const now = content('b') === 'old' ? 'old' : content('b') === 'new'.repeat(100) ? 'new' : 'neither';
        const told = /\(EIO, /.test(stderr);
        expect([line, now, status, told, left()]).toEqual(
          now === 'new' ? [line, 'new', told && status === 4 ? 4 : 0, status === 4, []] : [line, 'old', 1, true, []],
        );
        tried++;
      }
      expect(tried).toBeGreaterThan(10);
    },
  );

  it('fsync of the file that fails: exit 1, tried once, the old file stays', async () => {
    const { status, stderr } = await traced(['fsync:error=EIO:when=1'], 'a b --durable');
    expect(stderr).toMatch(/b: i\/o error \(EIO, fsync\) — destination left as it was/);
    expect(status).toBe(1);
    old();
    expect(readFileSync(at('trace'), 'utf8').match(/ fsync\(/g)).toHaveLength(1);
  });

  it('fsync of the directory that fails: the new file is there, a warning, exit 4', async () => {
    const { status, stderr } = await traced(['fsync:error=EIO:when=2'], 'a b --durable');
    expect(status).toBe(4);
    expect(stderr).toMatch(/warning: .*may not survive a power cut/);
    expect(content('b')).toBe(content('a'));
    expect(left()).toEqual([]);
  });

  it('chmod of the temp that fails: exit 1, the old file stays', async () => {
    const { status, stderr } = await traced(['fchmod:error=EIO'], 'a b --reflink never');
    expect(stderr).toMatch(/b: i\/o error \(EIO, fchmod\)/);
    expect(status).toBe(1);
    old();
  });
});

describe('copy that is interrupted', () => {
  /** A copy that takes its time, once its temp file is there. */
  async function slow(...args: string[]) {
    put('a', Buffer.alloc(4 << 20, 'new'));
    put('b', 'old');
    const child = spawn(process.execPath, [bin, 'copy', '--limit-rate', '1M', ...args, 'a', 'b'], {
      cwd,
      stdio: 'pipe',
    });
    const ended = outcome(child);
    await eventually('the temp file is there', () => left().length > 0);
    return { child, ended };
  }

  it.each([
    'SIGINT',
    'SIGTERM',
    'SIGHUP',
    'SIGQUIT',
  ] as const)('%s: dies of it, the old file stays, no temp is left', async (signal) => {
    const { child, ended } = await slow();
    child.kill(signal);
    const { signal: died, stderr } = await ended;
    expect({ died, stderr }).toEqual({ died: signal, stderr: '' });
    expect(content('b')).toBe('old');
    expect(left()).toEqual([]);
  });

  it.each([
    ['nohup', (run: string) => `nohup ${run} 2> nohup.err`],
    ["a shell that has said trap '' HUP", (run: string) => `/bin/bash -c "trap '' HUP; ${run}; exit \\$?"`],
  ])('SIGHUP: goes on under %s', async (_, line) => {
    put('a', Buffer.alloc(300_000, 'a'));
    put('b', 'old');
    writeFileSync(at('run'), `echo $$ > pid\nexec "${process.execPath}" "${bin}" copy --limit-rate=150K a b\n`);
    const ended = onTerminal({ shell: line('/bin/sh ./run') }, { cwd });
    const pid = await eventually('it is at work', () => (left().length > 0 ? Number(content('pid')) : 0));
    process.kill(pid, 'SIGHUP');
    expect((await ended).status).toBe(0);
    expect(readFileSync(at('b')).length).toBe(300_000);
  });

  it('kill -9: the old file stays', async () => {
    const { child, ended } = await slow();
    child.kill('SIGKILL');
    await ended;
    expect(content('b')).toBe('old');
    expect(left()).toHaveLength(1);
  });

  it('waiting for stdin too', async () => {
    put('b', 'old');
    const child = spawn(process.execPath, [bin, 'copy', '-', 'b'], { cwd, stdio: 'pipe' });
    const ended = outcome(child);
    child.stdin.write('part');
    await eventually('the temp file is there', () => left().length > 0);
    child.kill('SIGTERM');
    expect((await ended).signal).toBe('SIGTERM');
    expect(content('b')).toBe('old');
    expect(left()).toEqual([]);
  });

  it('--resume goes on where it was, and only with the same source', async () => {
    const { child, ended } = await slow('--resume');
    await eventually('something is copied', () => statSync(at(left()[0]!)).size > 300_000);
    child.kill('SIGTERM');
    await ended;
    expect(content('b')).toBe('old');
    expect(left()).toHaveLength(1);
    const { stderr, status } = await copy('--resume', '--debug', '--checksum', 'a', 'b');
    expect(status).toBe(0);
    expect(stderr).toMatch(/resuming after [1-9]\d+ of/);
    expect(readFileSync(at('b')).equals(readFileSync(at('a')))).toBe(true);
    expect(left()).toEqual([]);

    const again = await slow('--resume');
    await eventually('something is copied', () => statSync(at(left()[0]!)).size > 300_000);
    again.child.kill('SIGKILL');
    await again.ended;
    const [kept] = left();
    writeFileSync(at(kept!), Buffer.alloc(statSync(at(kept!)).size)); // as after a power cut
    expect((await copy('--resume', 'a', 'b')).status).toBe(0);
    expect(readFileSync(at('b')).equals(readFileSync(at('a')))).toBe(true);
  });

  it('--resume: of two copies with one partial file the second leaves the first alone', async () => {
    const { child, ended } = await slow('--resume');
    await eventually('something is copied', () => statSync(at(left()[0]!)).size > 300_000);
    const second = await copy('--resume', 'a', 'b');
    expect(second).toMatchObject({ status: 1, stderr: expect.stringContaining('EBUSY') });
    expect(content('b')).toBe('old');
    child.kill('SIGKILL');
    await ended;
    expect((await copy('--resume', 'a', 'b')).status).toBe(0);
    expect(readFileSync(at('b')).equals(readFileSync(at('a')))).toBe(true);
  });

  it('killed at 50 random moments: the file is always whole', { timeout: 60_000 }, async () => {
    const versions = ['1', '2'].map((digit) => Buffer.alloc(8 << 20, digit));
    versions.forEach((bytes, i) => void put(`v${i}`, bytes));
    const known = new Set(versions.map((bytes) => createHash('sha256').update(bytes).digest('hex')));
    put('g', versions[0]!);
    for (let round = 0; round < 50; round++) {
      const signal = (['SIGINT', 'SIGTERM', 'SIGKILL'] as const)[round % 3]!;
      const child = spawn(process.execPath, [bin, 'copy', '--reflink=never', `v${round % 2}`, 'g'], {
        cwd,
        stdio: 'ignore',
      });
      const ended = outcome(child);
      setTimeout(() => child.kill(signal), Math.random() * 120);
      await ended;
      expect(known).toContain(
        createHash('sha256')
          .update(readFileSync(at('g')))
          .digest('hex'),
      );
      if (signal === 'SIGKILL') for (const name of left()) unlinkSync(at(name));
      else expect(left()).toEqual([]);
    }
  });

  it('a reader sees only whole versions while the file is replaced', { timeout: 60_000 }, async () => {
    const whole = ['1', '2'].map((digit) => Buffer.alloc(8 << 20, digit));
    whole.forEach((bytes, i) => void put(`v${i}`, bytes));
    put('g', whole[0]!);
    // Bytes on their way are what there is to be seen, not starts of the program.
    const writer = shell('for i in $(seq 10); do sluice copy v$((i % 2)) g || echo failed; done', { cwd });
    let over = false;
    void writer.then(() => {
      over = true;
    });
    let looks = 0;
    while (!over) {
      const bytes = readFileSync(at('g'));
      expect(whole.some((version) => version.equals(bytes))).toBe(true);
      looks++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await writer).toMatchObject({ out: '', stderr: '' });
    expect(looks).toBeGreaterThan(40);
  });
});

describe('copy of a source that does not hold still', () => {
  async function during(change: () => void, ...args: string[]) {
    put('a', Buffer.alloc(1 << 20, 1));
    const child = spawn(process.execPath, [bin, 'copy', '--limit-rate', '1M', ...args, 'a', 'b'], {
      cwd,
      stdio: 'pipe',
    });
    const ended = outcome(child);
    await eventually('it is under way', () => left().some((name) => statSync(at(name)).size > 100_000));
    change();
    return ended;
  }

  it('grew: a warning', async () => {
    const { status, stderr } = await during(() => appendFileSync(at('a'), 'more'));
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining('grew while it was copied') });
    expect(statSync(at('b')).size).toBe(1 << 20);
  });

  it('changed: copied again', async () => {
    const { status } = await during(() => writeSync(openSync(at('a'), 'r+'), 'XX', 500_000));
    expect(status).toBe(0);
    expect(readFileSync(at('b')).equals(readFileSync(at('a')))).toBe(true);
  });

  it('changed, but that is allowed: copied again all the same, without a warning', async () => {
    const { status, stderr } = await during(() => writeSync(openSync(at('a'), 'r+'), 'XX', 500_000), '--allow-changed');
    expect([status, stderr]).toEqual([0, '']);
    expect(readFileSync(at('b')).equals(readFileSync(at('a')))).toBe(true);
  });

  it('shrank: copied again, and never hangs', async () => {
    const { status } = await during(() => truncateSync(at('a'), 1000));
    expect(status).toBe(0);
    expect(statSync(at('b')).size).toBe(1000);
  });

  it('changes all the time: named, exit 1, nothing made; --allow-changed warns', async () => {
    let timer: NodeJS.Timeout | undefined;
    const restless = () => {
      const fd = openSync(at('a'), 'r+');
      timer = setInterval(() => writeSync(fd, String(Math.random()), 10), 5);
    };
    const { status, stderr } = await during(restless);
    expect(status).toBe(1);
    expect(stderr).toMatch(/a: source changed while it was copied/);
    expect(existsSync(at('b'))).toBe(false);
    const allowed = await during(restless, '--allow-changed');
    clearInterval(timer);
    expect(allowed).toMatchObject({ status: 0, stderr: expect.stringContaining('changed while it was copied') });
  });

  it('vanished: named, exit 1, nothing made; --allow-changed warns', async () => {
    const { status, stderr } = await during(() => unlinkSync(at('a')));
    expect(status).toBe(1);
    expect(stderr).toMatch(/a: vanished while it was copied/);
    expect(existsSync(at('b'))).toBe(false);
    const allowed = await during(() => unlinkSync(at('a')), '--allow-changed');
    expect(allowed).toMatchObject({ status: 0, stderr: expect.stringContaining('vanished') });
  });
});
