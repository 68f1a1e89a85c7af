// How programs buffer what they write, by the kind of descriptor they write to: C stdio, Python, Node and sluice. These are the
// customs of those libraries; a program can do otherwise, which is why they are conclusions.

import { type Inferred, inferred } from './certainty.js';

export type StreamKind = 'terminal' | 'pipe' | 'file' | 'socket' | 'null' | 'device' | 'directory' | 'closed';

export interface Custom {
  mode: 'line' | 'block' | 'none';
  /** Bytes that are held at most before they are written; absent where nothing is held. */
  size?: number;
}

export interface Customs {
  c: Inferred<Custom>;
  python: Inferred<Custom>;
  node: Inferred<Custom>;
  sluice: Inferred<Custom>;
}

/** What a program does that writes to fd 1 (or, for fd 2, its messages). */
export function customsOf(fd: number, kind: StreamKind, blockSize: number): Customs {
  const terminal = kind === 'terminal';
  const errors = fd === 2;
  // glibc's _IO_file_doallocate: st_blksize if it is below BUFSIZ (8192), which a pipe's 4096 and a terminal's 1024 are.
  const stdio = blockSize > 0 && blockSize < 8192 ? blockSize : 8192;
  const text = 8192;
  return {
    c: errors
      ? inferred({ mode: 'none' }, 0.95, 'C: stderr is never fully buffered')
      : terminal
        ? inferred({ mode: 'line', size: stdio }, 0.95, 'glibc: a terminal is line-buffered')
        : inferred({ mode: 'block', size: stdio }, 0.9, 'glibc: st_blksize if below 8192, else 8192; musl has 1024'),
    python:
      errors || terminal
        ? inferred({ mode: 'line', size: text }, 0.95, 'Python 3.9 and later')
        : inferred({ mode: 'block', size: text }, 0.85, 'Python up to 3.13; 131072 from 3.14 on'),
    node: inferred({ mode: 'none' }, 0.9, 'every write is a system call; on Linux it is done when it returns'),
    sluice: errors
      ? inferred({ mode: 'none' }, 0.99)
      : terminal
        ? inferred({ mode: 'line' }, 0.99)
        : inferred({ mode: 'block', size: 128 * 1024 }, 0.99, 'and written out whenever the source goes idle'),
  };
}

/** How to have lines at once, by the library a program writes with. */
export const switches: Record<keyof Customs, string> = {
  c: 'stdbuf -oL PROGRAM, or its own switch: grep --line-buffered, sed -u, mawk -W interactive, jq --unbuffered, tcpdump -l',
  python: 'python -u, PYTHONUNBUFFERED=1, or print(…, flush=True)',
  node: 'nothing to change: it writes at once',
  sluice: '--buffering line, or SLUICE_BUFFERING=line; what is idle is written out in any case',
};
