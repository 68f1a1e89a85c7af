// Access ACLs without native calls: programs tell whether a file has one, and carry it to another.

import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fsPath } from './path.js';

const { O_NOFOLLOW = 0 } = constants;
/** Linux's: a name for the file, and no need for a permission on it. */
const O_PATH = 0o10000000;

/** Runs a program, which gets these descriptors from 3 on. */
function program(args: string[], fds: number[]): { status: number | null; stdout: Buffer } {
  const { spawnSync } = createRequire(import.meta.url)('node:child_process') as typeof import('node:child_process');
  const [file, ...rest] = args;
  const env = { ...process.env, LC_ALL: 'C' };
  const { status, stdout } = spawnSync(file!, rest, { stdio: ['ignore', 'pipe', 'ignore', ...fds], env });
  // null where there is no such program.
  return { status, stdout: stdout ?? Buffer.alloc(0) };
}

/** Has this open file an ACL? GNU's ls marks it by a +; undefined: no such ls here. */
function hasAcl(fd: number): boolean | undefined {
  // The option is one that other programs of that name do not have.
  const { status, stdout } = program(['ls', '-Ldn', '--time-style=+', '--', '/proc/self/fd/3'], [fd]);
  return status === 0 && stdout.length > 10 ? stdout[10] === 0x2b : undefined;
}

/** Has anything in this directory, or the directory itself, an ACL (a default ACL too)? As `hasAcl`, for all of them at once. */
export function hasAclIn(directory: number): { any: boolean | undefined; own: boolean | undefined } {
  // Names are escaped, so that a line is an entry.
  const list = ['ls', '-aUnb', '--time-style=+', '--', '/proc/self/fd/3/.'];
  const { status, stdout } = program(list, [directory]);
  const lines = stdout.toString('latin1').split('\n').slice(1, -1);
  if (status !== 0 || lines.length === 0) return { any: undefined, own: undefined };
  const marked = lines.filter((line) => line[10] === '+');
  return { any: marked.length > 0, own: marked.some((line) => line.endsWith(' .')) };
}

/** Give `fd` the mode and ACL of `model`, in one step. False where that can't be done. */
function carryAcl(model: number, fd: number): boolean {
  const args = ['cp', '--attributes-only', '--preserve=mode', '--', '/proc/self/fd/4', '/proc/self/fd/3'];
  return program(args, [fd, model]).status === 0;
}

/** Less for the group, so that whatever ACL there is lets in nobody who would be kept out: it gets what everybody has. */
export const carefulMode = (mode: number): number => mode & (~0o070 | ((mode & 0o007) << 3));

/**
 * `fd` is to get `mode`, which is `model`'s, or should be. If that file has an ACL, the mode is only half of the truth: its group bits
 * are no group's, and people may be kept out whom it lets in. Gives the mode that lets in nobody more, and whether `fd` has the ACL now;
 * not `whole`: it, or the knowledge of it, is lost. `inherits`: `fd` may have an ACL by its directory's default ACL.
 */
export function modeUnderUnseenAcl(
  model: number | string,
  fd: number,
  mode: number,
  mayCarry: boolean,
  inherits = false,
): { mode: number; whole: boolean } {
  // Nothing for anyone but the owner: no ACL could say less. Elsewhere than on Linux the group's bits are the group's.
  if ((mode & 0o077) === 0 || process.platform !== 'linux') return { mode, whole: true };
  // Held by itself: a path may lead through descriptors of ours, which no other program has.
  const held = typeof model === 'number' ? model : openSync(fsPath(model), O_PATH | O_NOFOLLOW);
  try {
    const has = hasAcl(held);
    if (has === false && !inherits) return { mode, whole: true };
    const own = fstatSync(held).mode & 0o7777;
    if (has !== undefined && mayCarry && own === mode && carryAcl(held, fd)) return { mode, whole: true };
    if (has) return { mode: mode & ~0o077, whole: false };
  } finally {
    if (held !== model) closeSync(held);
  }
  // Not known: the group gets what everybody has.
  const careful = carefulMode(mode);
  return { mode: careful, whole: careful === mode };
}
