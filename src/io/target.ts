// What a name to be written to stands for: a file to be replaced (symlinks followed to their end, even where nothing is
// there yet), or a channel that is written through: a descriptor of our own, a FIFO, a device.

import { accessSync, type BigIntStats, constants, lstatSync, readlinkSync, statSync } from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import { failure, SluiceError } from './failure.js';
import { decodePath, fsPath } from './path.js';

export type Target =
  /** `stat` is null where nothing is there yet. `path` is no symlink; the directories on the way may be. */
  | { kind: 'file'; path: string; stat: BigIntStats | null }
  /** Written to as it is; `fd` is a descriptor of our own, and not ours to close. */
  | { kind: 'channel'; path: string; fd: number | undefined; stat: BigIntStats | undefined };

/** As many as the kernel follows. */
const mostLinks = 40;

/** Throws EISDIR for a directory, ELOOP for links that lead in a circle, and what the system says of the way there. */
export function resolveTarget(path: string, state: string): Target {
  try {
    // The kernel's own look first: it refuses what must not be followed (fs.protected_symlinks), and a file as a directory.
    const there =
      descriptorOf(path) === undefined ? statSync(fsPath(path), { bigint: true, throwIfNoEntry: false }) : undefined;
    if (there?.isDirectory()) throw new SluiceError('is a directory', { code: 'EISDIR', path, state });
    if (path.endsWith('/')) throw new SluiceError('is not a directory', { code: 'ENOTDIR', path, state });
    let at = path;
    for (let hop = 0; hop <= mostLinks; hop++) {
      const fd = descriptorOf(at);
      if (fd !== undefined) return { kind: 'channel', path: at, fd, stat: undefined };
      const stat = lstatSync(fsPath(at), { bigint: true, throwIfNoEntry: false }) ?? null;
      if (!stat?.isSymbolicLink()) return settled(at, stat);
      const link = decodePath(readlinkSync(fsPath(at), { encoding: 'buffer' }));
      // Not path.join: `a/..` is not `.` where a is a symlink.
      at = isAbsolute(link) ? link : `${dirname(at)}/${link}`;
    }
    throw new SluiceError('too many symbolic links', { code: 'ELOOP', path, state });
  } catch (error) {
    throw failure(error, { path, state });
  }
}

/** The file that `path` leads to, or will: for what is replaced as a whole, and nothing else. */
export function resolveFile(path: string, state: string): string {
  const target = resolveTarget(path, state);
  if (target.kind === 'file') return target.path;
  throw new SluiceError('is no regular file, and cannot be replaced', { path, state });
}

function settled(path: string, stat: BigIntStats | null): Target {
  if (stat === null || stat.isFile()) return { kind: 'file', path, stat };
  return { kind: 'channel', path, fd: undefined, stat };
}

/** The descriptor of this process that `path` is a name of. */
function descriptorOf(path: string): number | undefined {
  if (path === '-' || path === '/dev/stdout') return 1;
  if (path === '/dev/stderr') return 2;
  const match = /^\/(?:dev|proc\/self)\/fd\/(\d+)$/.exec(path);
  return match ? Number(match[1]) : undefined;
}

/** Did replacing the file at `path` fail where writing into it would not: a bind mount, a directory that is another's? */
export function canOnlyOverwrite({ code }: SluiceError, path: string): boolean {
  if (!['EBUSY', 'EXDEV', 'EACCES', 'EPERM', 'EROFS'].includes(code ?? '')) return false;
  try {
    accessSync(fsPath(path), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
