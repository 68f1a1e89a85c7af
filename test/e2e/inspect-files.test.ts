import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bin, eventually, isRoot, shell, sluice, temporary } from '../helpers/sluice.js';

const native = process.env['SLUICE_NATIVE'] !== '0';
const linux = process.platform === 'linux';

async function inspect(...args: string[]) {
  const ended = await sluice(['inspect', '--json', ...args]);
  return { ...ended, record: ended.records()[0]! };
}

describe('the facts of a file', () => {
  it('an encoding that is guessed is one that conversion takes: Windows characters are not in Shift_JIS', async () => {
    const path = join(temporary(), 'old');
    const sentence = '93fa967b8cea82cc8365834c8358836782c582b78142'; // 日本語のテキストです。
    for (const [more, name, text] of [
      ['0a', 'shift_jis', 'です。\n'],
      ['87400a', 'cp932', 'です。①\n'],
    ] as const) {
      writeFileSync(path, Buffer.from(`${sentence}${more}`.repeat(40), 'hex'));
      const [facts] = (await sluice(['inspect', '--json', path])).records();
      expect(facts).toMatchObject({ encoding: { value: name, inferred: true } });
      expect((await sluice(['copy', '--encoding', name, path, '-'])).out).toContain(text);
    }
  });

  it.runIf(linux)('are what stat says', async () => {
    const directory = temporary();
    const path = join(directory, 'file');
    writeFileSync(path, 'one\ntwo\r\nthree');
    chmodSync(path, 0o640);
    linkSync(path, join(directory, 'other'));
    const { record, status } = await inspect(path);
    const stat = execFileSync('stat', ['-c', '%s %b %h %a %u %g %i %o %A %y', path]).toString().trim().split(' ');
    expect(status).toBe(0);
    expect(record).toMatchObject({
      type: 'file',
      path,
      kind: 'file',
      symlinks: [],
      dangling: false,
      size: Number(stat[0]),
      allocated: Number(stat[1]) * 512,
      links: 2,
      mode: '0640',
      permissions: stat[8],
      owner: { uid: Number(stat[4]), gid: Number(stat[5]) },
      inode: Number(stat[6]),
      blockSize: Number(stat[7]),
      recommendedBufferSize: 131072,
      newlines: { lf: 1, crlf: 1, cr: 0 },
      lines: 3,
      finalNewline: false,
      longestLine: 5,
      encoding: { value: 'ascii', inferred: true },
      content: { value: 'text', inferred: true },
    });
    const { modified } = record['times'] as { modified: string };
    expect(modified.slice(20, 29)).toBe(stat[10]!.slice(9));
    expect(new Date(modified).getTime()).toBe(Math.floor(Number(execFileSync('stat', ['-c', '%.3Y', path])) * 1000));
  });

  it.runIf(linux && native)('tell holes, extents and cached pages as the kernel does', async () => {
    const path = join(temporary(), 'sparse');
    const fd = openSync(path, 'w');
    for (const at of [0, 1 << 20, 5 << 20]) writeSync(fd, 'data', at);
    ftruncateSync(fd, 8 << 20);
    closeSync(fd);
    const { record } = await inspect(path);
    const expected = JSON.parse(
      execFileSync('python3', [
        '-c',
        `import os,json
fd=os.open(${JSON.stringify(path)},0); size=os.fstat(fd).st_size; at=0; holes=0; total=0
while at<size:
  try: data=os.lseek(fd,at,os.SEEK_DATA)
  except OSError: data=size
  if data>at: holes+=1; total+=data-at
  at=os.lseek(fd,data,os.SEEK_HOLE) if data<size else size
print(json.dumps({'count':holes,'bytes':total}))`,
      ]).toString(),
    );
    expect(record['holes']).toEqual(expected);
    expect(record).toMatchObject({
      content: { value: 'binary', inferred: true },
      nulBytes: (8 << 20) - 12,
      bytesRead: 8 << 20,
    });
    expect(record['cache']).toMatchObject({ pages: expect.any(Number), pageSize: 4096 });
  });

  it.runIf(linux && native)('of a sparse TiB are there before anybody could have read it', async () => {
    const path = join(temporary(), 'huge');
    const fd = openSync(path, 'w');
    ftruncateSync(fd, 2 ** 40);
    writeSync(fd, 'x\n', 2 ** 39);
    closeSync(fd);
    const { record } = await inspect(path);
    expect(record).toMatchObject({
      size: 2 ** 40,
      lines: 2,
      newlines: { lf: 1 },
      nulBytes: 2 ** 40 - 2,
      holes: { count: 2 },
    });
  });

  it.runIf(linux)('of a sparse file without native calls are said to be unknown, and why', async () => {
    const path = join(temporary(), 'huge');
    const fd = openSync(path, 'w');
    ftruncateSync(fd, 2 ** 40);
    closeSync(fd);
    const ended = await sluice(['inspect', '--json', path], { env: { ...process.env, SLUICE_NATIVE: '0' } });
    expect(ended.status).toBe(0);
    for (const field of ['lines', 'holes', 'cache', 'extents'])
      expect(ended.records()[0]![field]).toEqual({ unknown: expect.stringContaining('native calls') });
  });

  it.runIf(linux)('name the processes that have it open, and how', async () => {
    const path = join(temporary(), 'open');
    writeFileSync(path, 'x');
    const holder = spawn('sh', ['-c', `exec 7>>"${path}"; echo ready; read -r _`], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    try {
      await new Promise((resolve) => holder.stdout.once('data', resolve));
      const { record } = await inspect(path);
      expect((record['openedBy'] as { processes: unknown[] }).processes).toContainEqual(
        expect.objectContaining({ pid: holder.pid, descriptors: [{ fd: 7, access: 'write' }], mapped: false }),
      );
    } finally {
      holder.stdin.end();
    }
  });

  it.runIf(linux)('tell the file system as /proc/self/mountinfo does, and that /dev/shm keeps nothing', async () => {
    const { record } = await inspect(process.execPath);
    const { type, mountPoint } = record['filesystem'] as Record<string, string>;
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    expect(mounts.some((line) => line.includes(` ${mountPoint} `) && line.includes(` - ${type} `))).toBe(true);
    const shm = (await inspect('/dev/shm')).record;
    expect(shm['filesystem']).toMatchObject({ type: 'tmpfs', durability: 'volatile' });
  });

  it('name the encoding of old texts, by statistics and marked so', async () => {
    const directory = temporary();
    const texts = {
      'iso-8859-1': Buffer.from('Les élèves français préfèrent le café à la crème brûlée.\n'.repeat(9), 'latin1'),
      // "Happy families are all alike", in Russian.
      'koi8-r': Buffer.from(
        'f7d3c520d3dec1d3d4ccc9d7d9c520d3c5cdd8c920d0cfc8cfd6c920c4d2d5c720cec120c4d2d5c7c10a',
        'hex',
      ),
      shift_jis: Buffer.from(
        '8ce494 79 82cd 944c 82c5 82a0 82e9 8142 96bc 914f 82cd 82dc 82be 96b3 82a2 8142 0a'.replaceAll(' ', ''),
        'hex',
      ),
    };
    for (const [name, bytes] of Object.entries(texts)) writeFileSync(join(directory, name), bytes);
    const ended = await sluice(['inspect', '--json', ...Object.keys(texts)], { cwd: directory });
    expect(ended.status).toBe(0);
    expect(ended.records().map(({ encoding }) => encoding)).toEqual(
      Object.keys(texts).map((value) => expect.objectContaining({ value, inferred: true })),
    );
  });

  /** Needs root, and a place where root may mount. */
  const mayMount = (() => {
    if (!linux || !isRoot) return false;
    const place = temporary();
    if (spawnSync('mount', ['-t', 'tmpfs', 'none', place]).status !== 0) return false;
    return spawnSync('umount', [place]).status === 0;
  })();

  it.runIf(mayMount)('name a mount point whatever its bytes', async () => {
    const directory = temporary();
    const names = ['sp ace', 'new\nline', 'back\\slash', 'a - b'];
    const ended = await shell(
      `set -- 'sp ace' $'new\\nline' 'back\\slash' 'a - b' $'inv\\xff'
       for name in "$@"; do mkdir "$name" && mount -t tmpfs none "$name" && echo x >"$name/file" || exit; done
       sluice inspect --json */file; umount "$@"`,
      { cwd: directory },
    );
    const points = ended.records().map(({ filesystem }) => filesystem as Record<string, string>);
    expect(points.map(({ mountPoint }) => mountPoint).sort()).toEqual(
      [...names, 'inv\udcff'].map((name) => join(directory, name)).sort(),
    );
    const bytes = points.find(({ mountPointBytes }) => mountPointBytes)!['mountPointBytes']!;
    expect(Buffer.from(bytes, 'base64').subarray(-4)).toEqual(Buffer.from('inv\xff', 'latin1'));
  });

  it.runIf(mayMount)('know a bind mount that is read-only from the same file system elsewhere', async () => {
    const directory = temporary();
    const ended = await shell(
      `mkdir plain bound && echo x >plain/file && mount --bind plain bound && mount -o remount,bind,ro bound || exit
       sluice inspect --json plain/file bound/file; umount bound`,
      { cwd: directory },
    );
    const [plain, bound] = ended.records();
    expect(plain).toMatchObject({ writable: true, filesystem: { readOnly: false } });
    expect(bound).toMatchObject({ writable: false, filesystem: { readOnly: true }, inode: plain!['inode'] });
  });

  it.runIf(mayMount && native)(
    'are true of an overlay, whose pages and mappings are those of the file below',
    async () => {
      const directory = temporary();
      const ended = await shell(
        `mkdir base lower upper work over && mount -t tmpfs none base && mkdir base/upper base/work
       cp "$(command -v sleep)" lower/program
       mount -t overlay none -o lowerdir=lower,upperdir=base/upper,workdir=base/work over || exit
       over/program 60 & sleep=$!
       until grep -q "/over/program" /proc/$sleep/maps; do :; done
       sluice inspect --json over/program; kill $sleep; wait $sleep 2>/dev/null; umount over base`,
        { cwd: directory },
      );
      const [record] = ended.records();
      expect(record).toMatchObject({
        filesystem: { type: 'overlay', durability: 'layered' },
        openedBy: { processes: [{ mapped: true, descriptors: [] }] },
        cache: { dirty: { unknown: expect.stringContaining('overlay') } },
      });
      expect((record!['cache'] as { pages: number }).pages).toBeGreaterThan(0);
    },
  );
});

describe('kinds', () => {
  it.runIf(linux)(
    'a FIFO without a writer, a device, a socket and a directory are told without being opened',
    async () => {
      const directory = temporary();
      const fifo = join(directory, 'fifo');
      const socket = join(directory, 'socket');
      execFileSync('mkfifo', [fifo]);
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(socket, resolve));
      try {
        const ended = await sluice(['inspect', '--json', fifo, socket, '/dev/zero', directory]);
        expect(ended.status).toBe(0);
        expect(ended.records().map((record) => record['kind'])).toEqual([
          'fifo',
          'socket',
          'character device',
          'directory',
        ]);
        expect(ended.records()[2]!['deviceNumber']).toBe('1:5');
        for (const record of ended.records()) expect(record['lines']).toEqual({ unknown: expect.any(String) });
      } finally {
        server.close();
      }
    },
  );

  it('a symlink is told link by link, and a dangling one is a fact', async () => {
    const directory = temporary();
    mkdirSync(join(directory, 'sub'));
    writeFileSync(join(directory, 'file'), 'x\n');
    symlinkSync('../file', join(directory, 'sub/second'));
    symlinkSync('sub/second', join(directory, 'first'));
    symlinkSync('nowhere', join(directory, 'dangling'));
    symlinkSync('circle', join(directory, 'circle'));
    symlinkSync('file/below', join(directory, 'below'));
    const ended = await sluice(['inspect', '--json', 'first', 'dangling', 'circle', 'below'], { cwd: directory });
    expect(ended.status).toBe(0);
    const [first, dangling, circle, below] = ended.records();
    expect(below).toMatchObject({ kind: 'symlink', dangling: expect.stringContaining('file/below') });
    expect(first).toMatchObject({ kind: 'file', lines: 1, dangling: false });
    expect((first!['symlinks'] as { target: string }[]).map(({ target }) => target)).toEqual(['sub/second', '../file']);
    expect(dangling).toMatchObject({ kind: 'symlink', dangling: expect.stringContaining('nowhere') });
    expect(circle).toMatchObject({ kind: 'symlink', dangling: expect.stringContaining('circle') });
  });

  it.runIf(linux)('a file of /proc, whose size is not known, is read whole', async () => {
    const { record } = await inspect('/proc/self/status');
    expect(record).toMatchObject({
      size: 0,
      content: { value: 'text' },
      filesystem: { type: 'proc', durability: 'kernel' },
    });
    expect(record['lines']).toBeGreaterThan(10);
  });
});

describe('what goes wrong', () => {
  it('a missing file is an error, and the others are told', async () => {
    const path = join(temporary(), 'there');
    writeFileSync(path, 'x\n');
    const ended = await sluice(['inspect', '--json', `${path}-not`, path]);
    expect(ended.status).toBe(1);
    expect(ended.records()).toMatchObject([
      { type: 'error', code: 'ENOENT', path: `${path}-not` },
      { type: 'file', path },
    ]);
  });

  it.runIf(linux && isRoot)(
    'an unreadable file is an error, what its inode tells is told, and the others go on',
    async () => {
      const directory = temporary();
      chmodSync(directory, 0o755);
      const path = join(directory, 'secret');
      writeFileSync(path, 'x\n', { mode: 0o600 });
      const open = join(directory, 'open');
      writeFileSync(open, 'x\n', { mode: 0o644 });
      const ended = await shell(
        `setpriv --reuid 65534 --regid 65534 --clear-groups "${process.execPath}" "${bin}" inspect --json "${path}" "${open}"`,
      );
      expect(ended.status).toBe(1);
      const [facts, error, other] = ended.records();
      expect(other).toMatchObject({ readable: true, writable: false, lines: 1 });
      if (native) expect(other!['cache']).toEqual({ unknown: expect.stringContaining('not permitted') });
      expect(facts).toMatchObject({
        type: 'file',
        size: 2,
        readable: false,
        lines: { unknown: expect.stringContaining('permission') },
      });
      expect(error).toMatchObject({ type: 'error', code: 'EACCES', path });
      expect((facts!['openedBy'] as { notPermitted: number }).notPermitted).toBeGreaterThan(0);
    },
  );

  it.runIf(linux)('a name that is not UTF-8 is told with its bytes', async () => {
    const directory = temporary();
    const ended = await shell(`printf 'x\\n' > $'a\\xff'; sluice inspect --json $'a\\xff'`, { cwd: directory });
    expect(ended.records()[0]).toMatchObject({
      pathBytes: Buffer.from('a\xff', 'latin1').toString('base64'),
      lines: 1,
    });
  });

  it.each([[['-', 'file']], [['']], [['--quik', 'x']]])('%j is a usage error', async (args) => {
    expect((await sluice(['inspect', ...args])).status).toBe(2);
  });
});

describe('a quick look and a person', () => {
  it('reads only the head', async () => {
    const path = join(temporary(), 'long');
    writeFileSync(path, `${'a line\n'.repeat(100_000)}\xff`, 'latin1');
    const { record } = await inspect('--quick', path);
    expect(record).toMatchObject({ bytesRead: 65536, lines: { unknown: expect.stringContaining('--quick') } });
    // It is not; and so nothing is said of every byte.
    const soFar = { certainty: 0.89, because: expect.stringMatching(/, as far as was read$/) };
    expect(record).toMatchObject({ encoding: soFar, content: soFar });
    const { record: whole } = await inspect(path);
    expect(whole).toMatchObject({ firstInvalidByte: 700_000 });
  });

  it('gets a page on which conclusions and unknowns are marked', async () => {
    const path = join(temporary(), 'page\x1b[31m');
    writeFileSync(path, 'é\r\n');
    const plain = await sluice(['inspect', path]);
    expect(plain.out).toMatch(/encoding +utf-8 \(\w.*%/);
    expect(plain.out).toContain('1 CRLF');
    const coloured = await sluice(['inspect', '--color', 'always', path]);
    expect(coloured.out).toContain('\x1b[');
    expect(coloured.out.replace(/\x1b\[\d+m/g, '').replace('\x1b[31m', '')).toContain('1 CRLF');
  });
});

describe('standard streams', () => {
  it.runIf(linux)('are told apart, with their buffering', async () => {
    const file = join(temporary(), 'out');
    const ended = await shell(`printf 12345 | { sluice inspect --json 2>>"${file}"; cat >/dev/null; } | cat`);
    const [stdin, stdout, stderr] = ended.records();
    expect(stdin).toMatchObject({ type: 'stream', fd: 0, name: 'stdin', kind: 'pipe', access: 'read' });
    if (native) expect(stdin).toMatchObject({ capacity: 65536, waiting: 5 });
    expect(stdout).toMatchObject({
      fd: 1,
      kind: 'pipe',
      access: 'write',
      buffering: {
        c: { value: { mode: 'block', size: 4096 }, inferred: true },
        python: { value: { mode: 'block', size: 8192 }, inferred: true },
        node: { value: { mode: 'none' } },
      },
      change: { c: expect.stringContaining('stdbuf -oL'), python: expect.stringContaining('python -u') },
    });
    expect(stdout!['readers']).toContainEqual(expect.objectContaining({ command: 'cat' }));
    expect(stderr).toMatchObject({ fd: 2, kind: 'file', append: true, buffering: { c: { value: { mode: 'none' } } } });
  });

  it.runIf(linux)('may be null, a file or closed', async () => {
    const file = join(temporary(), 'in');
    writeFileSync(file, 'abcdef');
    const ended = await shell(`{ head -c 2 >/dev/null; } < "${file}"; sluice inspect --json <"${file}" 2>/dev/null`);
    expect(ended.records()).toMatchObject([{ kind: 'file', offset: 0, size: 6 }, {}, { kind: 'null' }]);
  });

  it.runIf(linux)('a terminal is line-buffered', async () => {
    const { spawn: spawnPty } = await import('@lydell/node-pty');
    let screen = '';
    const pty = spawnPty(process.execPath, [bin, 'inspect', '--json'], { cols: 400 });
    pty.onData((text) => {
      screen += text;
    });
    await eventually('three records', () => screen.split('"type":"stream"').length === 4);
    expect(screen).toContain('"kind":"terminal"');
    expect(screen).toContain('"c":{"value":{"mode":"line","size":1024}');
    pty.kill();
  });
});
