import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { command, shell, sluice, temporary } from '../helpers/sluice.js';

const hasGnuTail = /GNU coreutils/.test(spawnSync('tail', ['--version']).stdout?.toString() ?? '');

/** The same shell line, once with GNU's tail and once with ours. */
async function both(line: string, cwd: string, env: NodeJS.ProcessEnv = {}) {
  const [gnu, ours] = await Promise.all([
    command('/bin/bash', ['-c', line], { cwd, env }),
    shell(line.replace(/\btail\b/g, 'sluice tail'), { cwd, env }),
  ]);
  return { gnu, ours };
}

describe.skipIf(!hasGnuTail)("beside GNU's tail: the same bytes and the same status", () => {
  const lines = [
    // One shell line a group: every command's output and status, in order.
    'tail f; tail -n 3 f; tail -n3 f; tail -n -3 f; tail -n +18 f; tail -n +0 f; tail -n +1 f | wc -l; tail -n 0 f; echo $?',
    'tail -c 5 f; tail -c -5 f; tail -c +40 f; tail -c 0 f; tail -c 1K f; tail -c 1b f; tail -c 1kB big | wc -c; tail -c k big | wc -c',
    'tail -5 f; tail +18 f; tail -2c f; tail +45c f; tail -1b f; tail -l f; tail +l f; tail -3l f; tail -c+48 f; tail + f',
    'tail -n 2 f g; tail -q -n 1 f g; tail -v -n 1 f; tail -v -q -n 1 f g; tail --silent -n 1 f g; tail -n 1 f nope g; echo $?',
    'tail -n 1 . f; echo $?; tail nope; echo $?; tail -n 0 nope; echo $?; tail -n 1 -- -dash; tail -n 1 ./-dash',
    'tail --lines 3 f; tail --lines -3 f; tail --lines +18 f; tail --bytes 5 f; tail --bytes -5 f; tail -q --bytes +45 f; tail --sleep-interval 1 --pid 1 f g',
    "tail -n +15 -n 3 f; tail -n 3 -c 4 f; tail -n ' 2' f; tail -n -+2 f; tail --lines=2 f; tail --bytes=+45 f; tail -zn 1 nul; tail -zn +3 nul | od -c",
    'tail -n 2 < f; tail < /dev/null; tail -n 1 - < f; tail -v -n 1 - < f; tail -n 1 f - g < crlf; cat f | tail -n 2; cat f | tail -c 3; cat f | tail -n +19',
    '{ head -c 20 > /dev/null; tail -n 30; } < f; { tail -n 1; cat; echo rest; } < f; { read -r a; tail -n +3; } < f',
    '{ tail -n 1; cat; echo rest; } < big; { head -c 100000 >/dev/null; tail -n 2; cat; } < big; { tail -c 3; cat; } < big',
    'cat big | tail -n 70000 | md5sum; tail -n 70000 big | md5sum; tail -n 1 long | md5sum; tail -c 70000 long | md5sum; tail -n +2 long | md5sum; cat long | tail -n 2 | md5sum',
    'tail -n 1 /proc/meminfo | wc -l; tail -n 1 /sys/kernel/mm/transparent_hugepage/enabled; tail -c 3 /proc/version | od -c; tail -c 4 /dev/null',
    'tail -n 3 bad | od -c; tail -n 2 crlf | od -c; tail -n 1 empty; tail -n +5 empty; tail -v empty empty; tail -n 5 none; tail -n 1 $(printf "na\\xffme") | od -c',
    'tail -n 1 -v $(printf "na\\xffme") | od -c; tail -n 1 f > out; cat out; tail -n 18446744073709551615 f | wc -l; tail -n +18446744073709551615 f',
  ];
  let home: string;

  beforeAll(() => {
    home = spawnSync('mktemp', ['-d']).stdout.toString().trim();
    const write = (name: string, content: string | Buffer) => writeFileSync(join(home, name), content);
    write('f', Array.from({ length: 20 }, (_, i) => `${i + 1}\n`).join(''));
    write('g', 'alpha\nbeta\ngamma');
    write('-dash', 'dash\n');
    write('nul', 'a\0b\nc\0d\0');
    write('crlf', 'one\r\ntwo\r\nthree\r\n');
    write('bad', Buffer.from([0xff, 0xfe, 10, 0, 0xc3, 10, 0xed, 0xa0, 0x80, 10]));
    write('empty', '');
    write('none', 'no newline at all');
    write('big', Array.from({ length: 100_000 }, (_, i) => `line ${i}\n`).join(''));
    write('long', Buffer.concat([Buffer.from('first\n'), Buffer.alloc(20 * 2 ** 20, 'z'), Buffer.from('\nlast\n')]));
    spawnSync('bash', ['-c', 'printf "x\\ny\\n" > "$(printf "na\\xffme")"'], { cwd: home });
    return () => spawnSync('rm', ['-rf', home]);
  });

  it.each(lines)('%s', async (line) => {
    const { gnu, ours } = await both(line, home);
    expect(ours.out).toBe(gnu.out);
    expect(ours.status).toBe(gnu.status);
  });

  it('takes the oldest forms as POSIX of that time did', async () => {
    for (const version of ['199209', '200112']) {
      const { gnu, ours } = await both('tail +19 f; tail -c f; tail -1c f', home, { _POSIX2_VERSION: version });
      expect(ours.out).toBe(gnu.out);
    }
  });
});

describe('usage', () => {
  it.each([
    [['-n', 'x']],
    [['-n', '']],
    [['-c', '1Q']],
    [['-n', '++1']],
    [['-5', 'a', 'b']],
    [['-n', '1', '-5', 'a']],
    [['-n', '99999999999999999999']],
    [['--line', '5']],
    [['--lines']],
    [['-v', '-5', 'a']],
    [['--pid', '-1']],
    [['-s', 'nan']],
  ])('%j is refused with exit 2 before anything is printed', async (args) => {
    const { status, out, stderr } = await sluice(['tail', ...args], { input: 'x\n' });
    expect(status).toBe(2);
    expect(out).toBe('');
    expect(stderr).toMatch(/^sluice tail: .*\nTry 'sluice tail --help'\.\n$/s);
  });
});

it('names what fails, goes on with the others, and exits 1', async () => {
  const home = temporary();
  mkdirSync(join(home, 'dir'));
  writeFileSync(join(home, 'b'), 'b\n');
  const { status, out, stderr } = await sluice(['tail', '-q', 'nope', 'dir', 'b'], { cwd: home });
  expect({ status, out }).toEqual({ status: 1, out: 'b\n' });
  expect(stderr).toBe(
    'sluice tail: nope: no such file or directory (ENOENT, open)\nsluice tail: dir: illegal operation on a directory (EISDIR, read)\n',
  );
});

it('says that stdout is full and exits 1', async () => {
  const { status, stderr } = await shell('seq 20 | sluice tail -n 3 > /dev/full');
  expect(status).toBe(1);
  expect(stderr).toBe('sluice tail: standard output: no space left on device (ENOSPC, write)\n');
});

it.each([
  '-f',
  '-f --json',
  '-f --prefix',
])('says that stdout is full though nothing more comes: %s', async (options) => {
  const { status, stderr } = await shell(`seq 3 > log; sluice tail ${options} log > /dev/full`, { cwd: temporary() });
  expect({ status, full: stderr.includes('no space left on device') }).toEqual({ status: 1, full: true });
});

it('ends quietly with 141 when the reader has gone', async () => {
  const line = `seq 1000000 > big; sluice tail -n 900000 big | head -n 1; echo \${PIPESTATUS[0]}`;
  const { out, stderr } = await shell(line, { cwd: temporary() });
  expect(out).toBe('100001\n141\n');
  expect(stderr).toBe('');
});

it('reads a FIFO from its first writer on', async () => {
  const home = temporary();
  spawnSync('mkfifo', [join(home, 'fifo')]);
  const { out, status } = await shell('sluice tail -n 2 fifo & sleep 0.3; seq 5 > fifo; wait $!; echo $?', {
    cwd: home,
  });
  expect({ out, status }).toEqual({ out: '4\n5\n0\n', status: 0 });
});
