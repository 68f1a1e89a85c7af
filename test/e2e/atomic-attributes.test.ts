import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { canMount, loopMount } from '../helpers/loop-mount.js';
import { bin, eventually, isRoot, outcome, shell, sluice, temporary } from '../helpers/sluice.js';
import { asNobody, nobody } from '../helpers/unprivileged.js';

const native = process.env['SLUICE_NATIVE'] !== '0' && process.platform === 'linux';
const has = (tool: string) => {
  try {
    execFileSync(tool, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

let dir: string;
let file: string;
beforeEach(() => {
  dir = temporary();
  chmodSync(dir, 0o755);
  file = join(dir, 'file');
});

const mode = (path = file) => statSync(path).mode & 0o7777;

describe.skipIf(!isRoot)('owner and mode', () => {
  it('of an existing file are kept, set-id bits too', async () => {
    writeFileSync(file, 'old');
    chownSync(file, 1, 2);
    chmodSync(file, 0o6754);
    expect((await sluice(['atomic-write', file], { input: 'new' })).status).toBe(0);
    expect([statSync(file).uid, statSync(file).gid, mode()]).toEqual([1, 2, 0o6754]);
  });

  it('an owner that cannot be kept is a warning, costs the set-id bits, and gives nobody more', async () => {
    chmodSync(dir, 0o777);
    writeFileSync(file, 'old');
    chownSync(file, 0, 0);
    chmodSync(file, 0o6774);
    const { status, stderr } = await sluice(['atomic-write', file], { ...nobody, cwd: dir, input: 'new' });
    expect(status).toBe(0);
    expect(stderr).toContain('its owner could not be kept, and set-id bits went with it');
    expect([statSync(file).uid, mode()]).toEqual([65534, 0o744]);
    expect(readFileSync(file, 'utf8')).toBe('new');
  });

  it.each(['--json', '--skip-unchanged'])('a file that may not be read is replaced, with %s too', async (option) => {
    chmodSync(dir, 0o777);
    writeFileSync(file, 'old');
    chownSync(file, nobody.uid, nobody.gid);
    chmodSync(file, 0o200);
    const { status, stderr } = await asNobody(['atomic-write', option, file], { input: 'new' });
    expect([status, stderr]).toEqual([0, '']);
    expect(readFileSync(file, 'utf8')).toBe('new');
  });

  it('the group is kept where the writer is in it', async () => {
    chmodSync(dir, 0o777);
    writeFileSync(file, 'old');
    chownSync(file, 0, 65534);
    chmodSync(file, 0o664);
    expect((await sluice(['atomic-write', file], { ...nobody, cwd: dir, input: 'new' })).status).toBe(0);
    expect([statSync(file).uid, statSync(file).gid, mode()]).toEqual([65534, 65534, 0o664]);
  });

  it('nobody may read the temp file before it is in place', async () => {
    writeFileSync(file, 'old');
    chmodSync(file, 0o644);
    const child = spawn(process.execPath, [bin, 'atomic-write', '-m', '600', file], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const ended = outcome(child);
    const temp = await eventually('a temp file', () => readdirSync(dir).find((name) => name.endsWith('.tmp')));
    expect(mode(join(dir, temp))).toBe(0o600);
    child.stdin.end('x');
    await ended;
    expect(mode()).toBe(0o600);
  });
});

describe('ACLs and extended attributes', () => {
  it.skipIf(!native || !has('setfacl') || !has('setfattr'))(
    'of an existing file are kept; the ACL’s mask is not taken for the group’s rights',
    async () => {
      writeFileSync(file, 'old');
      chmodSync(file, 0o640);
      execFileSync('setfacl', ['-m', 'u:65534:rw,g::---', file]);
      execFileSync('setfattr', ['-n', 'user.note', '-v', 'kept', file]);
      const before = execFileSync('getfacl', ['-cp', file]).toString();
      expect((await sluice(['atomic-write', file], { input: 'new' })).status).toBe(0);
      expect(execFileSync('getfacl', ['-cp', file]).toString()).toBe(before);
      expect(before).toContain('group::---');
      expect(execFileSync('getfattr', ['-n', 'user.note', '--only-values', '--absolute-names', file]).toString()).toBe(
        'kept',
      );
    },
  );
});

describe.skipIf(!isRoot || process.platform !== 'linux')('a disk that is full, or says no', () => {
  it('a tiny tmpfs: short writes, then ENOSPC; the old file stays, and no temp file', async () => {
    const mnt = join(dir, 'mnt');
    mkdirSync(mnt);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', mnt]);
    try {
      writeFileSync(join(mnt, 'file'), 'old');
      const full = await shell(`head -c 1M /dev/zero | sluice atomic-write ${mnt}/file`);
      expect(full.status).toBe(1);
      expect(full.stderr).toBe(
        `sluice atomic-write: ${mnt}/file: no space left on device (ENOSPC, write) — destination left as it was\n`,
      );
      expect([readdirSync(mnt), readFileSync(join(mnt, 'file'), 'utf8')]).toEqual([['file'], 'old']);
      const volatile = await sluice(['atomic-write', '--json', `${mnt}/file`], { input: 'new' });
      expect([volatile.status, volatile.records()[0]!['durability']]).toEqual([0, 'volatile']);
      const strict = await sluice(['atomic-write', '--durable=strict', `${mnt}/file`], { input: 'newer' });
      expect([strict.status, readFileSync(join(mnt, 'file'), 'utf8')]).toEqual([1, 'new']);
      expect(strict.stderr).toContain('durability cannot be promised');
    } finally {
      execFileSync('umount', [mnt]);
    }
  });

  it.skipIf(!canMount('ext4'))('a disk under the file system that is full: only the fsync sees it', async () => {
    const mnt = join(dir, 'small');
    mkdirSync(mnt);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', mnt]);
    const inner = join(dir, 'inner');
    mkdirSync(inner);
    try {
      // 16 MiB that the 4 MiB below can not hold.
      execFileSync('truncate', ['-s', '16M', join(mnt, 'image')]);
      execFileSync('mkfs.ext4', ['-q', '-F', join(mnt, 'image')]);
      execFileSync('mount', ['-o', 'loop', join(mnt, 'image'), inner]);
      try {
        writeFileSync(join(inner, 'file'), 'old');
        execFileSync('sync', ['-f', inner]);
        const ended = await shell(`head -c 8M /dev/urandom | sluice atomic-write ${inner}/file`);
        expect(ended.status).toBe(1);
        expect(ended.stderr).toMatch(/\(E(IO|NOSPC|ROFS), fsync\) — destination left as it was\n$/);
        expect(readFileSync(join(inner, 'file'), 'utf8')).toBe('old');
        expect(readdirSync(inner).filter((name) => name.endsWith('.tmp'))).toEqual([]);
      } finally {
        execFileSync('umount', ['-l', inner]);
      }
    } finally {
      execFileSync('umount', ['-l', mnt]);
    }
  });

  it.skipIf(!canMount('ext4'))('an immutable file: EPERM, and no hint that would not help', async () => {
    const mount = loopMount('ext4');
    try {
      const target = join(mount.dir, 'file');
      writeFileSync(target, 'old');
      execFileSync('chattr', ['+i', target]);
      const ended = await sluice(['atomic-write', target], { input: 'new' });
      execFileSync('chattr', ['-i', target]);
      expect(ended.status).toBe(1);
      expect(ended.stderr).toBe(
        `sluice atomic-write: ${target}: operation not permitted (EPERM, rename) — destination left as it was\n`,
      );
      expect(readdirSync(mount.dir).sort()).toEqual(['file', 'lost+found']);
    } finally {
      mount[Symbol.dispose]();
    }
  });
});

it('200 replacements under a reader that never sees anything but one of them', async () => {
  writeFileSync(file, 'a'.repeat(50_000));
  const { writeAtomic } = await import('../../src/index.js');
  const reader = spawn('bash', ['-c', `trap 'exit 0' TERM; while :; do cksum < ${file}; done`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = outcome(reader);
  for (let i = 0; i < 200; i++) {
    await writeAtomic(file, (i % 2 ? 'a' : 'b').repeat(50_000), { durable: 'none' });
    if (i % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  reader.kill();
  const sums = new Set((await ended).out.trim().split('\n'));
  expect(sums.size).toBeGreaterThan(0);
  expect(sums.size).toBeLessThanOrEqual(2);
  for (const sum of sums) expect(sum).toMatch(/ 50000$/);
});
