// strace: the system calls that a program makes, in order, and errors or signals put in their place.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Is strace here, and allowed to trace? For `it.skipIf(!hasStrace)('…')`. */
export const hasStrace =
  process.platform === 'linux' && spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status === 0;

export interface Traced {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: Buffer;
  stderr: string;
  /** One system call a line, of all threads and children, without the process number: `openat(AT_FDCWD, "x", O_RDONLY) = 3`. */
  calls: string[];
  /** The thread that made each of them: injections count by thread. */
  threads: number[];
}

export interface TraceOptions {
  /** System calls to record, as strace's -e trace= takes them; a `?` before a name that this architecture may lack. */
  trace?: string;
  /** Injections as strace takes them: `copy_file_range:error=ENOSYS`, `fsync:error=EIO:when=2`, `rename:signal=KILL`. */
  inject?: string[];
  /** Show descriptors with what they lead to: `fsync(18</tmp/x>)`. */
  decode?: boolean;
  /** Only calls that touch one of these paths. */
  paths?: string[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  input?: string | Uint8Array;
}

/** Runs a program under strace to its end. */
export function strace(command: string, args: string[], options: TraceOptions = {}): Traced {
  const home = mkdtempSync(join(tmpdir(), 'sluice-strace-'));
  const log = join(home, 'log');
  try {
    const wanted = [
      ...(options.decode ? ['-y'] : []),
      ...(options.trace === undefined ? [] : ['-e', `trace=${options.trace}`]),
      ...(options.inject ?? []).flatMap((injection) => ['-e', `inject=${injection}`]),
      ...(options.paths ?? []).flatMap((path) => ['-P', path]),
    ];
    const { status, signal, stdout, stderr } = spawnSync(
      'strace',
      ['-f', '-qq', '-s', '256', '-o', log, ...wanted, '--', command, ...args],
      { env: options.env ?? process.env, cwd: options.cwd, input: options.input, maxBuffer: 2 ** 28, timeout: 60_000 },
    );
    const lines = readFileSync(log, 'utf8').split('\n').filter(Boolean);
    const calls = lines.map((line) => line.replace(/^\d+ +/, ''));
    const threads = lines.map((line) => Number.parseInt(line, 10));
    return { status, signal, stdout, stderr: stderr.toString(), calls, threads };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
