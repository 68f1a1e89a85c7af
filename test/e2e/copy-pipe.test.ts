// `sluice copy - -`: what goes through a pipe, whole, promptly, and not for longer than somebody reads it.

import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { native } from '../../src/io/native.js';
import { bin, outcome, shell, temporary } from '../helpers/sluice.js';
import { hasStrace, strace } from '../helpers/strace.js';

const calls = native();

describe('copy from a pipe into a pipe', () => {
  it('passes every byte of long and short input, whatever the pace of either side', async () => {
    const cwd = temporary();
    for (const bytes of [0, 1, 65536, 4 << 20, (4 << 20) + 1, 50_000_001]) {
      const { out, status } = await shell(
        `set -o pipefail; head -c ${bytes} /dev/urandom | tee in | sluice copy - - --json 2> log | cat > out; echo $?; cmp in out && tail -2 log`,
        { cwd },
      );
      expect(status).toBe(0);
      const [code, record] = out.split('\n');
      expect(code).toBe('0');
      expect(JSON.parse(record!)).toMatchObject({ type: 'copied', bytes });
      // One byte more than is read at first may have been read along with it.
      if (bytes !== (4 << 20) + 1)
        expect(JSON.parse(record!).method).toBe(calls && bytes > 4 << 20 ? 'splice' : 'readinto');
    }
    const slow = await shell(
      `head -c 9M /dev/urandom > in
      { head -c 5M in; sleep 0.3; tail -c +5242881 in | { head -c 100; sleep 0.3; cat; }; } | sluice copy - - |
        { head -c 3M; sleep 0.3; cat; } | cmp - in && echo same`,
      { cwd },
    );
    expect(slow.out).toBe('same\n');
  });

  it('into a file that is appended to, and into /dev/null', async () => {
    const cwd = temporary();
    const { out } = await shell(
      `head -c 6M /dev/urandom > in; echo before > out; cat in | sluice copy - - >> out; tail -c +8 out | cmp - in && echo same
      cat in | sluice copy - - > /dev/null && echo null`,
      { cwd },
    );
    expect(out).toBe('same\nnull\n');
  });

  // Without native calls nobody knows before the next write.
  it.skipIf(!calls)('ends when its reader has gone, though nothing comes that could be written', async () => {
    const child = spawn(
      '/bin/bash',
      ['-c', `{ echo one; sleep 60; } | { "${process.execPath}" "${bin}" copy - -; echo $? >&2; } | head -n 1`],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
      },
    );
    let text = '';
    const said = new Promise<string>((resolve) => {
      child.stderr.on('data', (chunk) => {
        text += chunk;
        resolve(text);
      });
    });
    try {
      expect(await said).toBe('141\n');
    } finally {
      const closed = outcome(child);
      process.kill(-child.pid!, 'SIGKILL');
      await closed;
    }
  });

  it('reads and writes into a file, which takes half the time of splicing', async () => {
    const cwd = temporary();
    const { status, out } = await shell('head -c 9M /dev/zero | sluice copy --json - a', { cwd });
    expect(JSON.parse(out.split('\n')[0]!)).toMatchObject({ bytes: 9 * 2 ** 20, method: 'readinto' });
    expect(status).toBe(0);
  });

  it.skipIf(!hasStrace || !calls)('goes on by reading where splice is refused', () => {
    const cwd = temporary();
    const input = Buffer.alloc(6 << 20, 'text\n');
    writeFileSync(join(cwd, 'in'), input);
    for (const error of ['EPERM', 'ENOSYS', 'EINVAL']) {
      const line = `cat in | "${process.execPath}" "${bin}" copy --debug - - | cat > out`;
      const { status, stderr } = strace('/bin/bash', ['-c', line], {
        cwd,
        trace: 'splice',
        inject: [`splice:error=${error}`],
      });
      expect([status, stderr]).toEqual([0, expect.stringContaining('splice was refused')]);
      expect(readFileSync(join(cwd, 'out')).equals(input)).toBe(true);
    }
  });

  it('asks for larger pipes without making them non-blocking for others', async () => {
    const cwd = temporary();
    const { out } = await shell(
      `head -c 8M /dev/zero | { sluice copy - - > /dev/null; grep flags /proc/self/fdinfo/0; }`,
      { cwd },
    );
    expect(Number.parseInt(out.split(/\s+/)[1]!, 8) & 0o4000).toBe(0);
  });
});
