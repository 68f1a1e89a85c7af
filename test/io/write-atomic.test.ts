import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { AtomicFile, BytesIO, copyInto, fsyncDirectory, tempName, writeAtomic } from '../../src/index.js';
import { temporary } from '../helpers/sluice.js';

let dir: string;
let file: string;
beforeEach(() => {
  dir = temporary();
  file = join(dir, 'file');
});
const text = () => readFileSync(file, 'utf8');

describe('writeAtomic', () => {
  it('takes text, bytes and sources, by path, Buffer and URL', async () => {
    expect(await writeAtomic(file, 'é')).toMatchObject({ outcome: 'created', lost: [] });
    expect(text()).toBe('é');
    expect((await writeAtomic(Buffer.from(file), new Uint8Array([97, 98]))).outcome).toBe('replaced');
    expect(text()).toBe('ab');
    await writeAtomic(pathToFileURL(file), new BytesIO(Buffer.alloc(300_000, 'x')), { durable: 'none' });
    expect(text()).toBe('x'.repeat(300_000));
    expect(readdirSync(dir)).toEqual(['file']);
  });

  it('takes a wish for durability as a word or a boolean, and refuses what makes no sense before anything is made', async () => {
    expect((await writeAtomic(file, 'a')).durability).not.toBe('none');
    expect((await writeAtomic(file, 'a', { durable: false })).durability).toBe('none');
    expect((await writeAtomic(file, 'a', { durable: true })).durability).not.toBe('none');
    const atomic = new AtomicFile(file, { durable: false });
    expect((await atomic.commit()).durability).toBe('none');
    writeFileSync(file, 'old');
    const refused = { code: 'ERR_INVALID_ARG_VALUE' };
    await expect(writeAtomic(file, 'new', { durable: 'no' as 'none' })).rejects.toMatchObject(refused);
    for (const data of [5, null, undefined, {}])
      await expect(writeAtomic(file, data as never)).rejects.toMatchObject(refused);
    const [from, to] = [new BytesIO(Buffer.from('x')), new BytesIO()];
    for (const broken of [null, {}, 'text']) {
      await expect(copyInto(broken as never, to)).rejects.toMatchObject(refused);
      await expect(copyInto(from, broken as never)).rejects.toMatchObject(refused);
    }
    for (const bufferSize of [0, -1, NaN])
      await expect(copyInto(from, to, { bufferSize })).rejects.toMatchObject(refused);
    expect([text(), readdirSync(dir)]).toEqual(['old', ['file']]);
  });

  it('keeps the mode, or sets the one that is given; keeps the old file; leaves what exists', async () => {
    writeFileSync(file, 'old');
    chmodSync(file, 0o640);
    await writeAtomic(file, 'new', { backup: '~' });
    expect([statSync(file).mode & 0o7777, readFileSync(`${file}~`, 'utf8')]).toEqual([0o640, 'old']);
    await writeAtomic(file, 'newer', { mode: 0o600 });
    expect(statSync(file).mode & 0o7777).toBe(0o600);
    expect((await writeAtomic(file, 'x', { noClobber: true })).outcome).toBe('skipped');
    expect(text()).toBe('newer');
  });

  it('leaves the old file, and no temp file, where the source fails or the caller gives up', async () => {
    writeFileSync(file, 'old');
    let asked = 0;
    const failing = {
      readInto(view: Uint8Array) {
        if (++asked > 2) throw new Error('no more');
        view.fill(1);
        return view.length;
      },
    };
    await expect(writeAtomic(file, failing)).rejects.toMatchObject({
      message: 'no more',
      path: file,
      state: 'destination left as it was',
    });
    await expect(writeAtomic(file, 'x', { signal: AbortSignal.abort() })).rejects.toThrow();
    await expect(writeAtomic(dir, 'x')).rejects.toMatchObject({ code: 'EISDIR' });
    await expect(writeAtomic(join(dir, 'no/file'), 'x')).rejects.toMatchObject({ code: 'ENOENT', syscall: 'open' });
    expect([text(), readdirSync(dir)]).toEqual(['old', ['file']]);
  });

  it('a file may be called -', async () => {
    const before = process.cwd();
    process.chdir(dir);
    try {
      await writeAtomic('-', 'x');
    } finally {
      process.chdir(before);
    }
    expect(readdirSync(dir)).toEqual(['-']);
  });

  it('follows a symlink to what it leads to', async () => {
    mkdirSync(join(dir, 'sub'));
    symlinkSync('sub/target', file);
    await writeAtomic(file, 'x');
    expect(readFileSync(join(dir, 'sub/target'), 'utf8')).toBe('x');
  });
});

describe('AtomicFile', () => {
  it('what is not committed never was', () => {
    writeFileSync(file, 'old');
    const atomic = new AtomicFile(file);
    atomic.file.write(Buffer.from('half'));
    expect(statSync(atomic.temp).mode & 0o7777).toBe(0o600);
    atomic[Symbol.dispose]();
    atomic.discard();
    expect([text(), readdirSync(dir)]).toEqual(['old', ['file']]);
  });

  it('waits with `settle`, looks with `guard`, and is discarded where either refuses', async () => {
    const order: string[] = [];
    const atomic = new AtomicFile(file, {
      settle: async () => void order.push('settle'),
      guard: () => void order.push('guard'),
    });
    atomic.file.write(Buffer.from('x'));
    await atomic.commit();
    expect([order, text()]).toEqual([['settle', 'guard'], 'x']);
    const refused = new AtomicFile(file, {
      guard: () => {
        throw new Error('no');
      },
    });
    await expect(refused.commit()).rejects.toThrow('no');
    expect([text(), readdirSync(dir)]).toEqual(['x', ['file']]);
  });
});

it('tempName: beside its file, never the same, never longer than a name may be', () => {
  expect(tempName('a/b')).toMatch(/^a\/\.b\.sluice-[0-9a-f]{16}\.tmp$/);
  expect(tempName('b')).not.toBe(tempName('b'));
  expect(Buffer.byteLength(tempName(`x/${'ü'.repeat(127)}`)) - 2).toBeLessThanOrEqual(255);
});

it('fsyncDirectory rejects with what the system says', async () => {
  await fsyncDirectory(dir);
  await expect(fsyncDirectory(join(dir, 'no'))).rejects.toMatchObject({ code: 'ENOENT' });
});
