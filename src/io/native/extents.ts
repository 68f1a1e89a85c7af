// Where a file lies on its device (FIEMAP): extents, which of them are shared, unwritten or not placed yet.

import type { Libc } from './libc.js';

/** Offsets and lengths in bytes. `physical` says nothing where `flags` has unknown, delayed, encoded or inline. */
export interface Extent {
  logical: number;
  physical: number;
  length: number;
  flags: {
    unknown: boolean;
    delayed: boolean;
    encoded: boolean;
    inline: boolean;
    unwritten: boolean;
    shared: boolean;
  };
}

export interface Extents {
  /**
   * The extents in order, asked for in batches of 256; holes are what's between them. With `sync` the file is written out first (may
   * take long). Throws EOPNOTSUPP where the filesystem has no FIEMAP (tmpfs, NFS, …). A file that changes meanwhile gives a mixture.
   */
  of(fd: number, sync?: boolean): Generator<Extent, void>;
}

const header = 32;
const record = 56;
const batch = 256;
const LAST = 0x1;

export function extents(libc: Libc): Extents {
  const c = libc.functions({ ioctl: { args: ['int', 'uint64', 'void *'] } });
  return {
    *of(fd, sync = false) {
      const map = Buffer.alloc(header + batch * record);
      let start = 0n;
      for (;;) {
        map.writeBigUInt64LE(start, 0);
        map.writeBigUInt64LE(0xffff_ffff_ffff_ffffn - start, 8);
        map.writeUInt32LE(sync ? 1 : 0, 16);
        map.writeUInt32LE(0, 20);
        map.writeUInt32LE(batch, 24);
        if (c.ioctl(fd, 0xc020_660b, map) < 0) throw libc.error('ioctl(FIEMAP)');
        const mapped = map.readUInt32LE(20);
        for (let i = 0; i < mapped; i++) {
          const at = header + i * record;
          const flags = map.readUInt32LE(at + 40);
          const logical = map.readBigUInt64LE(at);
          const length = map.readBigUInt64LE(at + 16);
          yield {
            logical: Number(logical),
            physical: Number(map.readBigUInt64LE(at + 8)),
            length: Number(length),
            flags: {
              unknown: (flags & 0x2) !== 0,
              delayed: (flags & 0x4) !== 0,
              encoded: (flags & 0x8) !== 0,
              inline: (flags & 0x200) !== 0,
              unwritten: (flags & 0x800) !== 0,
              shared: (flags & 0x2000) !== 0,
            },
          };
          if (flags & LAST) return;
          start = logical + length;
        }
        if (mapped === 0) return;
      }
    },
  };
}
