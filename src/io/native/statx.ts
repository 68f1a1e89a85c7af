// What statx(2) says of a file, read in place: one buffer, reused for file after file, and no object for any of them.

import type { BigIntStats } from 'node:fs';

/** The whole struct; the same on every Linux. */
const size = 256;

/**
 * A statx buffer, filled by `directories.stat`; a field is what the last fill found. Numbers are exact up to 2^53, beyond which
 * (inode numbers of some network filesystems) they round: compare `ino` together with other facts, or use `inoExact`.
 */
export class Statx {
  readonly bytes = Buffer.alloc(size);
  // A DataView reads a field in ~3 ns, Buffer's methods in ~10.
  readonly #view = new DataView(this.bytes.buffer, this.bytes.byteOffset, size);

  /** Type and permissions, as in fs.Stats. */
  get mode(): number {
    return this.#view.getUint16(28, true);
  }
  /** S_IFMT's part of the mode: compare with fs.constants.S_IFREG and so on. */
  get type(): number {
    return this.mode & 0o170000;
  }
  get nlink(): number {
    return this.#view.getUint32(16, true);
  }
  get uid(): number {
    return this.#view.getUint32(20, true);
  }
  get gid(): number {
    return this.#view.getUint32(24, true);
  }
  get ino(): number {
    return this.#unsigned(32);
  }
  get inoExact(): bigint {
    return this.#view.getBigUint64(32, true);
  }
  get size(): number {
    return this.#unsigned(40);
  }
  /** Allocated, in units of 512 bytes. */
  get blocks(): number {
    return this.#unsigned(48);
  }
  get blksize(): number {
    return this.#view.getUint32(4, true);
  }
  get dev(): number {
    return makeDevice(this.#view.getUint32(136, true), this.#view.getUint32(140, true));
  }
  /** Of a device file. */
  get rdev(): number {
    return makeDevice(this.#view.getUint32(128, true), this.#view.getUint32(132, true));
  }
  /** Whole seconds, rounded down: negative before 1970. */
  get mtimeSeconds(): number {
    return this.#signed(112);
  }
  /** 0 – 999,999,999, to be added to the seconds. */
  get mtimeNanoseconds(): number {
    return this.#view.getUint32(120, true);
  }
  get ctimeSeconds(): number {
    return this.#signed(96);
  }
  get ctimeNanoseconds(): number {
    return this.#view.getUint32(104, true);
  }
  get atimeSeconds(): number {
    return this.#signed(64);
  }
  get atimeNanoseconds(): number {
    return this.#view.getUint32(72, true);
  }
  get atimeNs(): bigint {
    return this.#time(64);
  }
  /** Undefined where the filesystem keeps none. */
  get birthtimeNs(): bigint | undefined {
    return this.#view.getUint32(0, true) & 0x800 ? this.#time(80) : undefined;
  }
  get ctimeNs(): bigint {
    return this.#time(96);
  }
  get mtimeNs(): bigint {
    return this.#time(112);
  }

  /** The same facts from where they could be had instead: a sandbox may refuse statx (ENOSYS, EPERM). */
  fill(stats: BigIntStats): void {
    const view = this.#view;
    view.setUint32(0, 0x7ff, true);
    view.setUint32(4, Number(stats.blksize), true);
    view.setUint32(16, Number(stats.nlink), true);
    view.setUint32(20, Number(stats.uid), true);
    view.setUint32(24, Number(stats.gid), true);
    view.setUint16(28, Number(stats.mode), true);
    view.setBigUint64(32, stats.ino, true);
    view.setBigInt64(40, stats.size, true);
    view.setBigInt64(48, stats.blocks, true);
    for (const [at, time] of [
      [64, stats.atimeNs],
      [96, stats.ctimeNs],
      [112, stats.mtimeNs],
    ] as const) {
      const nanoseconds = ((time % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
      view.setBigInt64(at, (time - nanoseconds) / 1_000_000_000n, true);
      view.setUint32(at + 8, Number(nanoseconds), true);
    }
    for (const [at, device] of [
      [128, stats.rdev],
      [136, stats.dev],
    ] as const) {
      view.setUint32(at, Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xffff_f000n)), true);
      view.setUint32(at + 4, Number((device & 0xffn) | ((device >> 12n) & 0xffff_ff00n)), true);
    }
  }

  #unsigned(at: number): number {
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 0x1_0000_0000;
  }
  #signed(at: number): number {
    return this.#view.getUint32(at, true) + this.#view.getInt32(at + 4, true) * 0x1_0000_0000;
  }
  #time(at: number): bigint {
    return this.#view.getBigInt64(at, true) * 1_000_000_000n + BigInt(this.#view.getUint32(at + 8, true));
  }
}

/** glibc's makedev, which is what fs.Stats has in `dev` and `rdev`. */
export function makeDevice(major: number, minor: number): number {
  const low = ((minor & 0xff) | ((major & 0xfff) << 8)) >>> 0;
  const high = Math.floor(minor / 0x100) * 0x10_0000 + Math.floor(major / 0x1000) * 2 ** 44;
  return low + high;
}
