// Every system call on the way, failing in every way that it can: the file is old or new, the exit code says which, no
// temp file stays, and the message names the call, the path and the state.

import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { positionOf, traced } from '../helpers/injection.js';
import { bin, temporary } from '../helpers/sluice.js';
import { hasStrace } from '../helpers/strace.js';

const old = 'the old content\n';
const fresh = 'what is new\n';

interface Fault {
  call: string;
  on: 'temp' | 'directory' | 'file' | 'stdin';
  /** Errors, or counts that are not true. */
  what: string[];
  status: 0 | 1 | 3 | 4;
  args?: string[];
}

const faults: Fault[] = [
  { call: 'openat', on: 'temp', what: ['EACCES', 'EMFILE', 'ENOSPC', 'EDQUOT', 'EIO', 'EROFS'], status: 1 },
  { call: 'read', on: 'stdin', what: ['EIO'], status: 1 },
  { call: 'write', on: 'temp', what: ['EIO', 'ENOSPC', 'EDQUOT'], status: 1 },
  { call: 'write', on: 'temp', what: ['EINTR'], status: 0 },
  // It says that it took some or all of it, and took nothing.
  { call: 'write', on: 'temp', what: ['count 5', 'count 12'], status: 1 },
  { call: 'fchmod', on: 'temp', what: ['EIO'], status: 1 },
  { call: 'fsync', on: 'temp', what: ['EIO', 'ENOSPC', 'EDQUOT'], status: 1 },
  { call: 'close', on: 'temp', what: ['EIO', 'ENOSPC', 'EDQUOT'], status: 1 },
  { call: 'rename', on: 'temp', what: ['EXDEV', 'EBUSY', 'EACCES', 'ENOSPC', 'EIO'], status: 1 },
  { call: 'openat', on: 'directory', what: ['EACCES', 'EMFILE'], status: 4 },
  { call: 'fsync', on: 'directory', what: ['EIO', 'EINVAL', 'ENOSPC'], status: 4 },
  { call: 'fsync', on: 'directory', what: ['EIO'], status: 1, args: ['--durable=strict'] },
  { call: 'link', on: 'temp', what: ['EIO', 'ENOSPC'], status: 1, args: ['--backup'] },
];

const trace = 'openat,read,write,fchmod,fsync,close,rename,link,unlink';

function matcher(home: string, { on, call }: Fault): (line: string) => boolean {
  if (on === 'temp') return (line) => line.includes('.sluice-') && line.includes('.tmp');
  if (on === 'directory') return (line) => line.includes(call === 'openat' ? `"${home}"` : `<${home}>`);
  return (line) => line.startsWith('read(0<');
}

describe.skipIf(!hasStrace)('atomic-write, when', () => {
  for (const fault of faults) {
    const { call, on, what, status, args } = fault;
    for (const target of on === 'directory' || args?.includes('--backup') ? ['existing'] : ['existing', 'new'])
      it(`${call} of ${on} ${args?.join(' ') ?? ''} fails (${what.join(', ')}), target ${target}: exit ${status}`, () => {
        const home = temporary();
        const file = join(home, 'file');
        const input = join(temporary(), 'input');
        writeFileSync(input, fresh);
        // The shell only so that stdin is a file with a name.
        const run = (inject: string[], paths?: string[]) => {
          if (target === 'existing') writeFileSync(file, old);
          else rmSync(file, { force: true });
          const line = [
            '-c',
            `exec "$0" "$@" < ${input}`,
            process.execPath,
            bin,
            'atomic-write',
            ...(args ?? []),
            file,
          ];
          return traced('/bin/sh', line, { trace, inject, ...(paths && { paths }) });
        };
        // What has a name that is known can be told by it; the temp file has none, so its calls are counted.
        const paths = on === 'temp' ? undefined : [on === 'directory' ? home : input];
        const whole = run([], paths);
        expect([whole.status, whole.stderr]).toEqual([0, '']);
        // A new file's mode is learnt from an empty one, which is closed before.
        const which = call === 'close' ? 'last' : 'first';
        let when = positionOf(whole, call, matcher(home, fault), which);
        // One is enough to see that a new file leaves nothing; the errors differ no more there.
        for (const each of target === 'new' ? what.slice(0, 1) : what) {
          const injected = each.startsWith('count ') ? `retval=${each.slice(6)}` : `error=${each}`;
          // A loaded machine makes a call more or less on the way: then the place is looked up again.
          let failed: ReturnType<typeof run>;
          for (let attempt = 1; ; attempt++) {
            failed = run([`${call}:${injected}:when=${when}`], paths);
            if (failed.calls.some((line) => line.includes('(INJECTED') && matcher(home, fault)(line))) break;
            if (attempt === 10) expect.fail(`${each} was not met`);
            when = positionOf(failed, call, matcher(home, fault), which);
          }
          check(failed, home, file, { ...fault, what: [each] }, target === 'existing' ? old : undefined);
        }
      });
  }
});

function check(
  run: ReturnType<typeof traced>,
  home: string,
  file: string,
  { status, what: [what], call, args }: Fault,
  before: string | undefined,
): void {
  const content = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  expect([run.status, content], `${what}: ${run.stderr}`).toEqual([
    status,
    status === 1 || status === 3 ? before : fresh,
  ]);
  const left = readdirSync(home).filter((name) => name !== 'file' && name !== 'file~');
  expect(left, what).toEqual([]);
  const fsyncs = run.calls.filter((line) => line.startsWith('fsync(') && line.includes('.sluice-'));
  expect(fsyncs.length, what).toBeLessThanOrEqual(1);
  if (status === 0) {
    expect([run.stderr, fsyncs.length]).toEqual(['', 1]);
    return;
  }
  if (!what!.startsWith('count')) {
    const name = call === 'openat' ? 'open' : call;
    expect(run.stderr).toContain(`(${what}, ${name})`);
  }
  expect(run.stderr).toContain(status === 4 || args?.includes('--durable=strict') ? home : file);
  expect(run.stderr).toContain(
    status === 4 ? 'the new file is in place, but its name may not survive a power cut' : 'destination left as it was',
  );
}
