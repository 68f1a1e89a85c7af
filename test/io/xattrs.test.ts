import {
  closeSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { accessAcl, aclUnderMode, groupRights } from '../../src/io/acl.js';
import { AtomicFile } from '../../src/io/atomic-file.js';
import { applyAttributes } from '../../src/io/attributes.js';
import { systemError } from '../../src/io/native/system-error.js';
import { native } from '../../src/io/native.js';
import { readAccessAcl, readExtended, writeAccessAcl, writeXattrs } from '../../src/io/xattrs.js';

const dir = mkdtempSync(join(tmpdir(), 'sluice-xattrs-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const calls = native();
const n = calls!;
let serial = 0;
function file(): string {
  const path = join(dir, `f${serial++}`);
  writeFileSync(path, 'x', { mode: 0o600 });
  return path;
}

/** user::6 user:77:7 group::4 mask::7 other::0 */
function acl(owner = 6, group = 4, mask = 7, other = 0): Buffer {
  const bytes = Buffer.alloc(4 + 5 * 8);
  bytes.writeUInt32LE(2);
  const entries = [
    [1, owner, -1],
    [2, 7, 77],
    [4, group, -1],
    [16, mask, -1],
    [32, other, -1],
  ] as const;
  for (const [i, [tag, rights, id]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + i * 8);
    bytes.writeUInt16LE(rights, 6 + i * 8);
    bytes.writeInt32LE(id, 8 + i * 8);
  }
  return bytes;
}

describe('an ACL', () => {
  it('under a mode is as chmod would leave it', () => {
    expect(aclUnderMode(acl(), 0o751)).toEqual(acl(7, 4, 5, 1));
    const minimal = Buffer.concat([acl().subarray(0, 12), acl().subarray(20, 28), acl().subarray(36)]);
    expect(aclUnderMode(minimal, 0o640).readUInt16LE(4 + 8 + 2)).toBe(4);
  });
  it('says what its group may do, which the mode does not', () => {
    expect(groupRights(acl())).toBe(4);
    expect(groupRights(acl(6, 6, 3, 0))).toBe(2);
  });
});

/** A temp directory on tmpfs has none before Linux 6.6. */
function filesystemHasThem(): boolean {
  try {
    n.xattrs.set(file(), 'user.test', Buffer.from('x'));
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(calls === null || !filesystemHasThem())('extended attributes', () => {
  it('come along whole, the ACL by itself', () => {
    const [from, to] = [file(), file()];
    n.xattrs.set(from, 'user.one', Buffer.from('1'));
    n.xattrs.set(from, 'user.two', Buffer.alloc(1000, 2));
    n.xattrs.set(from, accessAcl, acl());
    const { xattrs, acl: read, unread } = readExtended(from)!;
    expect([...xattrs.keys()].sort()).toEqual(['user.one', 'user.two']);
    expect([read, unread, readAccessAcl(from)]).toEqual([acl(), 0, acl()]);
    expect(writeXattrs(to, xattrs)).toBe(0);
    expect(n.xattrs.get(to, 'user.two')).toEqual(Buffer.alloc(1000, 2));
  });

  it('that are refused are counted, and other errors are errors', () => {
    const set = vi.spyOn(n.xattrs, 'set').mockImplementation((_, name) => {
      throw systemError(name === 'user.broken' ? 5 : 95, 'setxattr');
    });
    try {
      expect(
        writeXattrs(
          file(),
          new Map([
            ['user.a', Buffer.from('a')],
            ['trusted.b', Buffer.from('b')],
          ]),
        ),
      ).toBe(2);
      expect(() => writeXattrs(file(), new Map([['user.broken', Buffer.from('a')]]))).toThrow(/^EIO: /);
      const fd = openSync(file(), 'r+');
      expect(writeAccessAcl(fd, acl())).toBe(false);
      closeSync(fd);
    } finally {
      set.mockRestore();
    }
  });

  it('an ACL is set under the mode, and without it the group gets what it had', () => {
    const path = file();
    const fd = openSync(path, 'r+');
    const current = { uid: process.getuid!(), gid: process.getgid!() };
    const sets = vi.spyOn(n.xattrs, 'set');
    expect(applyAttributes(fd, current, { mode: 0o640, acl: acl(7, 4, 7, 7) })).toEqual([]);
    // Not by the chmod that follows: for a moment the others would be let in.
    expect(sets.mock.calls).toEqual([[fd, accessAcl, acl(6, 4, 4, 0)]]);
    sets.mockRestore();
    expect(readAccessAcl(path)).toEqual(acl(6, 4, 4, 0));
    n.xattrs.remove(fd, accessAcl);
    const set = vi.spyOn(n.xattrs, 'set').mockImplementation(() => {
      throw systemError(95, 'setxattr');
    });
    expect(applyAttributes(fd, current, { mode: 0o670, acl: acl(6, 4, 7, 0) })).toEqual(['xattr']);
    set.mockRestore();
    expect(fstatSync(fd).mode & 0o777).toBe(0o640);
    closeSync(fd);
  });

  it('of a replaced file stay, and what the directory would add does not come', async () => {
    const defaults = join(dir, 'defaults');
    mkdirSync(defaults);
    n.xattrs.set(defaults, 'system.posix_acl_default', acl(7, 7, 7, 5));
    const plain = join(defaults, 'plain');
    writeFileSync(plain, 'old');
    n.xattrs.remove(plain, accessAcl);
    const guarded = join(defaults, 'guarded');
    writeFileSync(guarded, 'old');
    n.xattrs.set(guarded, accessAcl, acl(6, 0, 6, 0));
    n.xattrs.set(guarded, 'user.k', Buffer.from('v'));
    const before = { plain: statSync(plain).mode, guarded: statSync(guarded).mode };
    for (const path of [plain, guarded]) {
      const atomic = new AtomicFile(path);
      atomic.file.write(Buffer.from('new'));
      expect((await atomic.commit()).lost).toEqual([]);
      expect(readFileSync(path, 'utf8')).toBe('new');
    }
    expect([statSync(plain).mode, readAccessAcl(plain)]).toEqual([before.plain, null]);
    expect([statSync(guarded).mode, readAccessAcl(guarded)]).toEqual([before.guarded, acl(6, 0, 6, 0)]);
    expect(n.xattrs.get(guarded, 'user.k')).toEqual(Buffer.from('v'));
    // A file that is new here gets what the directory gives, within the mode.
    const fresh = new AtomicFile(join(defaults, 'fresh'));
    await fresh.commit({}, 0o640);
    expect(readAccessAcl(join(defaults, 'fresh'))).toEqual(acl(6, 7, 4, 0));
  });
});

describe('times', () => {
  for (const [what, time] of Object.entries({
    nanoseconds: 1_700_000_000_123_456_789n,
    microseconds: 1_700_000_000_123_457_000n,
    'whole seconds': 1_700_000_000_000_000_000n,
    'the time before 1970': -315_619_200_987_654_321n,
    'the last nanosecond before 1970': -1n,
  }))
    it(`${what} are kept, or told to be lost`, () => {
      const path = file();
      const fd = openSync(path, 'r+');
      const current = { uid: process.getuid!(), gid: process.getgid!() };
      const lost = applyAttributes(fd, current, { atimeNs: time, mtimeNs: time });
      const { atimeNs, mtimeNs } = fstatSync(fd, { bigint: true });
      closeSync(fd);
      if (calls || (time > 0n && time % 1000n === 0n)) {
        expect([mtimeNs, atimeNs, lost]).toEqual([time, time, []]);
      } else {
        expect(lost).toEqual(['timestamp']);
        expect(Math.abs(Number(mtimeNs - time))).toBeLessThan(2_000_000);
      }
    });
});
