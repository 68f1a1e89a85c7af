// Names of temp files: `.<name>.sluice-<random>.tmp` beside the target, never longer than a directory entry may be.

import { closeSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname } from 'node:path';
import { decodePath, encodePath } from './path.js';

/** Bytes in a directory entry's name on every file system that matters (NAME_MAX), and in a path (PATH_MAX, less the NUL). */
export const nameMax = 255;
const pathMax = 4095;
const randomDigits = 16;

/**
 * A fresh temp name for `path`, in the same directory. The base part is shortened, by whole characters, so that the
 * name fits 255 bytes, and the path 4095. The random part is 64 bits from the system's generator: nobody can lie in wait under it.
 */
export function tempName(path: string): string {
  const suffix = `.sluice-${randomHex()}.tmp`;
  // Not path.join: it takes `a/..` away, which leads elsewhere where a is a symlink.
  const directory = dirname(path);
  const room = Math.min(nameMax, pathMax - 1 - encodePath(directory).length) - 1 - suffix.length;
  return `${directory}/.${shortened(basename(path), Math.max(1, room))}${suffix}`;
}

/** Is `name` (a directory entry) a temp file's? Then the base part that it was made from, as far as it was kept. */
export function tempBase(name: string): string | undefined {
  return /^\.(.+)\.sluice-[0-9a-f]{16}\.tmp$/su.exec(name)?.[1];
}

/** The longest beginning of `name` that has at most `limit` bytes, cut between characters. */
export function shortened(name: string, limit: number): string {
  const bytes = encodePath(name);
  if (bytes.length <= limit) return name;
  let end = limit;
  while (end > limit - 4 && (bytes[end]! & 0xc0) === 0x80) end--;
  return decodePath(bytes.subarray(0, end));
}

/** Random bytes that were read ahead: none at first, since most commands need one name. */
let pool: Buffer = Buffer.alloc(0);
let used = 0;

/** 64 random bits as hexadecimal; read many at a time from the second on. */
function randomHex(): string {
  const size = randomDigits / 2;
  if (used + size > pool.length) {
    pool = randomBytes(used === 0 ? size : 512 * size);
    used = 0;
  }
  used += size;
  return pool.toString('hex', used - size, used);
}

/** From /dev/urandom where there is one: loading node:crypto costs a small copy 5 % of its time. */
function randomBytes(size: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(size);
  try {
    const fd = openSync('/dev/urandom', 'r');
    try {
      if (readSync(fd, bytes) === bytes.length) return bytes;
    } finally {
      closeSync(fd);
    }
  } catch {
    // No such device: the library below has its own sources.
  }
  const crypto = createRequire(import.meta.url)('node:crypto') as typeof import('node:crypto');
  return crypto.randomBytes(size);
}
