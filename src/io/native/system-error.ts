// An errno as the Error that Node would have thrown. By number: libuv has no name for some of them.

import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { decodePath } from '../path.js';

/** Names and texts of errors of Linux file calls that libuv does not know. */
export const unnamed: ReadonlyMap<number, [name: string, message: string]> = new Map([
  [35, ['EDEADLK', 'resource deadlock avoided']],
  [61, ['ENODATA', 'no data available']],
  [77, ['EBADFD', 'file descriptor in bad state']],
  [116, ['ESTALE', 'stale file handle']],
  [117, ['EUCLEAN', 'structure needs cleaning']],
  [122, ['EDQUOT', 'disk quota exceeded']],
  [124, ['EMEDIUMTYPE', 'wrong medium type']],
  [126, ['ENOKEY', 'required key not available']],
]);

/**
 * `errno` is positive, as C has it; the error's is negative, as Node has it. Message and fields are Node's:
 * `ENOSPC: no space left on device, copy_file_range '/p'`.
 */
export function systemError(
  errno: number,
  syscall: string,
  path?: string | Uint8Array | null,
  destination?: string | Uint8Array,
): NodeJS.ErrnoException {
  const [code, text] = getSystemErrorMap().get(-errno) ?? unnamed.get(errno) ?? [nameOf(errno), 'unknown system error'];
  const from = nameFor(path);
  const to = nameFor(destination);
  const where = `${from === undefined ? '' : ` '${from}'`}${to === undefined ? '' : ` -> '${to}'`}`;
  const error: NodeJS.ErrnoException & { dest?: string } = new Error(`${code}: ${text}, ${syscall}${where}`);
  error.errno = -errno;
  error.code = code;
  error.syscall = syscall;
  if (from !== undefined) error.path = from;
  if (to !== undefined) error.dest = to;
  return error;
}

function nameOf(errno: number): string {
  for (const [name, value] of Object.entries(constants.errno)) if (value === errno) return name;
  return `E${errno}`;
}

function nameFor(path: string | Uint8Array | null | undefined): string | undefined {
  if (path === undefined || path === null || typeof path === 'string') return path ?? undefined;
  const end = path.indexOf(0);
  return decodePath(end < 0 ? path : path.subarray(0, end));
}
