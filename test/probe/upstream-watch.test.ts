import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isUnknown } from '../../src/probe/certainty.js';
import { countersOf } from '../../src/probe/upstream.js';
import { UpstreamWatch } from '../../src/probe/upstream-watch.js';
import { eventually, temporary } from '../helpers/sluice.js';

/** A bash with a FIFO as its stdout, the watch at the other end, and a way to have it look. */
async function watching(
  script: string,
  check: (watch: UpstreamWatch, look: () => void, child: ReturnType<typeof spawn>) => Promise<void>,
): Promise<void> {
  const fifo = join(temporary(), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const child = spawn('bash', ['-c', `exec >"${fifo}"; ${script}`], {
    stdio: ['pipe', 'ignore', 'inherit'],
    detached: true,
  });
  try {
    const watch = new UpstreamWatch(fstatSync(fd, { bigint: true }));
    const look = () => watch.ask(performance.now(), 0, () => 0);
    await eventually('the writer', () => {
      look();
      return !isUnknown(watch.upstream);
    });
    await check(watch, look, child);
  } finally {
    process.kill(-child.pid!, 'SIGKILL');
    closeSync(fd);
  }
}

describe.runIf(process.platform === 'linux')('the upstream', () => {
  it('is who writes, though a child has the same end open', async () => {
    await watching('sleep 60 & echo a line; read -r _', async (watch, look, child) => {
      await eventually('the shell', () => {
        look();
        return (
          !isUnknown(watch.upstream) &&
          watch.upstream.pid === child.pid &&
          !isUnknown(watch.writers) &&
          watch.writers.length > 1
        );
      });
    });
  });
});

describe.runIf(process.platform === 'linux')('what a writer has read and not written', () => {
  it('is forgotten when it becomes another program', async () => {
    await watching('while read -r line && [ "$line" != go ]; do :; done; exec sleep 60', async (watch, look, child) => {
      await eventually('held lines', () => {
        child.stdin!.write('a line that is read and not written\n');
        look();
        return watch.held.reads >= 3;
      });
      child.stdin!.write('go\n');
      await eventually('another program', () => {
        look();
        return !isUnknown(watch.upstream) && watch.upstream.program === 'sleep';
      });
      expect(watch.held).toEqual({ bytes: 0, reads: 0, milliseconds: 0 });
    });
  });

  it('is not what it reads before it has waited for input', async () => {
    const file = join(temporary(), 'file');
    writeFileSync(file, 'a line of a program, not of its input\n'.repeat(10));
    await watching(`while :; do read -r line <"${file}"; sleep 0.01; done`, async (watch, look, child) => {
      const read = () => {
        const counters = countersOf(child.pid!);
        return counters === undefined || isUnknown(counters) ? 0 : counters.read;
      };
      const before = read();
      await eventually('reads', () => {
        look();
        return read() > before + 2000;
      });
      expect(watch.held.bytes).toBe(0);
    });
  });
});
