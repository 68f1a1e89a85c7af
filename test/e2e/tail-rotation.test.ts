import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { Following } from '../helpers/following.js';
import { bin, eventually, root, sluice, temporary } from '../helpers/sluice.js';

let home: string;
let log: string;

beforeEach(() => {
  home = temporary();
  log = join(home, 'log');
});

const writer = (...args: (string | number)[]) =>
  spawn(process.execPath, [join(root, 'test/helpers/rotating-writer.mjs'), ...args.map(String)]);

/** All lines, in order, each file's late line after its others. */
function complete(lines: number, late: boolean): string {
  let text = '';
  for (let i = 1; i <= lines; i++) {
    text += `line ${i}\n`;
    if (late && i % Math.ceil(lines / 20) === 0 && i !== lines) text += `late ${i}\n`;
  }
  return `${text}end\n`;
}

describe('20,000 lines while the log is rotated', () => {
  it.each(['rename', 'recreate'])('come once each and in order: %s', async (how) => {
    writeFileSync(log, '');
    const tail = new Following(['--debug', '-F', 'log'], { cwd: home });
    await tail.follows();
    const child = writer(log, 20_000, how);
    // A deleted file that was never seen is nobody's to find again: each is seen before it goes.
    child.stdout.on('data', async (number) => {
      await eventually('it has read so far', () => tail.out.includes(`line ${String(number).trim()}\n`));
      child.stdin.write('go\n');
    });
    await eventually('the end', () => tail.out.endsWith('end\n'));
    const [lines, expected] = [tail.out.split('\n'), complete(20_000, true).split('\n')];
    const at = expected.findIndex((line, i) => line !== lines[i]);
    expect(lines.slice(at, at + 3), `differs from line ${at} on: ${tail.err}`).toEqual(expected.slice(at, at + 3));
    expect(lines.length).toBe(expected.length);
  });

  it('come, or are said to be lost: copytruncate', async () => {
    writeFileSync(log, '');
    const tail = new Following(['--json', '-F', 'log'], { cwd: home });
    await eventually('it has begun', () => {
      appendFileSync(log, 'begun\n');
      return tail.out !== '';
    });
    truncateSync(log, 0);
    await eventually('truncated', () => tail.out.includes('truncated'));
    const before = tail.out.length;
    writer(log, 20_000, 'copytruncate', 5);
    await eventually('the end', () => tail.out.includes('"end"'));
    // Between two truncations either every line is there, or a loss is told.
    let expected = 1;
    let told = false;
    for (const record of tail.out.slice(before).trim().split('\n')) {
      const { type, text } = JSON.parse(record) as { type: string; text?: string };
      if (type === 'lost' || type === 'truncated') told ||= type === 'lost';
      else if (text?.startsWith('line ')) {
        const number = Number(text.slice(5));
        expect(number === expected || told || number < expected, `a gap at ${expected}, found ${number}`).toBe(true);
        if (number !== expected) told = false;
        expected = number + 1;
      }
    }
  });
});

describe('--checkpoint', () => {
  const once = (...more: string[]) => sluice(['tail', '--checkpoint', 'state', ...more, 'log'], { cwd: home });

  it('is where a symlink leads to, which stays one', async () => {
    writeFileSync(log, 'one\n');
    symlinkSync('real', join(home, 'state'));
    expect((await once('-n', '1')).out).toBe('one\n');
    expect(readlinkSync(join(home, 'state'))).toBe('real');
    writeFileSync(log, 'one\ntwo\n');
    expect((await once()).out).toBe('two\n');
  });

  it('remembers the end of the last older file while the new one is empty', async () => {
    writeFileSync(log, '1\n');
    const tail = new Following(['-n', '+1', '-F', '--checkpoint', 'state', 'log'], { cwd: home });
    await tail.prints('1\n');
    appendFileSync(log, '2\n');
    renameSync(log, `${log}.1`);
    writeFileSync(log, '');
    await tail.says(/a new file has its name/);
    await tail.prints('1\n2\n');
    const state = join(home, 'state');
    await eventually('its end', () => existsSync(state) && readFileSync(state, 'utf8').includes('"offset":4'));
    await tail.stop();
    expect((await once()).out, 'left by the follower').toBe('');
    appendFileSync(`${log}.1`, '3\n');
    expect((await once()).out).toBe('3\n');
    expect((await once()).out, 'plain').toBe('');
    // The way of those who compress at once: two more files beside the empty one.
    writeFileSync(`${log}.2.gz`, gzipSync(readFileSync(`${log}.1`)));
    writeFileSync(`${log}.1.gz`, gzipSync('4\n'));
    rmSync(`${log}.1`);
    expect((await once()).out).toBe('4\n');
    expect((await once()).out, 'compressed').toBe('');
    rmSync(log);
    expect(await once()).toMatchObject({ status: 1, out: '' });
    writeFileSync(log, '5\n');
    expect((await once()).out).toBe('5\n');
    rmSync(state);
    writeFileSync(log, '');
    expect((await once('-n', '1', '--across-rotations')).out).toBe('4\n');
    expect((await once('-n', '1', '--across-rotations')).out).toBe('');
    const onDirectory = await sluice(['tail', '--checkpoint', '.', 'log'], { cwd: home });
    expect(onDirectory).toMatchObject({ status: 1, stderr: expect.stringMatching(/^sluice tail: \.: .*EISDIR/) });
  });

  it('leaves no gap, however often it is killed, while the log is rotated', async () => {
    writeFileSync(log, '');
    await once('-n', '1');
    const child = writer(log, 20_000, 'rename', 40);
    let ended = false;
    child.on('exit', () => {
      ended = true;
    });
    const args = ['-F', '--checkpoint', 'state', 'log'];
    let out = '';
    let random = 7;
    while (!ended) {
      const tail = new Following(args, { cwd: home });
      random = (random * 48271) % 0x7fffffff;
      await Promise.race([
        new Promise((resolve) => setTimeout(resolve, 100 + (random % 300))),
        new Promise((resolve) => child.once('exit', resolve)),
      ]);
      await tail.stop('SIGKILL');
      out += `${tail.out}\n`;
    }
    // All of it may have been remembered before the last kill.
    out += (await once()).out;
    expect(out).toContain('\nend\n');
    const seen = new Set(out.split('\n'));
    expect(
      complete(20_000, true)
        .split('\n')
        .filter((line) => !seen.has(line)),
    ).toEqual([]);
    // Only what was printed right before a kill comes twice, never all from the beginning each time.
    expect(out.split('\n').length).toBeLessThan(20_000 * 3);
  });

  it('goes on where the last run ended, through rotated and compressed files', async () => {
    writeFileSync(log, '1\n2\n3\n');
    expect((await once('-n', '1')).out).toBe('3\n');
    expect((await once('-n', '1')).out).toBe('');
    appendFileSync(log, '4\n');
    writeFileSync(`${log}.2.gz`, gzipSync(readFileSync(log)));
    writeFileSync(`${log}.1`, '5\n6\n');
    writeFileSync(log, '7\n');
    expect((await once('-n', '1')).out).toBe('4\n5\n6\n7\n');
  });

  it('is not deceived by a new file that has the number of an old inode', async () => {
    writeFileSync(log, '');
    await once();
    const { ino } = statSync(log);
    writeFileSync(`${log}.1.gz`, gzipSync('1\n'));
    for (let i = 0; i < 50; i++) {
      // Most filesystems give the number to the next file.
      rmSync(log);
      writeFileSync(log, '2\n');
      if (statSync(log).ino === ino) break;
    }
    expect((await once()).out).toBe('1\n2\n');
  });

  it('knows where it was though the file that it went on to was empty, and is compressed now', async () => {
    writeFileSync(log, '1\n');
    const tail = new Following(['--debug', '-F', '--checkpoint', 'state', 'log'], { cwd: home });
    await tail.follows();
    await tail.prints('1\n');
    await eventually('it is remembered', () => existsSync(join(home, 'state')));
    renameSync(log, `${log}.1`);
    writeFileSync(log, '');
    await tail.says(/done with the old file/);
    await tail.stop();
    writeFileSync(`${log}.3.gz`, gzipSync('1\n'));
    writeFileSync(`${log}.2.gz`, gzipSync('2\n'));
    writeFileSync(`${log}.1`, '3\n');
    rmSync(log);
    writeFileSync(log, '4\n');
    expect(await once()).toMatchObject({ out: '2\n3\n4\n', stderr: '' });
  });

  it('finds the copy that copytruncate made', async () => {
    writeFileSync(log, '1\n2\n');
    await once();
    appendFileSync(log, '3\n');
    writeFileSync(`${log}.1`, readFileSync(log));
    writeFileSync(log, '4\n');
    expect((await once()).out).toBe('3\n4\n');
  });

  it('says so where its place is in no file any more', async () => {
    writeFileSync(log, '1\n2\n');
    await once();
    writeFileSync(log, 'other\n');
    const { out, stderr, status } = await once();
    expect({ out, status }).toEqual({ out: 'other\n', status: 0 });
    expect(stderr).toContain('lost: byte 4, where the last run ended, is in no file any more');
  });

  it('goes on at the beginning of a line that had not ended', async () => {
    writeFileSync(log, '1\npart');
    const first = new Following(['--json', '-f', '--checkpoint', 'state', 'log'], { cwd: home });
    await eventually('the line', () => first.out.includes('"1"') && existsSync(join(home, 'state')));
    await first.stop('SIGKILL');
    appendFileSync(log, 'ial\n');
    const { out } = await once('--json');
    expect(out).toContain('{"type":"line","file":"log","offset":2,"text":"partial"}\n');
  });

  it('goes on after the line that --until waited for, not after what was read with it', async () => {
    writeFileSync(log, '1\nstop\n3\n');
    expect((await once('--until', 'stop')).out).toBe('1\nstop\n');
    expect((await once()).out).toBe('3\n');
    const tail = new Following(['--debug', '-f', '--until', 'stop', '--checkpoint', 'state', 'log'], { cwd: home });
    await tail.follows();
    appendFileSync(log, '4\nstop\n6\n');
    expect((await tail.ended).status).toBe(0);
    expect((await once()).out).toBe('6\n');
  });

  it('does not keep a signal waiting while its reader does not read', async () => {
    const line = Buffer.alloc(100, 'x');
    line[99] = 10;
    writeFileSync(log, Buffer.alloc(8 * 2 ** 20, line));
    const run = `"${process.execPath}" "${bin}" tail -n +1 -f --checkpoint state log & echo $! > pid; wait`;
    const child = spawn('/bin/bash', ['-c', `{ ${run}; } | { head -c 3000000 > /dev/null; exec sleep 60; }`], {
      cwd: home,
      stdio: 'ignore',
      detached: true,
    });
    try {
      let before = '';
      let same = 0;
      await eventually('it has begun, and goes no further', () => {
        const now = existsSync(join(home, 'state')) ? readFileSync(join(home, 'state'), 'utf8') : '';
        same = now !== '' && now === before ? same + 1 : 0;
        before = now;
        return same > 20;
      });
      const pid = Number(readFileSync(join(home, 'pid'), 'utf8'));
      process.kill(pid, 'SIGTERM');
      await eventually('its end', () => !existsSync(`/proc/${pid}`), 5000);
    } finally {
      process.kill(-child.pid!, 'SIGKILL');
    }
  });

  it('never overwrites what is no checkpoint', async () => {
    writeFileSync(log, '1\n');
    writeFileSync(join(home, 'state'), 'my diary\n');
    const { status, stderr } = await once();
    expect(status).toBe(1);
    expect(stderr).toContain('state: not a checkpoint of this version');
    expect(readFileSync(join(home, 'state'), 'utf8')).toBe('my diary\n');
  });

  it('goes on with what was added to a file that was renamed, and with the new one', async () => {
    writeFileSync(log, 'same\n');
    await once();
    appendFileSync(log, 'same\n');
    renameSync(log, `${log}.1`);
    writeFileSync(log, 'same\nsame\nsame\n');
    expect((await once()).out).toBe('same\n'.repeat(4));
  });
});

describe('--across-rotations', () => {
  it('takes from older files what the newest has too little of', async () => {
    writeFileSync(`${log}.3.gz`, gzipSync('1\n2\n3\n'));
    writeFileSync(`${log}.2`, '4\n5\n');
    writeFileSync(`${log}.1`, '');
    writeFileSync(log, '6\n7');
    const run = async (n: number) =>
      (await sluice(['tail', '-n', `${n}`, '--across-rotations', 'log'], { cwd: home })).out;
    expect(await run(2)).toBe('6\n7');
    expect(await run(3)).toBe('5\n6\n7');
    expect(await run(5)).toBe('3\n4\n5\n6\n7');
    expect(await run(50)).toBe('1\n2\n3\n4\n5\n6\n7');
  });

  it('takes them line by line from the middle of a plain older file, and stops at a damaged one', async () => {
    writeFileSync(`${log}.1`, 'a\nb\n');
    writeFileSync(log, 'c\n');
    const records = (...args: string[]) => sluice(['tail', '--json', ...args, 'log'], { cwd: home });
    const line = (offset: number, text: string) => `${JSON.stringify({ type: 'line', file: 'log', offset, text })}\n`;
    expect(await records('--across-rotations', '-n', '2')).toMatchObject({
      status: 0,
      out: line(2, 'b') + line(0, 'c'),
    });
    writeFileSync(`${log}.2.gz`, 'no archive');
    const damaged = await sluice(['tail', '--across-rotations', '-n', '4', 'log'], { cwd: home });
    expect(damaged).toMatchObject({ status: 1, out: 'a\nb\nc\n', stderr: expect.stringContaining('log.2.gz: ') });
    // A checkpoint in the middle of one.
    rmSync(`${log}.2.gz`);
    renameSync(log, join(home, 'kept'));
    renameSync(`${log}.1`, log);
    writeFileSync(log, 'a\n');
    await records('--checkpoint', 'state');
    appendFileSync(log, 'b\n');
    renameSync(log, `${log}.1`);
    renameSync(join(home, 'kept'), log);
    expect(await records('--checkpoint', 'state')).toMatchObject({ status: 0, out: line(2, 'b') + line(0, 'c') });
  });

  it('goes with -n N alone', async () => {
    for (const other of [
      ['-c', '5'],
      ['-n', '+5'],
    ])
      expect((await sluice(['tail', ...other, '--across-rotations', 'log'], { cwd: home })).status).toBe(2);
  });
});
