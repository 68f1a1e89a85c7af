import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { Following } from '../helpers/following.js';
import { bin, eventually, isRoot, shell, sluice, temporary } from '../helpers/sluice.js';
import { hasStrace } from '../helpers/strace.js';

let home: string;
let log: string;

beforeEach(() => {
  home = temporary();
  log = join(home, 'log');
});

/** Follows in `home`, armed when this returns. */
async function following(...args: string[]): Promise<Following> {
  const made = new Following(['--debug', ...args], { cwd: home });
  await made.follows();
  return made;
}

describe('what is added', () => {
  it('comes out as it is appended, in whatever pieces', async () => {
    writeFileSync(log, '1\n2\n3\n');
    const tail = await following('-n', '2', '-f', 'log');
    await tail.prints('2\n3\n');
    expect(tail.err).toContain('followed by events');
    appendFileSync(log, 'par');
    await tail.prints('2\n3\npar');
    appendFileSync(log, Buffer.from([0x74, 0xff, 10]));
    await tail.prints('2\n3\npart\xff\n');
    expect(await tail.stop('SIGINT')).toEqual({ status: null, signal: 'SIGINT' });
  });

  it('comes from several files under their headers', async () => {
    writeFileSync(join(home, 'a'), 'a1\n');
    writeFileSync(join(home, 'b'), 'b1\n');
    const tail = await following('-f', 'a', 'b');
    appendFileSync(join(home, 'b'), 'b2\n');
    await tail.prints('==> a <==\na1\n\n==> b <==\nb1\nb2\n');
    appendFileSync(join(home, 'a'), 'a2\n');
    await tail.prints('==> a <==\na1\n\n==> b <==\nb1\nb2\n\n==> a <==\na2\n');
  });

  it('is shown for each of two names of one file', async () => {
    writeFileSync(join(home, 'a'), '');
    linkSync(join(home, 'a'), join(home, 'b'));
    const tail = await following('-f', 'a', 'b');
    appendFileSync(join(home, 'a'), 'x\n');
    await eventually('both', () => tail.out.split('x\n').length === 3);
  });

  it('comes from 200 files at once', async () => {
    const names = Array.from({ length: 200 }, (_, i) => `f${i}`);
    for (const name of names) writeFileSync(join(home, name), '');
    const tail = await following('-q', '-F', ...names);
    for (const name of names) appendFileSync(join(home, name), `${name}\n`);
    await eventually('200 lines', () => tail.out.split('\n').length === 201);
    expect(new Set(tail.out.trim().split('\n'))).toEqual(new Set(names));
  });

  it('starts where +N says, even beyond the end', async () => {
    writeFileSync(log, 'abc\n');
    const tail = await following('-c', '+7', '-f', 'log');
    appendFileSync(log, 'defgh\n');
    await tail.prints('fgh\n');
    expect(tail.err).not.toContain('truncated');
  });

  it('comes from a FIFO, writer after writer', async () => {
    spawnSync('mkfifo', [log]);
    const tail = new Following(['-n', '+1', '-f', 'log'], { cwd: home });
    for (const text of ['one\n', 'two\n']) {
      await shell(`printf '${text}' > "${log}"`);
      await eventually(text, () => tail.out.endsWith(text));
    }
  });

  it('ends with a pipe on stdin, and follows a file there', async () => {
    const piped = await shell('seq 3 | sluice tail -n 1 -f; echo $?', { cwd: home });
    expect(piped.out).toBe('3\n0\n');
    writeFileSync(log, 'x\n');
    const tail = new Following([], {
      command: ['/bin/bash', '-c', `exec "${process.execPath}" "${bin}" tail -f < "${log}"`],
    });
    await tail.prints('x\n');
    appendFileSync(log, 'y\n');
    await tail.prints('x\ny\n');
  });
});

describe('rotation', () => {
  it('reads what comes to the old file while somebody has it open, and then the new one', async () => {
    writeFileSync(log, 'one\n');
    const fd = openSync(log, 'a');
    const tail = await following('-F', 'log');
    renameSync(log, `${log}.1`);
    writeFileSync(log, 'three\n');
    writeSync(fd, 'two\n');
    await tail.says(/a new file has its name/);
    writeSync(fd, 'two and a half\n');
    closeSync(fd);
    await tail.prints('one\ntwo\ntwo and a half\nthree\n');
  });

  it('hears those who open the old file again, though nobody had it open when the new one came', async () => {
    writeFileSync(log, '\xfe\xff\0o\0n\0e\0\n', 'latin1');
    const options = ['--debug', '--json', '--encoding', 'utf-16', '--rotate-wait', '60s'];
    const tail = new Following(['-F', ...options, 'log'], { cwd: home });
    await eventually('it follows', () => tail.out.includes('followed by'));
    renameSync(log, `${log}.1`);
    writeFileSync(log, '\xff\xfet\0w\0', 'latin1');
    await eventually('the next has its turn', () => tail.out.includes('nobody has it open for writing'));
    appendFileSync(`${log}.1`, '\0l\0a\0t\0e\0\n', 'latin1');
    const line = (offset: number, text: string) => ({ type: 'line', file: 'log', offset, text });
    const lines = () =>
      tail.out
        .split('\n')
        .slice(0, -1)
        .map((record) => JSON.parse(record))
        .filter(({ type }) => type === 'line');
    await eventually('the late line', () => lines().length === 2);
    appendFileSync(log, 'o\0\n\0', 'latin1');
    await eventually('the new line', () => lines().length === 3);
    expect(lines()).toEqual([line(2, 'one'), line(10, 'late'), line(2, 'two')]);
    // Another content is no line of this log.
    writeFileSync(`${log}.1`, '\0x\0\n', 'latin1');
    for (const count of [4, 5]) {
      appendFileSync(log, 'e\0\n\0', 'latin1');
      await eventually('a line more', () => lines().length >= count);
    }
    expect(lines().slice(3)).toEqual([line(10, 'e'), line(14, 'e')]);
  });

  it('does not wait for ever for a writer that is silent', async () => {
    writeFileSync(log, 'one\n');
    const fd = openSync(log, 'a');
    const tail = await following('-F', '-s', '60', '--rotate-wait', '300ms', 'log');
    renameSync(log, `${log}.1`);
    writeFileSync(log, 'two\n');
    await tail.prints('one\ntwo\n');
    expect(tail.err).toContain('no news for');
    closeSync(fd);
  });

  it('keeps the order over several rotations in a row', async () => {
    writeFileSync(log, '');
    const tail = await following('-F', 'log');
    let expected = '\n';
    for (let i = 0; i < 20; i++) {
      appendFileSync(log, `${i}\n`);
      renameSync(log, `${log}.${i}`);
      writeFileSync(log, `${i} new\n`);
      expected += `${i}\n${i} new\n`;
    }
    // Numbers that count upwards do not tell what was missed: a file that came and went between two looks may be. Nothing comes twice.
    await eventually('the last line', () => tail.out.endsWith('19 new\n'));
    const lines = tail.out.trim().split('\n');
    expect(new Set(lines).size).toBe(lines.length);
    const order = lines.map((line) => expected.indexOf(`\n${line}\n`));
    expect(order).toEqual([...order].sort((a, b) => a - b));
  });

  it('goes to whatever file a symlink is turned to', async () => {
    writeFileSync(join(home, 'a'), 'a\n');
    writeFileSync(join(home, 'b'), 'b\n');
    symlinkSync('a', log);
    const tail = await following('-F', 'log');
    symlinkSync('b', join(home, 'next'));
    renameSync(join(home, 'next'), log);
    await tail.prints('a\nb\n');
    appendFileSync(join(home, 'b'), 'more\n');
    await tail.prints('a\nb\nmore\n');
  });

  it('waits for files and directories that come and go', async () => {
    const path = join(home, 'x/y/log');
    // The clock would find them too, but need not.
    const tail = await following('-F', '-s', '60', 'x/y/log');
    expect(tail.err).toContain('x/y/log: no such file or directory');
    mkdirSync(join(home, 'x/y'), { recursive: true });
    writeFileSync(path, '1\n');
    await tail.prints('1\n');
    rmSync(join(home, 'x'), { recursive: true });
    await tail.says(/is gone: ENOENT/);
    mkdirSync(join(home, 'x/y'), { recursive: true });
    writeFileSync(path, '2\n');
    await tail.prints('1\n2\n');
  });

  it('finds the file of that name when a directory above it is another', async () => {
    const path = join(home, 'x/y/log');
    mkdirSync(join(home, 'x/y'), { recursive: true });
    writeFileSync(path, '2\n');
    const tail = await following('-F', 'x/y/log');
    renameSync(join(home, 'x'), join(home, 'old'));
    mkdirSync(join(home, 'x/y'), { recursive: true });
    writeFileSync(path, '3\n');
    await tail.prints('2\n3\n');
    appendFileSync(path, '4\n');
    await tail.prints('2\n3\n4\n');
  });

  it('shows nothing twice when a file is renamed away and back', async () => {
    writeFileSync(log, '1\n');
    const tail = await following('-F', 'log');
    renameSync(log, `${log}.1`);
    await tail.says(/is gone/);
    renameSync(`${log}.1`, log);
    await tail.says(/has appeared/);
    appendFileSync(log, '2\n');
    await tail.prints('1\n2\n');
  });

  it('stays with the descriptor when told so', async () => {
    writeFileSync(log, '1\n');
    const tail = await following('-f', 'log');
    renameSync(log, `${log}.1`);
    writeFileSync(log, 'other\n');
    appendFileSync(`${log}.1`, '2\n');
    await tail.prints('1\n2\n');
  });

  it('ends with 1 when the only file is deleted and nothing says to retry', async () => {
    writeFileSync(log, '1\n');
    const tail = await following('--follow=name', 'log');
    rmSync(log);
    expect((await tail.ended).status).toBe(1);
    expect(tail.err).toContain('no files remaining');
  });
});

describe('truncation', () => {
  it('shows the new content from its start', async () => {
    writeFileSync(log, 'one\ntwo\n');
    const tail = await following('-f', 'log');
    truncateSync(log, 0);
    await tail.says(/truncated/);
    appendFileSync(log, 'new\n');
    await tail.prints('one\ntwo\nnew\n');
    expect(tail.err).not.toContain('lost');
  });

  it('is known by the content, however far the file has grown since', async () => {
    writeFileSync(log, 'one\ntwo\n');
    const tail = await following('-f', 'log');
    tail.child.kill('SIGSTOP');
    writeFileSync(log, 'other lines than before\nand more of them\n');
    tail.child.kill('SIGCONT');
    await tail.prints('one\ntwo\nother lines than before\nand more of them\n');
    await tail.says(/truncated/);
  });

  it('is known by the first bytes though those before the position are the same', async () => {
    const same = 'the same\n'.repeat(500);
    writeFileSync(log, `one\n${same}`);
    const tail = await following('-n', '1', '-f', 'log');
    tail.child.kill('SIGSTOP');
    writeFileSync(log, `two\n${same}more\n`);
    tail.child.kill('SIGCONT');
    await tail.prints(`the same\ntwo\n${same}more\n`);
  });

  it('says that something may have been lost where nobody can know, with certainty where it was seen', async () => {
    writeFileSync(log, 'one\n');
    const tail = await following('-f', 'log');
    tail.child.kill('SIGSTOP');
    appendFileSync(log, 'never seen\n');
    truncateSync(log, 0);
    appendFileSync(log, 'two\n');
    tail.child.kill('SIGCONT');
    await tail.prints('one\ntwo\n');
    await tail.says(/log: may have been lost: what was written/);
  });

  it('says that nothing was lost, as it is, of a file that is written anew again and again', async () => {
    writeFileSync(log, 'begun\n');
    const tail = new Following(['--json', '--debug', '-F', 'log'], { cwd: home });
    await eventually('it follows', () => tail.out.includes('followed by'));
    // In several pieces it cannot be known without native calls.
    const pieces = process.env['SLUICE_NATIVE'] === '0' || !isRoot ? 1 : 4;
    for (let i = 0; i < 300; i++) {
      const fd = openSync(log, 'w');
      for (let piece = 1; piece <= pieces; piece++) writeSync(fd, `${i}: ${piece}\n`);
      closeSync(fd);
      await eventually(`rewriting ${i}`, () => tail.out.includes(`"${i}: ${pieces}"`));
    }
    expect(tail.out.match(/"type":"truncated"/g)).toHaveLength(300);
    expect(tail.out.match(/"type":"line"/g)).toHaveLength(1 + 300 * pieces);
    expect(tail.out).not.toContain('"lost"');
  });

  it('tells how much was lost that had been seen, while its reader was behind', async () => {
    const line = `${'x'.repeat(999)}\n`;
    writeFileSync(log, '');
    const tail = await following('-f', '-s', '60', '--timeout', '1h', 'log');
    tail.child.stdout!.pause();
    appendFileSync(log, line.repeat(20_000));
    // It reads no further once its output is full; but events show it how much there is.
    let before = '';
    let same = 0;
    await eventually('it has read what it can, and has seen all', () => {
      const now = readFileSync(`/proc/${tail.child.pid}/io`, 'utf8');
      same = now === before ? same + 1 : 0;
      before = now;
      return same > 20;
    });
    writeFileSync(log, 'new\n');
    tail.child.stdout!.resume();
    await tail.says(/log: lost: \d+ bytes that were there/);
    const lost = Number(/lost: (\d+) bytes/.exec(tail.err)?.[1]);
    await eventually('the new content', () => tail.out.endsWith('new\n'));
    expect(tail.out.length - 4 + lost).toBe(line.length * 20_000);
    expect(tail.err).not.toContain('may have been');
  });

  it('tells of the loss in a new file that waited for its turn', async () => {
    writeFileSync(log, 'one\n');
    const fd = openSync(log, 'a');
    const tail = await following('-F', 'log');
    renameSync(log, `${log}.1`);
    writeFileSync(join(home, 'next'), 'never printed\n');
    renameSync(join(home, 'next'), log);
    await tail.says(/a new file \(inode/);
    truncateSync(log, 0);
    closeSync(fd);
    await tail.says(/log: lost: 14 bytes/);
    appendFileSync(log, 'two\n');
    await tail.prints('one\ntwo\n');
  });
});

describe('the end', () => {
  it('comes with the last of several processes, after what they wrote', async () => {
    writeFileSync(log, '');
    const one = spawn('sleep', ['60']);
    const two = spawn('bash', ['-c', `read -r; echo bye >> "${log}"`]);
    const tail = await following('-f', '-s', '0.1', '--pid', String(one.pid), `--pid=${two.pid}`, 'log');
    one.kill();
    two.stdin.end('\n');
    expect((await tail.ended).status).toBe(0);
    expect(tail.out).toBe('bye\n');
  });

  it('is no failure where a name was waited for', async () => {
    const run = (...args: string[]) => sluice(['tail', '--timeout', '0.1', ...args], { cwd: home });
    expect(await run('-F', 'nope')).toMatchObject({ status: 0, stderr: expect.stringContaining('waiting for it') });
    expect(await run('-f', '--retry', 'nope')).toMatchObject({ status: 1 });
    // As GNU's tail ends when the processes are gone.
    writeFileSync(log, '');
    const ended = (...names: string[]) => sluice(['tail', '-F', '--pid', '2147483647', ...names], { cwd: home });
    expect(await ended('nope', 'log')).toMatchObject({ status: 0 });
    expect(await ended('nope')).toMatchObject({ status: 1 });
  });

  it('comes with --timeout', async () => {
    writeFileSync(log, 'x\n');
    const tail = new Following(['-f', '--timeout', '200ms', 'log'], { cwd: home });
    expect((await tail.ended).status).toBe(0);
    expect(tail.out).toBe('x\n');
  });

  it('comes with --timeout though the reader does not read, and after any time that was asked for', async () => {
    const line = `yes | head -c 8M > log; { sluice tail -n +1 -f --timeout 0.3 log; echo $? >&2; } | { sleep 1; cat; } | wc -c`;
    expect(await shell(line, { cwd: home })).toMatchObject({ out: expect.stringMatching(/^\d+\n$/), stderr: '0\n' });
    writeFileSync(log, '1\n');
    const tail = await following('-f', '--timeout', '60d', '-s', 'inf', 'log');
    expect(tail.err).not.toContain('TimeoutOverflow');
    appendFileSync(log, '2\n');
    await tail.prints('1\n2\n');
  });

  it('comes soon after the reader has gone, though nothing is added', async () => {
    writeFileSync(log, 'x\n');
    const line = `set -o pipefail; sluice tail -f log | head -n 1; echo \${PIPESTATUS[0]}`;
    const { out, stderr } = await shell(line, { cwd: home });
    expect(out).toBe('x\n141\n');
    expect(stderr).toBe('');
  });

  it('comes at once when there is nothing to follow', async () => {
    const { status, stderr } = await shell('sluice tail -f nope', { cwd: home });
    expect(status).toBe(1);
    expect(stderr).toContain('no files remaining');
  });
});

describe('without events', () => {
  it.skipIf(!hasStrace)('polls, and says so once', async () => {
    writeFileSync(log, '1\n');
    writeFileSync(join(home, 'b'), '');
    const tail = new Following(['--debug', '-q', '-s', '0.05', '-F', 'log', 'b'], {
      cwd: home,
      command: [
        ...['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'inject=inotify_add_watch:error=ENOSPC', '--'],
        ...[process.execPath, bin, 'tail'],
      ],
    });
    await tail.follows();
    appendFileSync(log, '2\n');
    await tail.prints('1\n2\n');
    renameSync(log, `${log}.1`);
    writeFileSync(log, '3\n');
    await tail.prints('1\n2\n3\n');
    truncateSync(log, 0);
    await tail.says(/log: may have been lost/);
    expect(tail.err.match(/no events to be had: ENOSPC/g)).toHaveLength(1);
    expect(tail.err).toMatch(/followed by a look every/);
  });
});
