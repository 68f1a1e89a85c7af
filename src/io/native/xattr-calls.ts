// Extended attributes (POSIX ACLs are among them: system.posix_acl_access, system.posix_acl_default).

import { constants } from 'node:os';
import { decodePath } from '../path.js';
import { cString } from './c-string.js';
import type { Libc } from './libc.js';

/**
 * The calls take a descriptor (not one opened with O_PATH), or a path whose last symlink is not followed.
 * Relative to a directory's descriptor use `/proc/self/fd/N/name`. Throws EOPNOTSUPP where the filesystem has none.
 */
export interface XattrCalls {
  /** Names, as strings that can hold any bytes; `trusted.*` are among them only for those who may read them. */
  list(target: number | string | Uint8Array): string[];
  /** The value, null where there's no such attribute. */
  get(target: number | string | Uint8Array, name: string): Buffer | null;
  set(target: number | string | Uint8Array, name: string, value: Uint8Array): void;
  /** False where there was none. */
  remove(target: number | string | Uint8Array, name: string): boolean;
}

/** XATTR_SIZE_MAX and XATTR_LIST_MAX: what the kernel allows for one value and for a list of names. */
const limit = 65536;

export function xattrCalls(libc: Libc): XattrCalls {
  const c = libc.functions({
    flistxattr: { result: 'int64', args: ['int', 'void *', 'uint64'] },
    llistxattr: { result: 'int64', args: ['void *', 'void *', 'uint64'] },
    fgetxattr: { result: 'int64', args: ['int', 'void *', 'void *', 'uint64'] },
    lgetxattr: { result: 'int64', args: ['void *', 'void *', 'void *', 'uint64'] },
    fsetxattr: { args: ['int', 'void *', 'void *', 'uint64', 'int'] },
    lsetxattr: { args: ['void *', 'void *', 'void *', 'uint64', 'int'] },
    fremovexattr: { args: ['int', 'void *'] },
    lremovexattr: { args: ['void *', 'void *'] },
  });
  let room: Buffer | undefined;

  type Target = number | string | Uint8Array;
  const pointer = (target: Target) => (typeof target === 'number' ? target : cString(target, true));
  const path = (target: Target) => (typeof target === 'number' ? undefined : target);

  return {
    list(target) {
      room ??= Buffer.alloc(limit);
      const call = typeof target === 'number' ? c.flistxattr : c.llistxattr;
      const length = call(pointer(target), room, limit);
      if (length < 0) throw libc.error('listxattr', path(target));
      if (length === 0) return [];
      const names: string[] = [];
      for (let from = 0; from < length; ) {
        const end = room.indexOf(0, from);
        names.push(decodePath(room.subarray(from, end)));
        from = end + 1;
      }
      return names;
    },
    get(target, name) {
      room ??= Buffer.alloc(limit);
      const call = typeof target === 'number' ? c.fgetxattr : c.lgetxattr;
      const length = call(pointer(target), cString(name), room, limit);
      if (length >= 0) return Buffer.from(room.subarray(0, length));
      if (libc.errno() === constants.errno.ENODATA) return null;
      throw libc.error('getxattr', path(target));
    },
    set(target, name, value) {
      const call = typeof target === 'number' ? c.fsetxattr : c.lsetxattr;
      if (call(pointer(target), cString(name), value, value.byteLength, 0) < 0)
        throw libc.error('setxattr', path(target));
    },
    remove(target, name) {
      const call = typeof target === 'number' ? c.fremovexattr : c.lremovexattr;
      if (call(pointer(target), cString(name)) >= 0) return true;
      if (libc.errno() === constants.errno.ENODATA) return false;
      throw libc.error('removexattr', path(target));
    },
  };
}
