// `sluice copy` with native calls, without them, and with a kernel that refuses some: what is kept is kept, what is not is told.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  cpSync,
  existsSync,
  lchownSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { accessAcl } from '../../src/io/acl.js';
import { native } from '../../src/io/native.js';
import { canMount, loopMount } from '../helpers/loop-mount.js';
import { bin, command, isRoot, root, sluice, temporary } from '../helpers/sluice.js';
import { hasStrace, strace } from '../helpers/strace.js';

const calls = native();
const n = calls!;
const MiB = 2 ** 20;
const large = Buffer.alloc(6 * MiB, 'large ');
const without = { SLUICE_NATIVE: '0' };

/** user::rw- user:77:rwx group::--- mask::rwx other::---: its mode reads 0670, and the group may do nothing. */
const acl = Buffer.from(
  '0200000001000600ffffffff020007004d00000004000000ffffffff10000700ffffffff20000000ffffffff',
  'hex',
);

/** Files with their ACL, attributes and times, in a directory that can keep them. */
function withFiles(cwd: string): void {
  writeFileSync(join(cwd, 'a'), 'new');
  writeFileSync(join(cwd, 'b'), 'old');
  n.xattrs.set(join(cwd, 'b'), 'user.k', Buffer.from('v'));
  n.xattrs.set(join(cwd, 'b'), accessAcl, acl);
}

describe('koffi is not loaded', () => {
  const modules = (args: string[], cwd: string) =>
    strace(process.execPath, [bin, ...args], { cwd, trace: 'open,openat' }).calls.filter((call) => /koffi/.test(call));
  it.skipIf(!hasStrace)('for --version, --help, usage errors and copying a small file; but is for a large one', () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'small'), 'small');
    for (const args of [
      ['--version'],
      ['--help'],
      ['copy', '--help'],
      ['copy', '--nonsense'],
      ['copy', 'small', 'new'],
      ['copy', 'small', '-'],
    ])
      expect([args, modules(args, cwd)]).toEqual([args, []]);
    expect(existsSync(join(cwd, 'new'))).toBe(true);
    writeFileSync(join(cwd, 'large'), large);
    expect(modules(['copy', 'large', 'copy'], cwd).some((call) => call.includes('koffi.node'))).toBe(calls !== null);
  });
});

describe.skipIf(!hasStrace || !calls)('the end of the process', () => {
  it('waits for no storage that nobody asked for, and keeps the exit code', () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'large'), large);
    const run = (...args: string[]) =>
      strace('/bin/sh', ['-c', '"$@" > out', 'sh', process.execPath, bin, ...args], { cwd, trace: 'fsync' });
    const whole = run('copy', 'large', '-');
    expect(whole.calls.filter((call) => call.startsWith('fsync'))).toEqual([]);
    expect([whole.status, readFileSync(join(cwd, 'out')).equals(large)]).toEqual([0, true]);
    mkdirSync(join(cwd, 'd'));
    expect(run('copy', 'large', 'missing', 'd').status).toBe(1);
    expect(readFileSync(join(cwd, 'd/large')).equals(large)).toBe(true);
  });
});

describe.skipIf(!hasStrace || !calls)('--verify', () => {
  it('reads from storage: what is in memory is written out, dropped, and then read, before the file has its name', () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'a'), large);
    const traced = strace(process.execPath, [bin, 'copy', '--verify', 'a', 'b'], {
      cwd,
      decode: true,
      trace: 'fsync,fadvise64,read,pread64,rename',
    });
    const steps = traced.calls.flatMap((call) => {
      const [name] = /^\w+/.exec(call) ?? [];
      if (!call.includes('.b.sluice-') || !name) return [];
      return name === 'fadvise64' && !call.includes('DONTNEED') ? [] : [name.replace('pread64', 'read')];
    });
    expect(steps.filter((name, i) => name !== steps[i - 1])).toEqual(['fsync', 'fadvise64', 'read', 'rename']);
    expect(traced.status).toBe(0);
  });
});

describe('without native calls', () => {
  /** The project as npm installs it, without its optional dependency, or with one that cannot be loaded. */
  function installed(koffi?: string): string {
    const home = temporary();
    for (const name of ['bin', 'dist', 'package.json']) cpSync(join(root, name), join(home, name), { recursive: true });
    if (koffi !== undefined) {
      mkdirSync(join(home, 'node_modules/koffi'), { recursive: true });
      writeFileSync(join(home, 'node_modules/koffi/package.json'), '{"name":"koffi","main":"./index.cjs"}');
      writeFileSync(join(home, 'node_modules/koffi/index.cjs'), koffi);
    }
    return join(home, 'bin/sluice.js');
  }
  const broken: Record<string, [koffi: string | undefined, reason: string]> = {
    'koffi is missing': [undefined, "Cannot find module 'koffi'"],
    'koffi is for another machine': [
      "throw new Error('wrong ELF class: ELFCLASS32\\nmore')",
      'wrong ELF class: ELFCLASS32',
    ],
    'koffi cannot load libc': ["exports.load = () => { throw new TypeError('no dlopen here') }", 'no dlopen here'],
  };
  for (const [what, [koffi, reason]] of Object.entries(broken))
    it(`${what}: everything works, and --debug tells why it goes without`, async () => {
      const cwd = temporary();
      writeFileSync(join(cwd, 'a'), large);
      truncateSync(join(cwd, 'a'), 8 * MiB);
      const run = (...args: string[]) =>
        command(process.execPath, [installed(koffi), ...args], { cwd, env: { SLUICE_NATIVE: '1' } });
      const { status, stderr } = await run('copy', '--debug', '-p', '--verify', 'a', 'b');
      expect(status).toBe(0);
      expect(stderr).toContain(reason);
      expect(stderr).not.toContain('more');
      expect(readFileSync(join(cwd, 'b')).equals(readFileSync(join(cwd, 'a')))).toBe(true);
      expect(statSync(join(cwd, 'b')).blocks).toBe(statSync(join(cwd, 'a')).blocks);
    });

  it('what could not be kept is counted, and --strict makes it an error', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'a'), 'a');
    // A second has a nanosecond that is no microsecond: of ten writes one will do.
    for (let i = 0; i < 100 && statSync(join(cwd, 'a'), { bigint: true }).mtimeNs % 1000n === 0n; i++)
      writeFileSync(join(cwd, 'a'), 'a');
    const { status, stderr } = await sluice(['copy', '-p', '--preserve=xattr', 'a', 'b'], { cwd, env: without });
    expect([status, stderr]).toEqual([
      0,
      expect.stringMatching(/kept everything but: 1 unread xattr set, 1 timestamp\n/),
    ]);
    expect((await sluice(['copy', '-p', '--strict', 'a', 'b'], { cwd, env: without })).status).toBe(1);
    const { status: quiet, stderr: nothing } = await sluice(['copy', 'a', 'b'], { cwd, env: without });
    expect([quiet, nothing]).toEqual([0, '']);
    const { stderr: told } = await sluice(['copy', '--debug', 'a', 'b'], { cwd, env: without });
    expect(told).toContain('native calls are switched off (SLUICE_NATIVE=0)');
  });
});

describe.skipIf(!calls || !canMount('ext4'))('an ACL, without native calls', () => {
  const facts = (path: string) => [statSync(path).mode & 0o777, n.xattrs.get(path, accessAcl)?.equals(acl) ?? false];
  /** A directory of programs, for a PATH with these alone. */
  const programs = (cwd: string, ...names: string[]) => {
    const dir = join(cwd, 'programs');
    mkdirSync(dir);
    for (const name of names)
      symlinkSync(
        execFileSync('/bin/sh', ['-c', `command -v ${name}`])
          .toString()
          .trim(),
        join(dir, name),
      );
    return { ...without, PATH: dir };
  };

  it.each([
    ['of the replaced file', ['copy', 'a', 'b'], 'b'],
    ['of the replaced file, by atomic-write', ['atomic-write', 'b'], 'b'],
    ['of the source, with -p', ['copy', '-p', 'b', 'new'], 'new'],
    ['of the source, with -p, into what is there', ['copy', '-p', '--in-place', 'b', 'a'], 'a'],
  ])('%s comes along where cp(1) is there; where it is not, the mode lets nobody in, and that is told', async (_, args, target) => {
    using mount = loopMount('ext4');
    const cwd = mount.dir;
    withFiles(cwd);
    chmodSync(join(cwd, 'a'), 0o600);
    const run = (env: NodeJS.ProcessEnv) => sluice(args, { cwd, env, input: 'new' });
    const whole = await run(without);
    expect([whole.status, whole.stderr]).toEqual([0, expect.not.stringContaining('1 xattr')]);
    expect(facts(join(cwd, target))).toEqual([0o670, true]);

    withFiles(cwd);
    chmodSync(join(cwd, 'a'), 0o600);
    const { status, stderr } = await run(programs(cwd, 'ls'));
    expect([status, stderr]).toEqual([0, expect.stringMatching(/xattr/)]);
    expect(facts(join(cwd, target))).toEqual([0o600, false]);

    rmSync(join(cwd, 'programs'), { recursive: true });
    withFiles(cwd);
    chmodSync(join(cwd, 'a'), 0o600);
    expect((await run(programs(cwd))).status).toBe(0);
    expect(facts(join(cwd, target))).toEqual([0o600, false]);
  });

  it('that is not there costs nothing: the mode stays', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'a'), 'new');
    writeFileSync(join(cwd, 'b'), 'old');
    chmodSync(join(cwd, 'b'), 0o664);
    expect(await sluice(['copy', 'a', 'b'], { cwd, env: without })).toMatchObject({ status: 0, stderr: '' });
    expect(statSync(join(cwd, 'b')).mode & 0o777).toBe(0o664);
    const { stderr } = await sluice(['copy', 'a', 'b'], { cwd, env: programs(cwd) });
    expect(stderr).toContain('kept everything but: 1 xattr');
    expect(statSync(join(cwd, 'b')).mode & 0o777).toBe(0o644);
  });
});

describe('a temp file', () => {
  for (const [what, env] of [
    ['with', {}],
    ['without', without],
  ] as const)
    it.skipIf(!hasStrace)(`is 0600 until it is whole, ${what} native calls`, () => {
      const cwd = temporary();
      writeFileSync(join(cwd, 'a'), large);
      chmodSync(join(cwd, 'a'), 0o666);
      writeFileSync(join(cwd, 'b'), 'old', { mode: 0o600 });
      const trace = 'fchmod,?chmod,fchmodat,rename';
      for (const target of ['b', 'new']) {
        const args = [bin, 'copy', 'a', target];
        const traced = strace(process.execPath, args, { cwd, trace, env: { ...process.env, ...env } });
        const mode = target === 'b' ? '0600' : '0644';
        expect(traced.calls.filter((call) => !call.startsWith('+++'))).toEqual([
          expect.stringMatching(new RegExp(`^fchmod\\(\\d+, ${mode}\\)`)),
          expect.stringMatching(/^rename/),
        ]);
      }
    });
});

describe('a symlink copied as one', () => {
  it('keeps its own times and owner with -p, and its attributes with --preserve=xattr', async () => {
    const cwd = temporary();
    symlinkSync('nowhere', join(cwd, 'link'));
    lutimesSync(join(cwd, 'link'), 1_000_000_000, 1_200_000_000);
    if (isRoot) lchownSync(join(cwd, 'link'), 1234, 2345);
    if (isRoot && calls) n.xattrs.set(join(cwd, 'link'), 'trusted.t', Buffer.from('v'));
    if (calls) n.times.set(join(cwd, 'link'), undefined, -123_456_789n);
    const { status, stderr } = await sluice(['copy', '-P', '-p', '--preserve=xattr', 'link', 'copy'], { cwd });
    expect([status, stderr]).toEqual([
      0,
      calls ? '' : expect.stringContaining('kept everything but: 1 unread xattr set'),
    ]);
    const [from, to] = ['link', 'copy'].map((name) => lstatSync(join(cwd, name), { bigint: true }));
    expect([to!.mtimeNs, to!.uid, to!.gid]).toEqual([from!.mtimeNs, from!.uid, from!.gid]);
    if (isRoot && calls) expect(n.xattrs.get(join(cwd, 'copy'), 'trusted.t')?.toString()).toBe('v');
  });
});

describe('a terabyte that is mostly holes', () => {
  it.skipIf(!calls)('is copied at once, and takes no more room', async () => {
    const cwd = temporary();
    const fd = openSync(join(cwd, 'sparse'), 'w');
    for (const [i, at] of [0, 300, 700, 1023].entries())
      writeSync(fd, Buffer.alloc(MiB / 4, i + 1), 0, MiB / 4, at * 2 ** 30);
    closeSync(fd);
    truncateSync(join(cwd, 'sparse'), 2 ** 40);
    for (const args of [[], ['--reflink=never'], ['--sparse=always']]) {
      const { status, records } = await sluice(['copy', '--json', ...args, 'sparse', 'copy'], { cwd });
      expect(status).toBe(0);
      expect(records()[0]).toMatchObject({ bytes: 2 ** 40 });
      const [from, to] = ['sparse', 'copy'].map((name) => statSync(join(cwd, name)));
      expect([to!.size, to!.blocks]).toEqual([from!.size, from!.blocks]);
      const into = openSync(join(cwd, 'copy'), 'r');
      const view = Buffer.alloc(MiB / 4);
      for (const [i, at] of [0, 300, 700, 1023].entries()) {
        n.files.read(into, view, view.length, at * 2 ** 30);
        expect(view.equals(Buffer.alloc(MiB / 4, i + 1))).toBe(true);
      }
      closeSync(into);
    }
  });
});

describe.skipIf(!calls || !canMount('ext4'))('what a file carries', () => {
  async function onExt4(use: (cwd: string) => void | Promise<void>): Promise<void> {
    const mount = loopMount('ext4', 64);
    try {
      await use(mount.dir);
    } finally {
      mount[Symbol.dispose]();
    }
  }
  const b = (cwd: string) => join(cwd, 'b');

  it('a replaced file keeps its ACL and attributes', () =>
    onExt4(async (cwd) => {
      withFiles(cwd);
      const { mode } = lstatSync(b(cwd));
      expect(await sluice(['copy', 'a', 'b'], { cwd })).toMatchObject({ status: 0, stderr: '' });
      expect(readFileSync(b(cwd), 'utf8')).toBe('new');
      expect(lstatSync(b(cwd)).mode).toBe(mode);
      expect(n.xattrs.get(b(cwd), accessAcl)).toEqual(acl);
      expect(n.xattrs.get(b(cwd), 'user.k')?.toString()).toBe('v');
    }));

  it.skipIf(!hasStrace)('and is at no moment wider: owner, attributes, mode, then fsync, then the name', () =>
    onExt4((cwd) => {
      withFiles(cwd);
      chownSync(b(cwd), 1234, 2345);
      n.xattrs.set(b(cwd), accessAcl, acl);
      const trace = '/^(f?chown|f?chmod|f?setxattr|fsync|rename).*';
      const { calls: made, status } = strace(process.execPath, [bin, 'copy', '--durable', 'a', 'b'], { cwd, trace });
      expect(status).toBe(0);
      const names = made.map((call) => call.split('(')[0]!);
      const order = names.slice(names.indexOf('fchown'), names.findIndex((name) => name.startsWith('rename')) + 1);
      expect(order.filter((name, i) => name !== order[i - 1])).toEqual([
        'fchown',
        'fsetxattr',
        'fchmod',
        'fsync',
        expect.stringMatching(/^rename/),
      ]);
      expect(made.find((call) => call.startsWith('fchmod'))).toContain('0670');
      expect(lstatSync(b(cwd))).toMatchObject({ uid: 1234, gid: 2345 });
    }),
  );

  it('ACL, attributes, nanoseconds and 1960 survive -p --preserve=xattr', () =>
    onExt4(async (cwd) => {
      withFiles(cwd);
      n.times.set(b(cwd), 1n, -315_619_200_123_456_789n);
      expect(await sluice(['copy', '-p', '--preserve=xattr', 'b', 'c'], { cwd })).toMatchObject({
        status: 0,
        stderr: '',
      });
      const c = join(cwd, 'c');
      expect(n.xattrs.get(c, accessAcl)).toEqual(acl);
      expect(n.xattrs.get(c, 'user.k')?.toString()).toBe('v');
      expect(lstatSync(c, { bigint: true }).mtimeNs).toBe(-315_619_200_123_456_789n);
    }));

  it('-p alone takes the ACL along, since the mode without it would let the group in', () =>
    onExt4(async (cwd) => {
      withFiles(cwd);
      expect((await sluice(['copy', '-p', 'b', 'c'], { cwd })).status).toBe(0);
      expect(n.xattrs.get(join(cwd, 'c'), accessAcl)).toEqual(acl);
      expect(n.xattrs.list(join(cwd, 'c'))).not.toContain('user.k');
    }));

  it.skipIf(!existsSync('/proc/self/mounts') || !isRoot)(
    'what the destination cannot keep is counted: "kept everything but"',
    async () => {
      const mount = loopMount('ext4', 64);
      const target = temporary();
      await command('mount', ['-t', 'ramfs', 'ramfs', target]);
      try {
        withFiles(mount.dir);
        const { status, stderr } = await sluice(['copy', '-p', '--preserve=xattr', 'b', join(target, 'c')], {
          cwd: mount.dir,
        });
        expect([status, stderr]).toEqual([0, expect.stringContaining('kept everything but: 2 xattrs')]);
        // Without the ACL the group gets what the ACL gave it, which is nothing.
        expect(statSync(join(target, 'c')).mode & 0o777).toBe(0o600);
        expect((await sluice(['copy', '-p', '--strict', 'b', join(target, 'd')], { cwd: mount.dir })).status).toBe(1);
      } finally {
        await command('umount', [target]);
        mount[Symbol.dispose]();
      }
    },
  );
});

describe.skipIf(!hasStrace || !calls)('a kernel that refuses', () => {
  for (const error of ['ENOSYS', 'EPERM', 'EXDEV', 'EOPNOTSUPP'])
    it(`copy_file_range by ${error}: the file is read and written, and --debug tells`, () => {
      const cwd = temporary();
      writeFileSync(join(cwd, 'a'), large);
      const args = [bin, 'copy', '--debug', 'a', 'b'];
      const { status, stderr } = strace(process.execPath, args, {
        cwd,
        trace: 'copy_file_range',
        inject: [`copy_file_range:error=${error}`],
      });
      expect(status).toBe(0);
      expect(stderr).toMatch(/readinto; copy_file_range was refused \((ENOTSUP|E[A-Z]+)\)/);
      expect(readFileSync(join(cwd, 'b')).equals(large)).toBe(true);
    });

  for (const error of ['ENOSYS', 'EPERM'])
    it(`statx by ${error}: copies go on as if nothing were`, () => {
      const cwd = temporary();
      writeFileSync(join(cwd, 'a'), large, { mode: 0o640 });
      chmodSync(join(cwd, 'a'), 0o640);
      const { status } = strace(process.execPath, [bin, 'copy', '-p', 'a', 'b'], {
        cwd,
        trace: 'statx',
        inject: [`statx:error=${error}`],
      });
      expect(status).toBe(0);
      expect(readFileSync(join(cwd, 'b')).equals(large)).toBe(true);
      expect(statSync(join(cwd, 'b')).mode & 0o777).toBe(0o640);
    });

  it('attributes: a file that cannot be given them is told, and never half dressed', () => {
    const cwd = temporary();
    withFiles(cwd);
    const args = [bin, 'copy', 'a', 'b'];
    const { status, stderr } = strace(process.execPath, args, {
      cwd,
      trace: 'fsetxattr',
      inject: ['fsetxattr:error=EIO'],
    });
    expect([status, stderr]).toEqual([1, expect.stringContaining('EIO')]);
    expect(readFileSync(join(cwd, 'b'), 'utf8')).toBe('old');
    expect(readdirSync(cwd).sort()).toEqual(['a', 'b']);
  });
});
