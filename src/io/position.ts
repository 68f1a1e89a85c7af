// Where an open file is read and written, and where it ends, of which Node tells nothing: it has no lseek.

import { fstatSync, readFileSync, readvSync, writevSync } from 'node:fs';

/** Has it a position at all? pread(2) and pwrite(2) of nothing say ESPIPE exactly where lseek(2) does. */
export function hasPosition(fd: number, readable: boolean): boolean {
  try {
    // Node answers a read of length 0 by itself, but not a vectored one.
    if (readable) readvSync(fd, [Buffer.alloc(0)], 0);
    else writevSync(fd, [Buffer.alloc(0)], 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESPIPE';
  }
}

/** The descriptor's own offset, in bytes. Without /proc one that was handed in is taken to be at its file's start, or at the end for `appending`. */
export function ownOffset(fd: number, appending: boolean): number {
  try {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
    return Number(/^pos:\s*(\d+)/m.exec(info)?.[1] ?? 0);
  } catch {
    return appending ? fstatSync(fd).size : 0;
  }
}

/** Bytes in the file or on the device. */
export function sizeOfOpen(fd: number): number {
  const stat = fstatSync(fd);
  if (!stat.isBlockDevice()) return stat.size;
  const major = (stat.rdev >> 8) & 0xfff;
  const minor = (stat.rdev & 0xff) | ((stat.rdev >> 12) & 0xfff00);
  return Number(readFileSync(`/sys/dev/block/${major}:${minor}/size`, 'latin1')) * 512; // sysfs counts 512-byte sectors
}
