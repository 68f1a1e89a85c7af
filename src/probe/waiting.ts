// What a process waits for at this moment: the system call it is in (/proc/PID/syscall, where we may see it), or else the
// kernel function it sleeps in (/proc/PID/wchan).

import { readdirSync } from 'node:fs';
import { isUnknown, type Known, unknown } from './certainty.js';
import { fieldsOf, read, statOf } from './proc.js';

export interface Waiting {
  /**
   * running: on a processor, or about to be; read, write: on `fd`, where that is known; events: for any of several descriptors
   * (poll, select, epoll); child: for a child to end; time: asleep; lock, signal, disk, stopped, ended; other: see `call`.
   */
  for:
    | 'running'
    | 'read'
    | 'write'
    | 'events'
    | 'child'
    | 'time'
    | 'lock'
    | 'signal'
    | 'disk'
    | 'stopped'
    | 'ended'
    | 'other';
  /** The descriptor that it reads from or writes to. */
  fd?: number;
  /** The other descriptor of splice, sendfile and the like. */
  otherFd?: number;
  /** The descriptors that it waits for events on, where epoll tells. */
  fds?: number[];
  /** The system call, or the kernel's function. */
  call?: string;
}

type Sense = Waiting['for'] | 'move';

/** Names, senses, and numbers on x64 and arm64 (-1: there is none), of the calls in which programs wait. */
const calls: [name: string, sense: Sense, x64: number, arm64: number][] = [
  ['read', 'read', 0, 63],
  ['readv', 'read', 19, 65],
  ['recvfrom', 'read', 45, 207],
  ['recvmsg', 'read', 47, 212],
  ['accept', 'read', 43, 202],
  ['accept4', 'read', 288, 242],
  ['write', 'write', 1, 64],
  ['writev', 'write', 20, 66],
  ['sendto', 'write', 44, 206],
  ['sendmsg', 'write', 46, 211],
  ['splice', 'move', 275, 76],
  ['tee', 'move', 276, 77],
  ['sendfile', 'move', 40, 71],
  ['poll', 'events', 7, -1],
  ['ppoll', 'events', 271, 73],
  ['select', 'events', 23, -1],
  ['pselect6', 'events', 270, 72],
  ['epoll_wait', 'events', 232, -1],
  ['epoll_pwait', 'events', 281, 22],
  ['epoll_pwait2', 'events', 441, 441],
  ['io_uring_enter', 'events', 426, 426],
  ['wait4', 'child', 61, 260],
  ['waitid', 'child', 247, 95],
  ['nanosleep', 'time', 35, 101],
  ['clock_nanosleep', 'time', 230, 115],
  ['futex', 'lock', 202, 98],
  ['flock', 'lock', 73, 32],
  ['fcntl', 'lock', 72, 25],
  ['pause', 'signal', 34, -1],
  ['rt_sigsuspend', 'signal', 130, 133],
  ['rt_sigtimedwait', 'signal', 128, 137],
  ['fsync', 'disk', 74, 82],
  ['fdatasync', 'disk', 75, 83],
  ['openat', 'other', 257, 56],
  ['open', 'other', 2, -1],
];

export function waitingOf(pid: number): Known<Waiting> {
  const stat = statOf(pid);
  if (!stat) return unknown('it has ended');
  if (stat.state === 'Z' || stat.state === 'X') return { for: 'ended' };
  if (stat.state === 'T' || stat.state === 't') return { for: 'stopped' };
  if (stat.state === 'R') return { for: 'running' };
  // Of those /proc/PID/syscall tells call 0, which would be read.
  if (stat.kernel) return byKernelFunction(pid, stat.state);
  const line = read(`/proc/${pid}/syscall`)?.trim();
  if (line === 'running') return { for: 'running' };
  if (line !== undefined && /^\d/.test(line)) return bySyscall(pid, line.split(' '));
  return byKernelFunction(pid, stat.state);
}

function bySyscall(pid: number, [number, ...args]: string[]): Waiting {
  const column = process.arch === 'arm64' ? 3 : 2;
  const call = calls.find((each) => each[column] === Number(number));
  if (!call) return { for: 'other', call: `system call ${number}` };
  const [name, sense] = call;
  const fd = (i: number) => Number(BigInt(args[i] ?? '0x0') & 0xffff_ffffn);
  if (sense === 'read' || sense === 'write') return { for: sense, fd: fd(0), call: name };
  if (sense === 'move') {
    const [from, to] = name === 'sendfile' ? [fd(1), fd(0)] : [fd(0), name === 'tee' ? fd(1) : fd(2)];
    const writes = /writ/.test(read(`/proc/${pid}/wchan`) ?? '');
    return writes
      ? { for: 'write', fd: to, otherFd: from, call: name }
      : { for: 'read', fd: from, otherFd: to, call: name };
  }
  if (name.startsWith('epoll')) return { for: 'events', fds: interestsOf(pid, fd(0)), call: name };
  return { for: sense, call: name };
}

/** The descriptors that an epoll instance watches: fdinfo's `tfd:` lines. */
function interestsOf(pid: number, epoll: number): number[] {
  const text = read(`/proc/${pid}/fdinfo/${epoll}`) ?? '';
  return [...text.matchAll(/^tfd:\s*(\d+)/gm)].map(([, fd]) => Number(fd)).sort((one, other) => one - other);
}

/** Without /proc/PID/syscall the descriptor is not known, but the kernel's function often tells the kind of wait. */
function byKernelFunction(pid: number, state: string): Known<Waiting> {
  const where = read(`/proc/${pid}/wchan`)?.trim();
  if (!where || where === '0') return state === 'D' ? { for: 'disk' } : unknown('not permitted');
  const senses: [RegExp, Waiting['for']][] = [
    [/pipe_(read|wait_readable)|tty_read|n_tty_read|skb_wait|_recvmsg|wait_for_more/, 'read'],
    [/pipe_(write|wait_writable)|tty_write|n_tty_write|sock_alloc_send|wait_for_space/, 'write'],
    [/poll|select|epoll/, 'events'],
    [/^do_wait|wait4|waitid/, 'child'],
    [/nanosleep|hrtimer/, 'time'],
    [/futex|flock|locks_/, 'lock'],
    [/sigsuspend|sigtimedwait|^do_sigtimedwait|pause/, 'signal'],
  ];
  const sense = senses.find(([pattern]) => pattern.test(where))?.[1];
  return { for: sense ?? (state === 'D' ? 'disk' : 'other'), call: where };
}

/** How many threads it has, and how many of them are in a call that reads or writes. */
export function threadsOf(pid: number): number {
  const fields = fieldsOf(`/proc/${pid}/status`);
  if (fields && !isUnknown(fields)) return Number(fields.get('Threads') ?? 1);
  try {
    return readdirSync(`/proc/${pid}/task`).length;
  } catch {
    return 1;
  }
}
