// The layers that open() would build over a path, and what that would do to the file; the path is only asked for its inode.

import { accessSync, type BigIntStats, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { describeOpen, type LayerDescription } from '../io/describe.js';
import { isSystemError } from '../io/failure.js';
import type { OpenOptions } from '../io/open.js';
import { fsPath } from '../io/path.js';
import { type Inferred, inferred } from './certainty.js';

export interface StackFacts {
  type: 'stack';
  path: string;
  mode: string;
  /** What open() would do: a conclusion, since the file can change until then. */
  effect: Inferred<'reads' | 'creates' | 'empties' | 'overwrites' | 'appends' | 'fails'>;
  /** From the top, which a program talks to, down to the descriptor. */
  layers: LayerDescription[];
}

/** Throws what open() throws for a mode, buffering or encoding that it refuses. */
export function stackFacts(path: string, mode: string, options: OpenOptions): StackFacts {
  let stat: BigIntStats | undefined;
  let missing: string | undefined;
  try {
    stat = statSync(fsPath(path), { bigint: true });
  } catch (error) {
    if (!isSystemError(error)) throw error;
    missing = error.code;
  }
  const facts = {
    terminal: stat !== undefined && isTerminal(stat),
    blockSize: Number(stat?.blksize ?? folderBlockSize(path)),
    seekable: stat === undefined || stat.isFile() || stat.isBlockDevice(),
  };
  const layers = describeOpen(path, mode, options, facts);
  return { type: 'stack', path, mode, effect: effectOf(path, mode, stat, missing), layers };
}

/** By the device's number: asking the terminal itself would mean to open it. 136 to 143 are pts, 4 and 5 tty. */
function isTerminal(stat: BigIntStats): boolean {
  const major = Number((stat.rdev >> 8n) & 0xfffn);
  return (
    stat.isCharacterDevice() && ((major >= 136 && major <= 143) || major === 4 || (major === 5 && stat.rdev !== 0x502n))
  );
}

/** A new file has its folder's file system. */
function folderBlockSize(path: string): number {
  try {
    return statSync(fsPath(dirname(path))).blksize;
  } catch {
    return 4096;
  }
}

function effectOf(
  path: string,
  mode: string,
  stat: BigIntStats | undefined,
  missing: string | undefined,
): StackFacts['effect'] {
  const kind = /[rwax]/.exec(mode)![0];
  const fails = (because: string) => inferred('fails' as const, 0.95, because);
  if (stat?.isDirectory()) return fails('it is a directory (EISDIR)');
  if (missing !== undefined && missing !== 'ENOENT') return fails(missing);
  if (stat === undefined) {
    if (kind === 'r') return fails('there is no such file (ENOENT)');
    return may(dirname(path), constants.W_OK | constants.X_OK)
      ? inferred('creates', 0.95, 'there is no such file')
      : fails('there is no such file, and none may be made there');
  }
  if (kind === 'x') return fails('it exists (EEXIST)');
  const reads = kind === 'r' || mode.includes('+');
  const writes = kind !== 'r' || mode.includes('+');
  if ((reads && !may(path, constants.R_OK)) || (writes && !may(path, constants.W_OK)))
    return fails('not permitted (EACCES)');
  if (kind === 'w')
    return inferred(
      stat.isFile() ? 'empties' : 'overwrites',
      0.95,
      stat.isFile() ? `it has ${stat.size} bytes` : 'it is no regular file',
    );
  if (kind === 'a') return inferred('appends', 0.95, `after its ${stat.size} bytes`);
  return mode.includes('+')
    ? inferred('overwrites', 0.95, 'from its start on')
    : inferred('reads', 0.95, 'it exists and may be read');
}

function may(path: string, how: number): boolean {
  try {
    accessSync(fsPath(path), how);
    return true;
  } catch {
    return false;
  }
}
