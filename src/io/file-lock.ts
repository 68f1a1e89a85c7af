// A lock of the kernel's (flock) on an open file: it ends with the file's last descriptor, however the process dies. Taken
// by a native call, or by flock(1) on a descriptor that it shares with us; where there is neither, there is no lock.

import { fstatSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSystemError } from './failure.js';
import { native } from './native.js';
import { whileUnfinished } from './unfinished.js';

/**
 * `locked`: nobody else who locks holds it. `unlocked`: it cannot be locked here (no native calls and no flock(1), a file
 * system without locks), or one of the processes that started us holds it for us. `busy`: not had within the time.
 */
export type LockResult = 'locked' | 'unlocked' | 'busy';

/** Lock the open file `fd` for us alone, waiting up to `milliseconds`. The descriptor must not be passed on to children. */
export async function lockFile(fd: number, milliseconds: number): Promise<LockResult> {
  const calls = native();
  if (!calls) return lockByCommand(fd, milliseconds);
  const end = performance.now() + milliseconds;
  for (let wait = 1; ; wait = Math.min(wait * 2, 20)) {
    try {
      if (calls.files.tryLock(fd, 'exclusive')) return 'locked';
    } catch (error) {
      // NFS wants a descriptor open for writing; others have no locks at all.
      if (isSystemError(error, 'EBADF', 'ENOLCK', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL')) return 'unlocked';
      throw error;
    }
    if (wait === 20 && heldByAncestor(fd)) return 'unlocked';
    if (performance.now() >= end) return 'busy';
    await sleep(wait);
  }
}

/** flock(1) locks the open file that it inherits, and leaves: the lock stays with us, who have it open too. */
async function lockByCommand(fd: number, milliseconds: number): Promise<LockResult> {
  const { spawn } = await import('node:child_process');
  const flock = (args: string[]): Promise<LockResult> =>
    new Promise((resolve) => {
      const child = spawn('flock', [...args, '3'], { stdio: ['ignore', 'ignore', 'ignore', fd] });
      const finished = whileUnfinished(() => void child.kill());
      child.on('error', () => {
        finished();
        resolve('unlocked');
      });
      child.on('exit', (status) => {
        finished();
        resolve(status === 0 ? 'locked' : status === 1 ? 'busy' : 'unlocked');
      });
    });
  const now = await flock(['-x', '-n']);
  if (now !== 'busy') return now;
  if (heldByAncestor(fd)) return 'unlocked';
  return flock(['-x', '-w', String(Math.ceil(milliseconds / 1000))]);
}

/**
 * Does a process that started us hold the lock, or we by a descriptor that it left us (`flock FILE sluice …`)? It would wait
 * for us for ever, and it keeps others away already.
 */
function heldByAncestor(fd: number): boolean {
  const inode = String(fstatSync(fd, { bigint: true }).ino);
  try {
    for (let pid = process.pid; pid > 1; pid = parentOf(pid)) if (holds(pid, inode)) return true;
  } catch {
    // No /proc, or another user's process: taken for a stranger's.
  }
  return false;
}

/** `lock: 1: FLOCK  ADVISORY  WRITE 1234 08:01:131 0 EOF` stands with the descriptors of the open file that is locked. */
function holds(pid: number, inode: string): boolean {
  for (const fd of readdirSync(`/proc/${pid}/fdinfo`)) {
    const locks = readQuietly(`/proc/${pid}/fdinfo/${fd}`).matchAll(/^lock:.* FLOCK .* \S+:\S+:(\d+) /gm);
    for (const [, locked] of locks) if (locked === inode) return true;
  }
  return false;
}

/** Descriptors come and go. */
function readQuietly(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function parentOf(pid: number): number {
  // The name in parentheses may hold anything.
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}
