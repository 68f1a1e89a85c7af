// Access ACLs without native calls: programs tell whether a file has one, and carry it to another.

import { fstatSync, lstatSync } from 'node:fs';
import { createRequire } from 'node:module';
import { spawnable } from './child-arguments.js';
import { fsPath } from './path.js';

/** Runs a program, which gets these descriptors from 3 on. */
function program(args: string[], fds: number[]): { status: number | null; stdout: Buffer } {
  const { spawnSync } = createRequire(import.meta.url)('node:child_process') as typeof import('node:child_process');
  const [file, ...rest] = spawnable(args);
  return spawnSync(file!, rest, { stdio: ['ignore', 'pipe', 'ignore', ...fds], env: { ...process.env, LC_ALL: 'C' } });
}

/** Has this file (open, or a path, whose last link is not followed) an ACL? GNU's ls marks it by a +; undefined: no such ls here. */
function hasAcl(model: number | string): boolean | undefined {
  // The option is one that other programs of that name do not have.
  const ls = (how: string, path: string, fds: number[]) => program(['ls', how, '--time-style=+', '--', path], fds);
  const { status, stdout } = typeof model === 'number' ? ls('-Ldn', '/proc/self/fd/3', [model]) : ls('-dn', model, []);
  return status === 0 && stdout.length > 10 ? stdout[10] === 0x2b : undefined;
}

/** Give `fd` the mode and ACL of `model`, in one step. False where that can't be done. */
function carryAcl(model: number | string, fd: number): boolean {
  const from = typeof model === 'number' ? '/proc/self/fd/4' : model;
  const args = ['cp', '--attributes-only', '--preserve=mode', '--', from, '/proc/self/fd/3'];
  return program(args, typeof model === 'number' ? [fd, model] : [fd]).status === 0;
}

/**
 * `fd` is to get `mode`, which is `model`'s, or should be. If that file has an ACL, the mode is only half of the truth: its group bits
 * are no group's, and people may be kept out whom it lets in. Gives the mode that lets in nobody more, and whether `fd` has the ACL now;
 * not `whole`: it, or the knowledge of it, is lost.
 */
export function modeUnderUnseenAcl(
  model: number | string,
  fd: number,
  mode: number,
  mayCarry: boolean,
): { mode: number; whole: boolean } {
  // Nothing for anyone but the owner: no ACL could say less. Elsewhere than on Linux the group's bits are the group's.
  if ((mode & 0o077) === 0 || process.platform !== 'linux') return { mode, whole: true };
  const has = hasAcl(model);
  if (has === false) return { mode, whole: true };
  const own = (typeof model === 'number' ? fstatSync(model) : lstatSync(fsPath(model))).mode & 0o7777;
  if (has && mayCarry && own === mode && carryAcl(model, fd)) return { mode, whole: true };
  if (has) return { mode: mode & ~0o077, whole: false };
  // Not known: the group gets what everybody has.
  const careful = mode & (~0o070 | ((mode & 0o007) << 3));
  return { mode: careful, whole: careful === mode };
}
