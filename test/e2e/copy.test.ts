// `sluice copy`, files and streams: what goes where, and what is kept.

import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { isRoot, shell, sluice, temporary } from '../helpers/sluice.js';

let cwd: string;
const at = (name: string) => join(cwd, name);
const put = (name: string, content: string | Uint8Array = name) => writeFileSync(at(name), content);
const content = (name: string) => readFileSync(at(name), 'utf8');
const copy = (...args: string[]) => sluice(['copy', ...args], { cwd });
const left = () => readdirSync(cwd).filter((name) => name.includes('.sluice-'));

beforeEach(() => {
  cwd = temporary();
});

describe('copy: what goes where', () => {
  it('file to file, into a directory, several sources, -t and -T', async () => {
    put('a');
    put('b');
    mkdirSync(at('d'));
    expect(await copy('a', 'c')).toMatchObject({ status: 0, out: '', stderr: '' });
    expect(content('c')).toBe('a');
    expect((await copy('a', 'b', 'd')).status).toBe(0);
    expect((await copy('-t', 'd', 'c')).status).toBe(0);
    expect((await copy('a', 'd/')).status).toBe(0);
    expect(readdirSync(at('d')).sort()).toEqual(['a', 'b', 'c']);
    expect(await copy('-T', 'a', 'd')).toMatchObject({ status: 1, stderr: expect.stringContaining('EISDIR') });
    expect(await copy('a', 'b', 'c')).toMatchObject({ status: 1, stderr: expect.stringContaining('ENOTDIR') });
    expect(await copy('-t', 'nowhere', 'a')).toMatchObject({ status: 1, stderr: expect.stringContaining('nowhere') });
    expect(left()).toEqual([]);
  });

  it('replaces an existing file as a whole, in a new inode', async () => {
    put('a', 'new');
    put('b', 'old and longer');
    const before = statSync(at('b')).ino;
    expect((await copy('a', 'b')).status).toBe(0);
    expect(content('b')).toBe('new');
    expect(statSync(at('b')).ino).not.toBe(before);
  });

  it('--in-place keeps the inode and the other names', async () => {
    put('a', 'new');
    put('b', 'old and longer');
    linkSync(at('b'), at('b2'));
    expect((await copy('--in-place', 'a', 'b')).status).toBe(0);
    expect(content('b2')).toBe('new');
    expect((await copy('--in-place', 'a', 'fresh')).status).toBe(0);
    expect(content('fresh')).toBe('new');
  });

  it('stdin and stdout by -', async () => {
    const bytes = Buffer.alloc(300_000, 'abc\0\xff', 'latin1');
    put('a', bytes);
    expect((await copy('a', '-')).stdout.equals(bytes)).toBe(true);
    expect((await sluice(['copy', '-', 'b'], { cwd, input: bytes })).status).toBe(0);
    expect(readFileSync(at('b')).equals(bytes)).toBe(true);
    expect((await sluice(['copy', '-', '-'], { cwd, input: bytes })).stdout.equals(bytes)).toBe(true);
    expect((await copy('a', '/dev/stdout')).stdout.equals(bytes)).toBe(true);
    expect((await shell('sluice copy - c < a', { cwd })).status).toBe(0);
    expect(readFileSync(at('c')).equals(bytes)).toBe(true);
    expect((await copy('-', '-t', '.')).status).toBe(1);
  });

  it('stdin goes on where its shared offset stands', async () => {
    put('a', 'one\ntwo\n');
    expect((await shell('{ read x; sluice copy - b; } < a; cat b', { cwd })).out).toBe('two\n');
  });

  it('/dev/stdout is written to, also where it is a file', async () => {
    put('a', 'A');
    await shell('{ echo first; sluice copy a /dev/stdout; echo last; } > out', { cwd });
    expect(content('out')).toBe('first\nAlast\n');
  });

  it('a FIFO, a device: written to, not replaced', async () => {
    put('a', 'through');
    const { out, status } = await shell('mkfifo p; cat p & sluice copy a p; s=$?; wait; test -p p && exit $s', { cwd });
    expect({ out, status }).toEqual({ out: 'through', status: 0 });
    expect((await copy('a', '/dev/null')).status).toBe(0);
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  });

  it('a FIFO as a source is read', async () => {
    const { out } = await shell('mkfifo p; (echo x; sleep 0.1; echo y) > p & sluice copy p b; cat b', { cwd });
    expect(out).toBe('x\ny\n');
  });

  it('a destination that is a symlink stays one, and its target is replaced; a dangling one is refused', async () => {
    put('a', 'new');
    mkdirSync(at('d'));
    put('d/target', 'old');
    symlinkSync('d/target', at('link'));
    symlinkSync('nowhere', at('dangling'));
    expect((await copy('a', 'link')).status).toBe(0);
    expect(readlinkSync(at('link'))).toBe('d/target');
    expect(content('d/target')).toBe('new');
    expect(await copy('a', 'dangling')).toMatchObject({ status: 1, stderr: expect.stringContaining('leads nowhere') });
    expect(existsSync(at('nowhere'))).toBe(false);
  });

  it('follows a source that is a symlink, or with -P copies it as one', async () => {
    put('a');
    symlinkSync('a', at('link'));
    await copy('link', 'followed');
    expect(lstatSync(at('followed')).isFile()).toBe(true);
    put('there');
    const { status, records } = await copy('-P', '--json', 'link', 'there');
    expect(status).toBe(0);
    expect(readlinkSync(at('there'))).toBe('a');
    expect(records().at(-1)).toMatchObject({ type: 'summary', symlinks: 1, files: 0 });
  });

  it('/proc and /sys files, whose sizes are not the truth, copy whole', async () => {
    expect((await copy('/proc/cpuinfo', 'c')).status).toBe(0);
    expect(
      content('c')
        .split('\n')
        .filter((line) => line.startsWith('processor')).length,
    ).toBeGreaterThan(0);
    expect((await copy('/sys/kernel/mm/transparent_hugepage/enabled', '/proc/version', '.')).status).toBe(0);
    expect(content('version')).toBe(readFileSync('/proc/version', 'utf8'));
  });

  it('--dry-run says what would be done and does nothing', async () => {
    put('a');
    put('b');
    const { out, status } = await copy('--dry-run', 'a', 'b');
    expect({ out, status }).toEqual({ out: 'would update b from a\n', status: 0 });
    const { records } = await copy('--dry-run', '--json', 'a', 'c');
    expect(records()[0]).toMatchObject({ type: 'action', action: 'create', source: 'a', destination: 'c' });
    expect(content('b')).toBe('b');
    expect(existsSync(at('c'))).toBe(false);
  });
});

describe('copy: what is kept', () => {
  it("gives a new file the source's mode less the umask, without set-id bits", async () => {
    put('a');
    for (const [mode, made] of [
      [0o4777, 0o750],
      [0o644, 0o640],
      [0o400, 0o400],
      [0o2755, 0o750],
    ] as const) {
      chmodSync(at('a'), mode);
      const { stderr } = await shell('umask 027; rm -f b; sluice copy a b', { cwd });
      expect(stderr).toBe('');
      expect(statSync(at('b')).mode & 0o7777).toBe(made);
    }
  });

  it('an existing file keeps its own mode and owner', async () => {
    put('a');
    put('b');
    chmodSync(at('b'), 0o604);
    if (isRoot) await shell('chown 1234:2345 b; chmod 4604 b', { cwd });
    await copy('a', 'b');
    const { mode, uid, gid } = statSync(at('b'));
    expect({ mode: mode & 0o777, content: content('b') }).toEqual({ mode: 0o604, content: 'a' });
    if (isRoot) expect({ uid, gid, mode: mode & 0o7777 }).toEqual({ uid: 1234, gid: 2345, mode: 0o4604 });
  });

  it('-p keeps mode, owner and times; --preserve picks', async () => {
    put('a');
    if (isRoot) await shell('chown 1234:2345 a', { cwd });
    chmodSync(at('a'), 0o6751);
    utimesSync(at('a'), 1000.5, 1234567890.123456);
    expect((await copy('-p', 'a', 'b')).status).toBe(0);
    const [a, b] = [statSync(at('a')), statSync(at('b'))];
    expect([b.mode, b.uid, b.gid]).toEqual([a.mode, a.uid, a.gid]);
    expect(Math.abs(b.mtimeMs - a.mtimeMs)).toBeLessThan(0.002);
    expect((await copy('--preserve=timestamps', 'a', 'c')).status).toBe(0);
    expect(statSync(at('c')).mode & 0o7000).toBe(0);
    expect(Math.abs(statSync(at('c')).mtimeMs - a.mtimeMs)).toBeLessThan(0.002);
  });

  it('--backup keeps the old file under NAME~ or the suffix given', async () => {
    put('a', 'new');
    put('b', 'old');
    put('b~', 'older');
    await copy('--backup', 'a', 'b');
    expect([content('b'), content('b~')]).toEqual(['new', 'old']);
    await copy('--backup=.orig', 'a', 'b');
    expect(content('b.orig')).toBe('new');
    expect(left()).toEqual([]);
  });

  it('-n keeps what exists, and counts it', async () => {
    put('a', 'new');
    put('b', 'old');
    const { status, records } = await copy('-n', '--json', 'a', 'b');
    expect(status).toBe(0);
    expect(records().at(-1)).toMatchObject({ type: 'summary', files: 0, skipped: 1, errors: 0 });
    expect(content('b')).toBe('old');
    expect((await copy('-n', 'a', 'c')).status).toBe(0);
    expect(content('c')).toBe('new');
    expect(left()).toEqual([]);
  });

  it('of twenty racing -n copies one wins, and the file is whole', async () => {
    const lines = Array.from(
      { length: 20 },
      (_, i) => `printf '${String.fromCharCode(97 + i).repeat(5000)}' > s${i}`,
    ).join('\n');
    await shell(lines, { cwd });
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => copy('-n', '--json', `s${i}`, 'one')));
    expect(all.map(({ status }) => status)).toEqual(Array(20).fill(0));
    const summaries = all.map(({ records }) => records().at(-1)!);
    expect(summaries.filter(({ files }) => files === 1)).toHaveLength(1);
    expect(content('one')).toMatch(/^(.)\1{4999}$/);
    expect(left()).toEqual([]);
  });

  it('-u copies only what is newer', async () => {
    put('a', 'source');
    put('b', 'destination');
    utimesSync(at('a'), 1000, 1000);
    utimesSync(at('b'), 2000, 2000);
    await copy('-u', 'a', 'b');
    expect(content('b')).toBe('destination');
    utimesSync(at('a'), 2000, 2000); // Of one time: not newer.
    expect((await copy('-u', '-v', 'a', 'b')).out).toBe('b: skipped: it is not older than the source\n');
    expect(content('b')).toBe('destination');
    utimesSync(at('a'), 3000, 3000);
    await copy('-u', 'a', 'b');
    expect(content('b')).toBe('source');
  });

  it('keeps holes, and --sparse=always makes some', async () => {
    put('holes', 'head');
    truncateSync(at('holes'), 64 << 20);
    await copy('holes', 'kept');
    expect([statSync(at('kept')).size, statSync(at('kept')).blocks <= statSync(at('holes')).blocks + 8]).toEqual([
      64 << 20,
      true,
    ]);
    put('zeros', Buffer.alloc(8 << 20));
    await copy('--sparse=always', 'zeros', 'punched');
    expect(statSync(at('punched')).blocks).toBe(0);
    expect(readFileSync(at('punched')).equals(Buffer.alloc(8 << 20))).toBe(true);
    await copy('--sparse=never', '--reflink=never', 'punched', 'filled');
    expect(statSync(at('filled')).blocks * 512).toBeGreaterThanOrEqual(8 << 20);
  });
});

describe('copy: certainty', () => {
  it('--checksum prints lines that sha256sum -c accepts, in one read, for any name', async () => {
    put('a');
    put('b');
    mkdirSync(at('d'));
    const { out, status } = await shell(
      `printf x > 'n
l'; printf y > 'b\\s'; sluice copy --checksum a b 'n
l' 'b\\s' d > sums; sha256sum -c sums`,
      { cwd },
    );
    expect(status).toBe(0);
    expect(out.match(/: OK$/gm)).toHaveLength(4);
    expect((await shell('sluice copy --checksum=blake2b512 a c | b2sum -c', { cwd })).out).toBe('c: OK\n');
    expect((await shell('sluice copy --checksum=sha512 a c | sha512sum -c', { cwd })).out).toBe('c: OK\n');
    const { records } = await copy('--json', '--checksum', 'a', 'c');
    expect(records()[0]).toMatchObject({ type: 'copied', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect((await copy('--json', '--checksum=SHA256', 'a', 'c')).records()[0]).toEqual(records()[0]);
  });

  it('a pipe into a file, checked; and the file into a pipe', async () => {
    const { out } = await shell(
      `head -c 64M /dev/urandom | sluice copy - f --checksum | tee sum | sha256sum -c
      [ "$(sluice copy f - | sha256sum | cut -c1-64)" = "$(cut -c1-64 sum)" ] && echo same`,
      { cwd },
    );
    expect(out).toBe('f: OK\nsame\n');
  });

  it('--verify --durable passes, and tells tmpfs from a disk in no way that fails', async () => {
    put('a', Buffer.alloc(3 << 20, 'v'));
    expect(await copy('--verify', '--durable', '--json', 'a', 'b')).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(at('b')).equals(readFileSync(at('a')))).toBe(true);
  });

  it('--durable=strict refuses where nothing can be promised, before replacing', async () => {
    put('a', 'new');
    const { status, stderr, out } = await shell(
      'd=$(mktemp -d /dev/shm/sluice-XXXXXX); echo old > $d/b; sluice copy --durable=strict a $d/b; s=$?; cat $d/b; rm -r $d; exit $s',
      { cwd },
    );
    expect(status).toBe(1);
    expect(stderr).toMatch(/durability cannot be promised.*destination left as it was/);
    expect(out).toBe('old\n');
  });

  it('--json tells each file and the sum; -v a line for each', async () => {
    put('a', 'abc');
    put('b', 'defgh');
    mkdirSync(at('d'));
    const { records, stderr } = await copy('--json', 'a', 'b', 'none', 'd');
    expect(stderr).toBe('');
    const [first, second, third, fourth] = records();
    expect(first).toMatchObject({
      type: 'error',
      code: 'ENOENT',
      syscall: 'stat',
      path: 'none',
      message: expect.any(String),
    });
    expect(second).toMatchObject({ type: 'copied', source: 'a', destination: 'd/a', bytes: 3 });
    expect(second!['method']).toMatch(/^(reflink|copy_file_range|readinto)$/);
    expect(third).toMatchObject({ type: 'copied', source: 'b', destination: 'd/b', bytes: 5 });
    expect(fourth).toMatchObject({
      type: 'summary',
      files: 2,
      directories: 0,
      symlinks: 0,
      skipped: 0,
      bytes: 8,
      errors: 1,
      elapsedMs: expect.any(Number),
    });
    expect((await copy('-v', 'a', 'c')).out).toMatch(/^a -> c/);
  });

  it('--json goes to stderr where stdout carries data', async () => {
    put('a', 'abc');
    const { out, stderr } = await copy('--json', 'a', '-');
    expect(out).toBe('abc');
    expect(JSON.parse(stderr.split('\n')[0]!)).toMatchObject({ type: 'copied', destination: '-' });
  });

  it('--limit-rate holds, --buffer-size is taken', async () => {
    put('a', Buffer.alloc(100_000));
    const started = Date.now();
    expect((await copy('--limit-rate', '200kB', '--buffer-size=4K', 'a', 'b')).status).toBe(0);
    expect(Date.now() - started).toBeGreaterThan(450);
    expect(statSync(at('b')).size).toBe(100_000);
  });
});
