import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeDevice } from '../../src/io/native/statx.js';
import { systemError } from '../../src/io/native/system-error.js';
import { type Native, native, nativeReason } from '../../src/io/native.js';
import { encodePath } from '../../src/io/path.js';

const dir = mkdtempSync(join(tmpdir(), 'sluice-native-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const root = process.getuid?.() === 0;
let serial = 0;
function file(content: string | Buffer = ''): string {
  const path = join(dir, `f${serial++}`);
  writeFileSync(path, content);
  return path;
}
function opened<T>(path: string, flags: string, use: (fd: number) => T): T {
  const fd = openSync(path, flags);
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}
const code = (act: () => unknown): string | undefined => {
  try {
    act();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
  return undefined;
};

describe('native calls that are absent', () => {
  it('say why, and are null', () => {
    if (native() === null) expect(nativeReason()).toMatch(/switched off|no native calls|koffi could not be loaded/);
    else expect(nativeReason()).toBeUndefined();
  });
});

describe('systemError', () => {
  it('is what Node throws', () => {
    let nodes: NodeJS.ErrnoException | undefined;
    try {
      openSync('/nonexistent', 'r');
    } catch (error) {
      nodes = error as NodeJS.ErrnoException;
    }
    const ours = systemError(2, 'open', '/nonexistent');
    expect({ ...ours, message: ours.message }).toEqual({ ...nodes, message: nodes?.message });
  });
  it('knows by number what libuv does not', () => {
    expect(systemError(28, 'copy_file_range', '/p').message).toBe(
      "ENOSPC: no space left on device, copy_file_range '/p'",
    );
    expect(systemError(61, 'getxattr').code).toBe('ENODATA');
    expect(systemError(117, 'read')).toMatchObject({ code: 'EUCLEAN', errno: -117 });
    expect(systemError(4000, 'read').code).toBe('E4000');
  });
  it('names both paths, and bytes as they would be decoded', () => {
    expect(systemError(17, 'link', 'a', Buffer.from('b\0')).message).toBe(
      "EEXIST: file already exists, link 'a' -> 'b'",
    );
  });
});

const found = native();
const n = found as Native;
describe.skipIf(found === null)('native calls', () => {
  it('copy_file_range copies a piece between offsets, and ends at the end', () => {
    const [from, to] = [file('0123456789'), file('....')];
    opened(from, 'r', (a) =>
      opened(to, 'r+', (b) => {
        expect(n.copying.copyFileRange(a, 2, b, 1, 5)).toBe(5);
        expect(n.copying.copyFileRange(a, 10, b, 1, 5)).toBe(0);
        expect(n.copying.copyFileRange(a, null, b, null, 1)).toBe(1);
        expect(readFileSync(to, 'utf8')).toBe('023456');
      }),
    );
    expect(code(() => n.copying.copyFileRange(9999, 0, 9998, 0, 1))).toBe('EBADF');
  });

  it('offsets beyond 4 GiB are whole', () => {
    const path = file();
    opened(path, 'r+', (fd) => {
      const far = 5 * 2 ** 30 + 4096;
      ftruncateSync(fd, far + 8192);
      writeSync(fd, 'x', far + 100);
      expect(n.copying.seekData(fd, 0)).toBe(far);
      expect(n.copying.seekHole(fd, far)).toBe(far + 4096);
      expect(n.copying.seekData(fd, far + 4096)).toBeNull();
      expect(n.copying.seekHole(fd, far + 9000)).toBeNull();
      expect(n.copying.seek(fd, -1, 2)).toBe(far + 8191);
      n.copying.copyFileRange(fd, far + 100, fd, far + 5000, 1);
      expect(n.copying.seekData(fd, far + 4096)).toBe(far + 4096);
    });
  });

  it('fallocate makes room, punches holes', () => {
    opened(file('data'), 'r+', (fd) => {
      n.copying.allocate(fd, 0, 65536, true);
      expect(fstatSync(fd)).toMatchObject({ size: 4, blocks: 128 });
      n.copying.allocate(fd, 0, 131072, false);
      expect(fstatSync(fd).size).toBe(131072);
      n.copying.punchHole(fd, 0, 131072);
      expect(fstatSync(fd)).toMatchObject({ size: 131072, blocks: 0 });
    });
  });

  it('hints never fail, and writeback begins', () => {
    opened(file('data'), 'r+', (fd) => {
      n.copying.advise(fd, 0, 0, 'sequential');
      n.copying.advise(fd, 0, 0, 'dontneed');
      n.copying.startWriteback(fd, 0, 0);
    });
    n.copying.advise(0, 0, 0, 'dontneed');
  });

  it('a refused reflink has a code to fall back by', () => {
    opened(file('a'), 'r', (from) =>
      opened('/dev/null', 'r+', (to) => {
        expect(code(() => n.copying.clone(from, to))).toMatch(/^(EXDEV|EINVAL|ENOTTY|EOPNOTSUPP|ENOTSUP)$/);
        expect(code(() => n.copying.cloneRange(from, 0, 0, to, 0))).toMatch(
          /^(EXDEV|EINVAL|ENOTTY|EOPNOTSUPP|ENOTSUP)$/,
        );
      }),
    );
  });

  const xattrsHere = found !== null && code(() => n.xattrs.set(file(), 'user.test', Buffer.from('x'))) === undefined;
  it.skipIf(!xattrsHere)('xattrs by descriptor, by path, and of any bytes', () => {
    const path = file('x');
    expect(n.xattrs.list(path)).toEqual([]);
    n.xattrs.set(path, 'user.a', Buffer.from([0, 255, 1]));
    opened(path, 'r+', (fd) => {
      n.xattrs.set(fd, 'user.empty', Buffer.alloc(0));
      n.xattrs.set(fd, 'user.\udcff', Buffer.from('x'));
      expect(n.xattrs.list(fd).sort()).toEqual(['user.a', 'user.empty', 'user.\udcff']);
      expect(n.xattrs.get(fd, 'user.a')).toEqual(Buffer.from([0, 255, 1]));
      expect(n.xattrs.get(path, 'user.empty')).toEqual(Buffer.alloc(0));
      expect(n.xattrs.get(fd, 'user.none')).toBeNull();
      expect(n.xattrs.remove(fd, 'user.a')).toBe(true);
      expect(n.xattrs.remove(path, 'user.a')).toBe(false);
    });
    expect(() => n.xattrs.get(join(dir, 'none'), 'user.a')).toThrow(/^ENOENT: no such file or directory, getxattr '/);
  });

  it.skipIf(!root)('xattrs of a link are its own', () => {
    const link = join(dir, 'xlink');
    symlinkSync(file('x'), link);
    n.xattrs.set(link, 'trusted.t', Buffer.from('v'));
    expect(n.xattrs.list(link)).toEqual(['trusted.t']);
    expect(n.xattrs.list(readlinkSync(link))).toEqual([]);
  });

  it('times to the nanosecond, before 1970, of a link, and one of the two', () => {
    const path = file();
    const before = -315_619_200_123_456_789n; // in 1959
    n.times.set(path, 1n, before);
    const at = () => lstatSync(path, { bigint: true });
    expect([at().atimeNs, at().mtimeNs]).toEqual([1n, before]);
    opened(path, 'r+', (fd) => n.times.set(fd, undefined, 1_700_000_000_987_654_321n));
    expect([at().atimeNs, at().mtimeNs]).toEqual([1n, 1_700_000_000_987_654_321n]);
    const link = join(dir, 'tlink');
    symlinkSync(path, link);
    n.times.set(link, -1n, -1_000_000_001n);
    expect(lstatSync(link, { bigint: true }).mtimeNs).toBe(-1_000_000_001n);
    expect(at().mtimeNs).toBe(1_700_000_000_987_654_321n);
    const fd = n.directories.openDirectory(n.directories.here, dir);
    n.times.set('tlink', undefined, 5n, fd);
    closeSync(fd);
    expect(lstatSync(link, { bigint: true }).mtimeNs).toBe(5n);
  });

  it('statx says what lstat says', () => {
    const path = file('content');
    n.times.set(path, 3n, -7n);
    const link = join(dir, 'slink');
    symlinkSync(path, link);
    const statx = n.directories.newStatx();
    for (const [name, follow] of [
      [path, false],
      [link, false],
      [link, true],
      ['/dev/null', false],
      [dir, false],
    ] as const) {
      n.directories.stat(n.directories.here, name, statx, follow);
      const stats = (follow ? statSync : lstatSync)(name, { bigint: true });
      const fields = ['mode', 'nlink', 'uid', 'gid', 'ino', 'size', 'blocks', 'blksize', 'dev', 'rdev'] as const;
      for (const field of fields) expect([field, statx[field]]).toEqual([field, Number(stats[field])]);
      for (const time of ['atimeNs', 'mtimeNs', 'ctimeNs'] as const) expect(statx[time]).toBe(stats[time]);
      expect(BigInt(statx.mtimeSeconds) * 1_000_000_000n + BigInt(statx.mtimeNanoseconds)).toBe(stats.mtimeNs);
      const other = n.directories.newStatx();
      other.fill(stats);
      for (const field of fields) expect([field, other[field]]).toEqual([field, statx[field]]);
      expect([other.mtimeNs, other.atimeNs]).toEqual([statx.mtimeNs, statx.atimeNs]);
    }
    opened(path, 'r', (fd) => {
      n.directories.stat(fd, '', statx);
      expect(statx.size).toBe(7);
    });
    expect(n.directories.statIfExists(n.directories.here, join(path, 'x'), statx)).toBe(false);
    expect(n.directories.statIfExists(n.directories.here, path, statx)).toBe(true);
    expect(makeDevice(259, 0x12345)).toBe(0x1234_5000 * 0 + (0x45 | (259 << 8)) + 0x123 * 2 ** 20);
  });

  it('everything relative to a directory', () => {
    const tree = join(dir, 'tree');
    mkdirSync(tree);
    const d = n.directories;
    const at = d.openDirectory(d.here, tree);
    try {
      const strange = 'n\udcffm\n-';
      closeSync(d.open(at, strange, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600));
      d.makeDirectory(at, 'sub', 0o700);
      d.symlink('no where', at, 'link');
      d.link(at, strange, at, 'hard');
      d.makeFifo(at, 'fifo', 0o600);
      d.changeMode(at, 'hard', 0o640);
      expect(d.readLink(at, 'link')).toBe('no where');
      const entries: Record<string, string> = {};
      d.entries(at, Buffer.alloc(65536), (name, type) => {
        entries[name] = type;
      });
      expect(entries).toEqual({ [strange]: 'file', sub: 'directory', link: 'symlink', hard: 'file', fifo: 'fifo' });
      const statx = d.newStatx();
      d.stat(at, Buffer.from([...encodePath(strange), 0]), statx);
      expect([statx.nlink, statx.mode & 0o777, statx.type]).toEqual([2, 0o640, constants.S_IFREG]);
      expect(code(() => d.rename(at, 'hard', at, 'fifo', 'noReplace'))).toBe('EEXIST');
      d.rename(at, 'hard', at, 'fifo', 'exchange');
      expect(lstatSync(join(tree, 'hard')).isFIFO()).toBe(true);
      d.rename(at, 'hard', at, 'moved');
      expect(code(() => d.openDirectory(at, 'link'))).toMatch(/ENOTDIR|ELOOP/);
      expect(code(() => d.remove(at, 'sub'))).toMatch(/EISDIR|EPERM/);
      d.remove(at, 'sub', true);
      d.remove(at, 'link');
      expect(existsSync(join(tree, 'sub'))).toBe(false);
      expect(code(() => d.open(at, 'a\0b', 0))).toBe('ERR_INVALID_ARG_VALUE');
      expect(() => d.open(at, strange.repeat(100), 0)).toThrow(/^ENAMETOOLONG: /);
    } finally {
      closeSync(at);
    }
  });

  it('a directory larger than the buffer is listed whole', () => {
    const tree = join(dir, 'many');
    mkdirSync(tree);
    for (let i = 0; i < 500; i++) writeFileSync(join(tree, `file-${i}`), '');
    const at = n.directories.openDirectory(n.directories.here, tree);
    const names = new Set<string>();
    n.directories.entries(at, Buffer.alloc(1024), (name) => names.add(name));
    closeSync(at);
    expect(names.size).toBe(500);
  });

  it.skipIf(!root)('owners of links, and devices', () => {
    const link = join(dir, 'olink');
    symlinkSync('nowhere', link);
    n.directories.changeOwner(n.directories.here, link, 1234, -1);
    expect(lstatSync(link)).toMatchObject({ uid: 1234, gid: process.getgid?.() });
    const device = join(dir, 'null');
    const { rdev } = statSync('/dev/null');
    n.directories.makeDevice(n.directories.here, device, constants.S_IFCHR, 0o600, rdev);
    expect(lstatSync(device)).toMatchObject({ rdev, mode: constants.S_IFCHR | 0o600 });
  });

  it('names that must be free, and two exchanged', () => {
    const [a, b] = [file('a'), file('b')];
    expect(code(() => n.files.renameNoReplace(a, b))).toBe('EEXIST');
    n.files.exchange(a, b);
    expect([readFileSync(a, 'utf8'), readFileSync(b, 'utf8')]).toEqual(['b', 'a']);
    n.files.renameNoReplace(a, `${a}-\udcfe`);
    expect(existsSync(a)).toBe(false);
  });

  it('locks hold between open files', async () => {
    const path = file();
    const [a, b] = [openSync(path, 'r'), openSync(path, 'r')];
    expect(n.files.tryLock(a, 'exclusive')).toBe(true);
    expect(n.files.tryLock(b, 'shared')).toBe(false);
    const waits = n.files.lockAsync(b, 'shared');
    n.files.unlock(a);
    await waits;
    expect(n.files.tryLock(a, 'exclusive')).toBe(false);
    closeSync(a);
    closeSync(b);
  });

  it('syncs a filesystem, reads and writes', async () => {
    const path = file('hello');
    const fd = openSync(path, 'r+');
    n.files.syncFilesystem(fd);
    await n.files.syncFilesystemAsync(fd);
    const view = Buffer.alloc(8);
    expect(n.files.read(fd, view, 2)).toBe(2);
    expect(n.files.read(fd, view, 8, 3)).toBe(2);
    expect(view.toString('latin1', 0, 2)).toBe('lo');
    expect(n.files.read(fd, view, 8, 99)).toBe(0);
    expect(n.files.write(fd, Buffer.from('XY'), 2)).toBe(2);
    expect(n.files.write(fd, Buffer.from('Z'), 1, 0)).toBe(1);
    n.files.close(fd);
    expect(readFileSync(path, 'utf8')).toBe('ZeXYo');
    expect(code(() => n.files.close(9999))).toBe('EBADF');
    await expect(n.files.syncFilesystemAsync(9999)).rejects.toMatchObject({ code: 'EBADF', errno: -9 });
  });

  it('extents and holes of a file', () => {
    opened(file(), 'r+', (fd) => {
      writeSync(fd, Buffer.alloc(8192, 1), 0, 8192, 1 << 20);
      let extents: { logical: number; length: number }[];
      try {
        extents = [...n.extents.of(fd, true)];
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toMatch(/ENOTSUP|EOPNOTSUPP|ENOTTY/); // tmpfs
        return;
      }
      expect(extents.map(({ logical, length }) => [logical, length])).toEqual([[1 << 20, 8192]]);
    });
  });

  it('pages in cache', () => {
    opened(file(Buffer.alloc(100_000, 1)), 'r', (fd) => {
      const pages = n.pageCache.of(fd)!;
      expect(pages.cached * pages.pageSize).toBeGreaterThanOrEqual(100_000);
    });
  });
});

/** Both ends of a FIFO. */
function pipe(): { reader: number; writer: number } {
  const path = join(dir, `p${serial++}`);
  n.directories.makeFifo(n.directories.here, path, 0o600);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { reader, writer: openSync(path, constants.O_WRONLY) };
}

describe.skipIf(found === null)('pipes and waiting', () => {
  it('capacity, bytes that wait, splice', () => {
    const { reader, writer } = pipe();
    expect(n.pipes.setCapacity(writer, 1 << 20)).toBe(1 << 20);
    expect(n.pipes.capacity(reader)).toBe(1 << 20);
    const source = file('0123456789');
    const target = file();
    opened(source, 'r', (fd) => expect(n.pipes.splice(fd, 4, writer, null, 100)).toBe(6));
    expect(n.pipes.waiting(reader)).toBe(6);
    opened(target, 'r+', (fd) => {
      expect(n.pipes.splice(reader, null, fd, 3, 100)).toBe(6);
      expect(n.pipes.splice(reader, null, fd, null, 100)).toBeNull();
    });
    expect(readFileSync(target)).toEqual(Buffer.from('\0\0\x00456789'));
    expect(n.pipes.statusFlags(reader) & constants.O_NONBLOCK).toBeTruthy();
    closeSync(writer);
    opened(target, 'r+', (fd) => expect(n.pipes.splice(reader, null, fd, null, 100)).toBe(0));
    closeSync(reader);
    expect(code(() => n.pipes.capacity(9999))).toBe('EBADF');
  });

  it('splice on a thread waits for the writer', async () => {
    const { reader, writer } = pipe();
    const blocking = openSync(`/proc/self/fd/${reader}`, constants.O_RDONLY);
    const target = openSync(file(), 'r+');
    const moved = n.pipes.spliceAsync(blocking, target, 100);
    writeSync(writer, 'late');
    expect(await moved).toBe(4);
    for (const fd of [reader, writer, blocking, target]) closeSync(fd);
    await expect(n.pipes.spliceAsync(9999, 9998, 1)).rejects.toMatchObject({ code: 'EBADF', syscall: 'splice' });
  });

  it('sees that a reader has gone, now and while waiting', async () => {
    const { reader, writer } = pipe();
    expect(n.polling.readerGone(writer)).toBe(false);
    const gone = n.polling.wait(writer, 'gone');
    closeSync(reader);
    expect(await gone).toBe(true);
    expect(n.polling.readerGone(writer)).toBe(true);
    closeSync(writer);
  });

  it('waits for bytes, for a time, until told to stop', async () => {
    const { reader, writer } = pipe();
    expect(n.polling.now(reader)).toMatchObject({ readable: false, hungUp: false });
    expect(n.polling.now(writer)).toMatchObject({ writable: true });
    expect(await n.polling.wait(reader, 'read', { milliseconds: 20 })).toBe(false);
    const stop = new AbortController();
    const waits = n.polling.wait(reader, 'read', { signal: stop.signal });
    stop.abort();
    expect(await waits).toBe(false);
    const sees = n.polling.wait(reader, 'read', { signal: new AbortController().signal });
    writeSync(writer, 'x');
    expect(await sees).toBe(true);
    readSync(reader, Buffer.alloc(1));
    closeSync(writer);
    expect(n.polling.now(reader)).toMatchObject({ hungUp: true });
    closeSync(reader);
    expect(code(() => n.polling.now(9999))).toBe('EBADF');
  });
});
