// The layers that open() would build over a path, and what that would do to the file; the path is only asked for its inode.

import { accessSync, type BigIntStats, constants, readlinkSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { describeOpen, type LayerDescription } from '../io/describe.js';
import { isSystemError } from '../io/failure.js';
import type { OpenOptions } from '../io/open.js';
import { decodePath, fsPath } from '../io/path.js';
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
    seekable: stat === undefined || isSeekable(stat),
  };
  const layers = describeOpen(path, mode, options, facts);
  const random = layers.some((layer) => layer.class === 'BufferedRandom');
  return { type: 'stack', path, mode, effect: effectOf(path, mode, stat, missing, random), layers };
}

/** Undefined: only the device itself could tell. 1 has null, zero and random, which take any offset, but 11 is kmsg. */
function isSeekable(stat: BigIntStats): boolean | undefined {
  if (stat.isFile() || stat.isBlockDevice() || stat.isDirectory()) return true;
  if (!stat.isCharacterDevice() || isTerminal(stat)) return false;
  return majorOf(stat) === 1 && stat.rdev !== 0x10bn ? true : undefined;
}

const majorOf = (stat: BigIntStats): number => Number((stat.rdev >> 8n) & 0xfffn);

/** By the device's number: asking the terminal itself would mean to open it. 136 to 143 are pts, 4 and 5 tty. */
function isTerminal(stat: BigIntStats): boolean {
  const major = majorOf(stat);
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
  random: boolean,
): StackFacts['effect'] {
  const kind = /[rwax]/.exec(mode)![0];
  const fails = (because: string) => inferred('fails' as const, 0.95, because);
  if (stat?.isDirectory()) return fails('it is a directory (EISDIR)');
  if (missing !== undefined && missing !== 'ENOENT') return fails(missing);
  if (stat === undefined) {
    if (kind === 'r') return fails('there is no such file (ENOENT)');
    const place = placeOf(path);
    if (kind === 'x' && place !== path) return fails('there is a symlink that leads nowhere (EEXIST)');
    if (place.endsWith('/')) return fails('there is no such directory, and open() makes none (EISDIR)');
    const refused = refusal(dirname(place), constants.W_OK | constants.X_OK);
    return refused === undefined
      ? inferred('creates', 0.95, place === path ? 'there is no such file' : `it leads to ${place}, which is not there`)
      : fails(`there is no such file, and none may be made there (${refused})`);
  }
  if (kind === 'x') return fails('it exists (EEXIST)');
  if (stat.isSocket()) return fails('a socket cannot be opened (ENXIO)');
  const reads = kind === 'r' || mode.includes('+');
  const writes = kind !== 'r' || mode.includes('+');
  const refused = (reads && refusal(path, constants.R_OK)) || (writes && refusal(path, constants.W_OK));
  if (refused) return fails(`not permitted (${refused})`);
  if (random && isSeekable(stat) === false)
    return fails('reading and writing by one buffer needs a file that can seek');
  if (stat.isFIFO() && !(reads && writes))
    return inferred(
      writes ? 'overwrites' : 'reads',
      0.95,
      `once somebody ${writes ? 'reads from' : 'writes to'} the FIFO: it waits until then`,
    );
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

/** Where a file is made by that name: where symlinks lead that lead nowhere yet. The kernel follows 40. */
function placeOf(path: string): string {
  let place = path;
  for (let links = 0; links < 40; links++) {
    let target: string;
    try {
      target = decodePath(readlinkSync(fsPath(place), { encoding: 'buffer' }));
    } catch {
      break;
    }
    place = target.startsWith('/') ? target : `${dirname(place)}/${target}`;
  }
  return place;
}

/** The error's code; undefined: it is permitted. */
function refusal(path: string, how: number): string | undefined {
  try {
    accessSync(fsPath(path), how);
    return undefined;
  } catch (error) {
    return isSystemError(error) ? error.code : 'EACCES';
  }
}
