// What the engine knows of an entry: plain data, so that it can be compared, saved in a plan, and sent to a worker.

export type Kind = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character' | 'block' | 'unknown';

export interface Facts {
  kind: Kind;
  /** The twelve permission bits. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes. */
  size: number;
  /** Allocated, in units of 512 bytes: less than the size means holes. */
  blocks: number;
  nlink: number;
  dev: number;
  ino: number;
  /** Of a device file. */
  rdev: number;
  /** Modified: whole seconds since 1970, rounded down (negative before), and 0–999,999,999 nanoseconds to add. */
  seconds: number;
  nanoseconds: number;
  /** Changed (ctime), in the same way. */
  changedSeconds: number;
  changedNanoseconds: number;
  /** Read (atime), in the same way. */
  accessedSeconds: number;
  accessedNanoseconds: number;
}

const kinds: readonly Kind[] = [
  ...(['unknown', 'fifo', 'character', 'unknown', 'directory', 'unknown', 'block', 'unknown'] as const),
  ...(['file', 'unknown', 'symlink', 'unknown', 'socket', 'unknown', 'unknown', 'unknown'] as const),
];

/** The kind that a full st_mode names. */
export const kindOf = (mode: number): Kind => kinds[(mode >> 12) & 15]!;

/** Modification time in nanoseconds since 1970. */
export const mtimeNs = ({ seconds, nanoseconds }: Facts): bigint =>
  BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);

/** Access time in nanoseconds since 1970. */
export const atimeNs = ({ accessedSeconds, accessedNanoseconds }: Facts): bigint =>
  BigInt(accessedSeconds) * 1_000_000_000n + BigInt(accessedNanoseconds);

/** The same file (by whatever name)? */
export const sameFile = (a: Facts, b: Facts): boolean => a.ino === b.ino && a.dev === b.dev;

/** A word for people. */
export const describe: Record<Kind, string> = {
  file: 'a file',
  directory: 'a directory',
  symlink: 'a symlink',
  fifo: 'a FIFO',
  socket: 'a socket',
  character: 'a character device',
  block: 'a block device',
  unknown: 'of an unknown kind',
};
