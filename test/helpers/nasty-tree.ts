// Trees with every kind of entry that makes trouble, and a digest that tells two of them apart: our own, so that it shares
// no mistake with what it tests.

import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { native } from '../../src/io/native.js';

const bytes = (...parts: (string | Buffer)[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)));
const under = (directory: Buffer, name: string | Buffer): Buffer => bytes(directory, '/', name);

export interface NastyOptions {
  /** Levels of the deep branch. */
  depth?: number;
  /** As an unprivileged user: nothing that only root could read again. */
  unprivileged?: boolean;
}

/** Makes the tree at `root`, which must not exist. */
export function nastyTree(root: string, { depth = 300, unprivileged = false }: NastyOptions = {}): void {
  const top = Buffer.from(root);
  mkdirSync(top);
  const file = (name: string | Buffer, content: string | Buffer = String(name), mode = 0o644) => {
    writeFileSync(under(top, name), content);
    chmodSync(under(top, name), mode);
  };
  file('plain');
  file('empty', '');
  file('new\nline');
  file('-leading');
  file(' blank ');
  file('back\\slash');
  file('caf\u00e9');
  file('cafe\u0301');
  file('Case');
  file('case');
  file(bytes('bad', Buffer.from([0xff, 0xfe]), '.bin'), 'not UTF-8');
  file('x'.repeat(255));
  file(bytes(Buffer.alloc(85 * 3, '\u20ac')), 'three bytes a letter');
  file('.sluice-looks-like-ours.tmp');
  file('*[glob]?');
  file('big', Buffer.alloc(700_001, 'big '));
  for (const mode of [
    0o000, 0o001, 0o200, 0o400, 0o444, 0o600, 0o640, 0o666, 0o700, 0o755, 0o777, 0o1644, 0o2755, 0o4755, 0o6711, 0o7777,
  ])
    if (!unprivileged || mode & 0o400) file(`mode-${mode.toString(8)}`, 'm', mode);

  // Holes: at the start, in the middle, at the end, and nothing else.
  const holes = openSync(under(top, 'holes'), 'w');
  writeSync(holes, 'data', 1 << 20);
  writeSync(holes, 'more', 3 << 20);
  closeSync(holes);
  truncateSync(under(top, 'holes'), 8 << 20);
  file('all-hole', '');
  truncateSync(under(top, 'all-hole'), 1 << 20);
  file('small-hole', '');
  truncateSync(under(top, 'small-hole'), 200 << 10);

  symlinkSync('plain', under(top, 'link'));
  symlinkSync('nowhere/at/all', under(top, 'dangling'));
  symlinkSync('.', under(top, 'loop'));
  symlinkSync('/etc', under(top, 'outside'));
  symlinkSync(bytes('bad', Buffer.from([0xff])), under(top, 'link-to-bytes'));
  execFileSync('mkfifo', [bytes(top, '/fifo').toString()]);
  makeSocket(under(top, 'socket'));
  if (!unprivileged) {
    makeDevice(`${root}/character`, 'c', 1, 3);
    makeDevice(`${root}/block`, 'b', 7, 260);
  }

  mkdirSync(under(top, 'sub'));
  mkdirSync(under(top, 'sub/empty'));
  file('sub/one', 'hard');
  linkSync(under(top, 'sub/one'), under(top, 'sub/two'));
  linkSync(under(top, 'sub/one'), under(top, 'three'));
  mkdirSync(under(top, bytes('sub/d', Buffer.from([0x80]), '\n')));
  file(bytes('sub/d', Buffer.from([0x80]), '\n/inner'), 'inner');
  mkdirSync(under(top, 'narrow'), 0o700);
  file('narrow/secret', 'secret', 0o600);
  mkdirSync(under(top, 'readonly'));
  file('readonly/inside');
  for (const mode of [0o2775, 0o1777, 0o0700, 0o3711, ...(unprivileged ? [] : [0o0000, 0o0555, 0o0111])]) {
    mkdirSync(under(top, `directory-${mode.toString(8)}`));
    file(`directory-${mode.toString(8)}/inside`);
    chmodSync(under(top, `directory-${mode.toString(8)}`), mode);
  }
  mkdirSync(under(top, 'inherits'));

  // Deeper than PATH_MAX with long names: made by going down.
  const here = process.cwd();
  try {
    process.chdir(root);
    for (let level = 0; level < depth; level++) {
      mkdirSync(`level-${level}-${'y'.repeat(10)}`);
      process.chdir(`level-${level}-${'y'.repeat(10)}`);
    }
    writeFileSync('bottom', 'deep');
  } finally {
    process.chdir(here);
  }

  const calls = native();
  const times: [string, bigint][] = [
    ['plain', 1_600_000_000_123_456_789n],
    ['empty', -1_000_000_001n],
    ['link', 1_234_567_890_987_654_321n],
    ['new\nline', 0n],
    ['sub/empty', -86_400_000_000_001n],
    ['fifo', 1_500_000_000_000_000_001n],
  ];
  if (calls) {
    for (const [name, time] of times) calls.times.set(under(top, name), time, time);
    calls.xattrs.set(under(top, 'plain'), 'user.sluice', Buffer.from('value'));
    calls.xattrs.set(under(top, 'sub'), 'user.empty', Buffer.alloc(0));
  }
  try {
    execFileSync('setfacl', ['-m', 'u:65534:r,g:65534:rw', `${root}/Case`], { stdio: 'ignore' });
    execFileSync('setfacl', ['-m', 'd:u:65534:rx', `${root}/sub/empty`], { stdio: 'ignore' });
    // One of its files has the ACL that comes from above, the other has got rid of it.
    execFileSync('setfacl', ['-m', 'd:u:65534:rwx,d:g:65534:rwx', `${root}/inherits`], { stdio: 'ignore' });
    file('inherits/with');
    file('inherits/without', 'without', 0o600);
    execFileSync('setfacl', ['-b', `${root}/inherits/without`], { stdio: 'ignore' });
  } catch {
    // No such program here, or no ACLs on this filesystem.
  }
  chmodSync(under(top, 'readonly'), 0o555);
  const fd = openSync(top, 'r');
  fsyncSync(fd);
  closeSync(fd);
}

/** Does nothing where it may not be done. */
export function makeSocket(path: Buffer): void {
  const calls = native();
  calls?.directories.makeDevice(calls.directories.here, path, constants.S_IFSOCK, 0o600, 0);
}

/** Does nothing where it may not be done. */
export function makeDevice(path: string, type: 'b' | 'c', major: number, minor: number): void {
  spawnSync('mknod', ['-m', '640', path, type, String(major), String(minor)], { stdio: 'ignore' });
}

export interface DigestOptions {
  /** Compare hard links, owners, extended attributes; times to the ns. */
  links?: boolean;
  owners?: boolean;
  xattrs?: boolean;
  times?: 'ns' | 'us' | 'none';
  modes?: boolean;
  /** False: sockets are passed over, as every command does. */
  sockets?: boolean;
}

/** Every entry of a tree as a line; two trees are equal when their lines are. */
export function treeLines(root: string, options: DigestOptions = {}): string[] {
  const { links = true, owners = true, xattrs = true, times = 'ns', modes = true, sockets = true } = options;
  const lines: string[] = [];
  const inodes = new Map<string, string>();
  const calls = xattrs ? native() : null;
  const here = process.cwd();

  /** By going in: paths may be longer than the system takes. */
  function walk(shown: string): void {
    for (const name of readdirSync(Buffer.from('.'), { encoding: 'buffer' }).sort(Buffer.compare)) {
      const stat = lstatSync(name, { bigint: true });
      const path = `${shown}/${name.toString('latin1')}`;
      if (stat.isSocket() && !sockets) continue;
      lines.push(describe(path, name, stat));
      if (!stat.isDirectory()) continue;
      enter(name);
      walk(path);
      process.chdir('..');
    }
  }

  function enter(name: Buffer): void {
    if (Buffer.from(name.toString()).equals(name)) {
      process.chdir(name.toString());
      return;
    }
    // chdir takes strings only: through the descriptor.
    const fd = openSync(name, 'r');
    process.chdir(`/proc/self/fd/${fd}`);
    closeSync(fd);
  }

  function describe(path: string, name: Buffer, stat: BigIntStats): string {
    const kind = Number(stat.mode) & 0o170000;
    const parts = [JSON.stringify(path), kind.toString(8)];
    if (modes && !stat.isSymbolicLink()) parts.push((Number(stat.mode) & 0o7777).toString(8));
    if (owners) parts.push(`${stat.uid}:${stat.gid}`);
    if (stat.isFile()) parts.push(String(stat.size), createHash('sha256').update(readFileSync(name)).digest('hex'));
    // Holes: how many blocks a file takes differs from one filesystem to the next, that it takes far fewer than its size does not.
    if (stat.isFile() && stat.blocks * 512n + 65536n < stat.size) parts.push('sparse');
    if (stat.isSymbolicLink()) parts.push(readlinkSync(name, { encoding: 'buffer' }).toString('hex'));
    if (stat.isCharacterDevice() || stat.isBlockDevice()) parts.push(String(stat.rdev));
    if (times !== 'none') parts.push(String(times === 'ns' ? stat.mtimeNs : stat.mtimeNs / 1000n));
    if (links && !stat.isDirectory() && stat.nlink > 1n) {
      const key = `${stat.dev}:${stat.ino}`;
      if (!inodes.has(key)) inodes.set(key, path);
      parts.push(`= ${JSON.stringify(inodes.get(key))}`);
    }
    if (calls) {
      for (const attribute of calls.xattrs
        .list(name)
        .sort()
        .filter((each) => !each.startsWith('trusted.SGI_')))
        parts.push(`${attribute}=${calls.xattrs.get(name, attribute)?.toString('hex')}`);
    }
    return parts.join(' ');
  }

  try {
    process.chdir(root);
    const top = Buffer.from('.');
    lines.push(describe('.', top, lstatSync(top, { bigint: true })));
    walk('.');
  } finally {
    process.chdir(here);
  }
  return lines;
}
