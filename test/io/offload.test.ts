import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { type ContentOptions, type ContentResult, copyContent } from '../../src/io/content.js';
import { FileIO } from '../../src/io/file-io.js';
import { dataSegments } from '../../src/io/holes.js';
import { systemError } from '../../src/io/native/system-error.js';
import { native } from '../../src/io/native.js';
import { canMount, type Filesystem, type LoopMount, loopMount } from '../helpers/loop-mount.js';

const here = mkdtempSync(join(tmpdir(), 'sluice-offload-'));
const mounts = new Map<Filesystem, LoopMount>();
afterAll(() => {
  rmSync(here, { recursive: true, force: true });
  for (const mount of mounts.values()) mount[Symbol.dispose]();
});

const MiB = 2 ** 20;
const calls = native();
let serial = 0;

/** A file of `size` bytes with data at these places; the data are never zero. */
function sparseFile(dir: string, size: number, data: [start: number, length: number][]): string {
  const path = join(dir, `source-${serial++}`);
  const fd = openSync(path, 'w');
  ftruncateSync(fd, size);
  for (const [start, length] of data) writeSync(fd, Buffer.alloc(length, (start % 251) + 1), 0, length, start);
  closeSync(fd);
  return path;
}

async function copied(source: string, options: ContentOptions = {}): Promise<ContentResult & { path: string }> {
  const path = `${source}.copy-${serial++}`;
  const from = new FileIO(source);
  const to = new FileIO(path, 'x+');
  try {
    return { ...(await copyContent(from, to, options)), path };
  } finally {
    from.close();
    to.close();
  }
}

function sameContent(one: string, other: string): void {
  const [a, b] = [openSync(one, 'r'), openSync(other, 'r')];
  const [x, y] = [Buffer.alloc(MiB), Buffer.alloc(MiB)];
  try {
    for (;;) {
      const count = readSync(a, x);
      expect(readSync(b, y)).toBe(count);
      if (count === 0) return;
      if (Buffer.compare(x.subarray(0, count), y.subarray(0, count)) !== 0) throw new Error('contents differ');
    }
  } finally {
    closeSync(a);
    closeSync(b);
  }
}

const layouts: Record<string, [size: number, data: [number, number][]]> = {
  'a leading hole': [8 * MiB, [[4 * MiB, 4 * MiB]]],
  'a hole in the middle': [
    8 * MiB,
    [
      [0, MiB],
      [6 * MiB, 2 * MiB],
    ],
  ],
  'a trailing hole': [8 * MiB, [[0, MiB]]],
  'nothing but a hole': [8 * MiB, []],
  'alternating runs': [8 * MiB, Array.from({ length: 128 }, (_, i) => [i * 65536, 4096])],
  'a size one past a block': [
    8 * MiB + 1,
    [
      [4096, 4096],
      [8 * MiB, 1],
    ],
  ],
  'data that end inside a block': [5 * MiB + 777, [[4 * MiB, MiB + 777]]],
  'a small sparse file': [100_000, [[50_000, 10]]],
};

/** Directories on the filesystems that this machine can give. */
function directory(fs: Filesystem | 'tmp'): string {
  if (fs === 'tmp') return here;
  if (!mounts.has(fs)) mounts.set(fs, loopMount(fs, 300));
  return mounts.get(fs)!.dir;
}

describe.each<Filesystem | 'tmp'>(['tmp', 'ext4', 'xfs', 'btrfs'])('holes on %s', (fs) => {
  const possible = fs === 'tmp' || canMount(fs);
  for (const [name, [size, data]] of Object.entries(layouts))
    it.skipIf(!possible)(`${name} is kept`, async () => {
      const source = sparseFile(directory(fs), size, data);
      for (const reflink of ['auto', 'never'] as const) {
        const { path, bytes } = await copied(source, { reflink });
        expect(bytes).toBe(size);
        sameContent(source, path);
        // A block more for the map of the extents, or where blocks are smaller than the 4 KiB that zeros are looked for in.
        expect(statSync(path).blocks).toBeLessThanOrEqual(statSync(source).blocks + 8);
        rmSync(path);
      }
    });

  it.skipIf(!possible)('are filled for --sparse=never, dug for --sparse=always', async () => {
    const source = sparseFile(directory(fs), 6 * MiB, [[MiB, 1000]]);
    const full = await copied(source, { sparse: 'never' });
    sameContent(source, full.path);
    const fd = openSync(full.path, 'r');
    if (calls) {
      expect([...dataSegments(calls, fd)]).toEqual([{ start: 0, end: 6 * MiB }]);
      expect(fstatSync(fd).blocks * 512).toBeGreaterThanOrEqual(fs === 'btrfs' ? 0 : 6 * MiB);
    }
    closeSync(fd);
    const dug = await copied(full.path, { sparse: 'always' });
    sameContent(source, dug.path);
    expect(dug.method).toBe('readinto');
    expect(statSync(dug.path).blocks * 512).toBeLessThanOrEqual(65536);
  });
});

describe.skipIf(calls === null)('the way that bytes go', () => {
  function shared(path: string): boolean {
    const fd = openSync(path, 'r');
    try {
      const extents = [...calls!.extents.of(fd, true)];
      expect(extents.length).toBeGreaterThan(0);
      return extents.every(({ flags }) => flags.shared);
    } finally {
      closeSync(fd);
    }
  }
  for (const fs of ['xfs', 'btrfs'] as const)
    it.skipIf(!canMount(fs))(`on ${fs} extents are shared, and with --reflink=never they are not`, async () => {
      const source = sparseFile(directory(fs), 5 * MiB, [[0, 5 * MiB]]);
      const never = await copied(source, { reflink: 'never' });
      expect(never.method).toBe('readinto');
      expect(shared(never.path)).toBe(false);
      for (const reflink of ['auto', 'always'] as const) {
        const clone = await copied(source, { reflink });
        expect(clone.method).toBe('reflink');
        expect(shared(clone.path)).toBe(true);
        sameContent(source, clone.path);
      }
    });

  it.skipIf(!canMount('xfs'))('--reflink=always shares with a digest too, which is that of the copy', async () => {
    const source = sparseFile(directory('xfs'), 5 * MiB, [[MiB, 4 * MiB]]);
    const chunks: Buffer[] = [];
    const { method, path } = await copied(source, {
      reflink: 'always',
      onChunk: (chunk) => chunks.push(Buffer.from(chunk)),
    });
    expect(method).toBe('reflink');
    expect(shared(path)).toBe(true);
    expect(Buffer.concat(chunks).equals(readFileSync(source))).toBe(true);
  });

  it.skipIf(!canMount('ext4'))('on ext4 it is copy_file_range, and --reflink=always is refused', async () => {
    const source = sparseFile(directory('ext4'), 5 * MiB, [[0, 5 * MiB]]);
    const { method, path, why } = await copied(source);
    expect([method, why]).toEqual(['copy_file_range', 'reflink was refused (ENOTSUP)']);
    sameContent(source, path);
    await expect(copied(source, { reflink: 'always' })).rejects.toMatchObject({ code: 'ENOTSUP' });
  });

  it.skipIf(!canMount('ext4'))('a full disk is told before anything is written', async () => {
    const source = sparseFile(here, 310 * MiB, []);
    const fd = openSync(source, 'r+');
    calls!.copying.allocate(fd, 0, 310 * MiB, false);
    writeSync(fd, 'x', 300 * MiB);
    closeSync(fd);
    const target = join(directory('ext4'), 'too-large');
    const [from, to] = [new FileIO(source), new FileIO(target, 'x+')];
    const dense = copyContent(from, to, { sparse: 'never', reflink: 'auto' });
    // No holes asked for, so that copy_file_range is not used: the room is reserved all the same.
    await expect(dense).rejects.toMatchObject({ code: 'ENOSPC', syscall: 'fallocate' });
    expect(statSync(target).blocks * 512).toBeLessThan(310 * MiB);
    expect(statSync(target).size).toBe(0);
    from.close();
    to.close();
    rmSync(target);
  });
});

describe.skipIf(calls === null)('where copy_file_range is refused', () => {
  const errnos = { ENOSYS: 38, EOPNOTSUPP: 95, EINVAL: 22, EBADF: 9, EXDEV: 18, ETXTBSY: 26, EPERM: 1, ENOENT: 2 };
  const source = () => sparseFile(here, 6 * MiB, [[0, 6 * MiB]]);

  for (const [name, errno] of Object.entries(errnos))
    for (const nth of [1, 2])
      it(`by ${name} at call ${nth}, the rest is read and written`, async () => {
        const real = calls!.copying.copyFileRange;
        let count = 0;
        const spy = vi.spyOn(calls!.copying, 'copyFileRange').mockImplementation((...args) => {
          if (++count === nth) throw systemError(errno, 'copy_file_range');
          return real(...args);
        });
        try {
          const path = source();
          const result = await copied(path);
          expect(count).toBe(nth);
          expect(result.why).toMatch(/^copy_file_range was refused/);
          expect([result.bytes, result.method]).toEqual([6 * MiB, nth === 1 ? 'readinto' : 'copy_file_range']);
          sameContent(path, result.path);
        } finally {
          spy.mockRestore();
        }
      });

  it('a first answer of nothing means: read instead', async () => {
    const spy = vi.spyOn(calls!.copying, 'copyFileRange').mockReturnValue(0);
    const path = source();
    const result = await copied(path).finally(() => spy.mockRestore());
    expect([result.bytes, result.method]).toEqual([6 * MiB, 'readinto']);
    sameContent(path, result.path);
  });

  it('what no other way could help is thrown at once', async () => {
    const spy = vi.spyOn(calls!.copying, 'copyFileRange').mockImplementation(() => {
      throw systemError(28, 'copy_file_range');
    });
    await expect(copied(source()).finally(() => spy.mockRestore())).rejects.toMatchObject({ code: 'ENOSPC' });
  });

  it('a source that shrinks meanwhile is told, and never waited for', async () => {
    const path = source();
    const real = calls!.copying.copyFileRange;
    const spy = vi.spyOn(calls!.copying, 'copyFileRange').mockImplementation((...args) => {
      const count = real(...args);
      const fd = openSync(path, 'r+');
      ftruncateSync(fd, 2 * MiB);
      closeSync(fd);
      return count;
    });
    expect(await copied(path).finally(() => spy.mockRestore())).toMatchObject({ change: 'shrank' });
  });

  it('an abort ends it between two pieces, a rate limit slows it', async () => {
    const stop = new AbortController();
    const path = source();
    await expect(
      copied(path, { signal: stop.signal, limitRate: 10 * MiB, onBytes: () => stop.abort(new Error('stop')) }),
    ).rejects.toThrow('stop');
    const begun = performance.now();
    let seen = 0;
    const { method } = await copied(path, { limitRate: 20 * MiB, onBytes: (count) => (seen += count) });
    expect([seen, method]).toEqual([6 * MiB, 'copy_file_range']);
    expect(performance.now() - begun).toBeGreaterThan(250);
  });
});

it('files of /proc, whose size is not known, are copied whole', async () => {
  const path = join(here, 'cpuinfo');
  const [from, to] = [new FileIO('/proc/self/status'), new FileIO(path, 'x+')];
  const { bytes } = await copyContent(from, to, {});
  from.close();
  to.close();
  expect(bytes).toBeGreaterThan(100);
  expect(readFileSync(path, 'utf8')).toMatch(/^Name:/);
  writeFileSync(path, '');
});
