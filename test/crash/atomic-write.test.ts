// The power goes: after exit 0, and after a SIGKILL on entry to each system call of the sequence. What a reboot finds under
// the file's name is all of the old or all of the new content; after exit 0 it is the new.

import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { positionOf, traced } from '../helpers/injection.js';
import { canMount, type Filesystem, type LoopMount, loopMount } from '../helpers/loop-mount.js';
import { bin } from '../helpers/sluice.js';
import { hasStrace } from '../helpers/strace.js';

const old = 'old '.repeat(3000);
const fresh = 'new '.repeat(5000);

const variants: [Filesystem, string][] = [
  ['ext4', ''],
  ['ext4', 'noauto_da_alloc'],
  ['xfs', ''],
  ['btrfs', ''],
];
type Target = 'new' | 'existing' | 'symlinked';

/** The sequence, and where each call is found in it. */
const calls: [string, (line: string) => boolean][] = [
  ['openat', (line) => line.includes('.tmp"')],
  ['write', (line) => line.includes('.tmp>')],
  ['fchmod', (line) => line.includes('.tmp>')],
  ['fsync', (line) => line.includes('.tmp>')],
  ['close', (line) => line.includes('.tmp>')],
  ['rename', (line) => line.includes('.tmp')],
  ['fsync', (line) => !line.includes('.tmp>')],
];

const flush = (path: string) => {
  const fd = openSync(path, 'r');
  fsyncSync(fd);
  closeSync(fd);
};

describe.each(variants)('a power cut on %s %s', (fs, options) => {
  let mount: LoopMount | undefined;
  let cells = 0;
  beforeAll(() => {
    if (canMount(fs)) mount = loopMount(fs, 0, options);
  });
  afterAll(() => mount?.[Symbol.dispose]());

  /** A directory of its own, on storage, with the old file in it. */
  function prepare(target: Target): { name: string; file: string } {
    const home = join(mount!.dir, `cell-${cells++}`);
    const where = target === 'symlinked' ? join(home, 'elsewhere') : home;
    mkdirSync(where, { recursive: true });
    const file = join(where, 'file');
    if (target !== 'new') {
      writeFileSync(file, old);
      flush(file);
    }
    const name = target === 'symlinked' ? join(home, 'link') : file;
    if (target === 'symlinked') symlinkSync('elsewhere/file', name);
    for (const path of new Set([where, home, mount!.dir])) flush(path);
    return { name, file };
  }

  function crash(): void {
    mount!.crash();
    mount!.remount();
  }

  const found = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined);

  it.skipIf(!canMount(fs)).each<Target>(['new', 'existing', 'symlinked'])(
    'after exit 0 keeps the new content (%s)',
    (target) => {
      const { name, file } = prepare(target);
      const run = spawnSync(process.execPath, [bin, 'atomic-write', name], { input: fresh });
      expect([run.status, run.stderr.toString()]).toEqual([0, '']);
      crash();
      expect(found(file) === fresh).toBe(true);
      expect(found(name) === fresh).toBe(true);
    },
  );

  // A new file is where an unsaved content shows: as one of no bytes.
  const killed: [Target, number][] = calls.flatMap(
    (_, i) =>
      (options || fs === 'btrfs'
        ? [['existing', i]]
        : [
            ['existing', i],
            ['new', i],
          ]) as [Target, number][],
  );
  it.skipIf(!canMount(fs) || !hasStrace)(
    `after SIGKILL at any system call keeps the old or the new (${killed.length} cells)`,
    () => {
      const trace = 'openat,write,fchmod,fsync,close,rename';
      for (const target of ['existing', 'new'] as const) {
        const steps = killed.filter(([each]) => each === target).map(([, i]) => calls[i]!);
        if (steps.length === 0) continue;
        const probe = prepare(target);
        const whole = traced(process.execPath, [bin, 'atomic-write', probe.name], { trace, input: fresh });
        expect(whole.status).toBe(0);
        for (const [call, matches] of steps) {
          const when = positionOf(whole, call, matches);
          const { name, file } = prepare(target);
          // By thread: the pool's only thread makes both fsyncs, and nobody else any.
          const run = traced(process.execPath, [bin, 'atomic-write', name], {
            trace: call,
            input: fresh,
            inject: [`${call}:signal=KILL:when=${when}`],
          });
          expect(run.signal, `${call} ${when}`).toBe('SIGKILL');
          const before = found(file);
          crash();
          const after = found(file);
          expect(
            [target === 'new' ? undefined : old, fresh].includes(after),
            `${call} ${when}: ${after?.length} bytes`,
          ).toBe(true);
          // What nobody was told of may be lost, but what was there before cannot come in half.
          if (before !== fresh) expect(after === before, `${call} ${when}`).toBe(true);
        }
      }
    },
  );
});
