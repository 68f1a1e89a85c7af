// Children that do not read, or that write more than a pipe holds, before, while and after: nothing waits for ever.

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { shell, temporary } from '../helpers/sluice.js';

/** A pipe holds 64 KiB; sluice's own buffers some hundred more. */
const much = 3_000_000;
const zeros = `head -c ${much} /dev/zero`;
/** Longer than any of these takes on the busiest machine; a deadlock takes for ever. */
const limit = 'timeout -s KILL 25 bash -c';

async function run(line: string): Promise<{ cwd: string; status: number | null; stderr: string; stdout: Buffer }> {
  const cwd = temporary();
  writeFileSync(join(cwd, 'large'), Buffer.alloc(much, 'x'));
  const exported = `export -f sluice; ${limit} ${JSON.stringify(`set -o pipefail; ${line}`).replaceAll('$', '\\$')}`;
  const { status, stderr, stdout } = await shell(exported, { cwd });
  return { cwd, status, stderr, stdout };
}
const size = (cwd: string, name: string) => statSync(join(cwd, name)).size;
const text = (cwd: string, name: string) => readFileSync(join(cwd, name), 'utf8');

describe('a command', () => {
  it('that reads nothing of a large input', async () => {
    const { cwd, status } = await run('sluice atomic-write f -- echo done < large');
    expect(status).toBe(0);
    expect(text(cwd, 'f')).toBe('done\n');
  });
  it('that reads nothing of a pipe which goes on for ever', async () => {
    const { cwd, status } = await run('yes | sluice atomic-write f -- echo done');
    expect(status).toBe(141); // yes died of the closed pipe, and of nothing else
    expect(text(cwd, 'f')).toBe('done\n');
  });
  it('that writes more than a pipe holds to stdout and stderr, in turn', async () => {
    const command = `sh -c '${zeros} >&2; ${zeros}; ${zeros} >&2; ${zeros}'`;
    const { cwd, status } = await run(`sluice atomic-write f -- ${command} 2> errors`);
    expect(status).toBe(0);
    expect(size(cwd, 'f')).toBe(2 * much);
    expect(size(cwd, 'errors')).toBe(2 * much);
  });
  it('that closes its output and goes on', async () => {
    const { cwd, status } = await run("sluice atomic-write f -- sh -c 'echo a; exec >&-; sleep 0.3; echo > after'");
    expect(status).toBe(0);
    expect(text(cwd, 'f')).toBe('a\n');
    expect(size(cwd, 'after')).toBe(1); // it was waited for
  });
  it('that stops reading and fails', async () => {
    const { cwd, status, stderr } = await run("sluice atomic-write f -- sh -c 'head -c 10; exit 7' < large");
    expect(status).toBe(1);
    expect(stderr).toContain('exit status 7');
    expect(() => size(cwd, 'f')).toThrow('ENOENT');
  });
});

describe('an edit', () => {
  it('whose command does not read the file', async () => {
    const { cwd, status } = await run('sluice atomic-write --edit large -- echo new');
    expect(status).toBe(0);
    expect(text(cwd, 'large')).toBe('new\n');
  });
  it('whose command writes much before it reads, and more while it does', async () => {
    const { cwd, status } = await run(`sluice atomic-write --edit large -- sh -c '${zeros}; cat; ${zeros}'`);
    expect(status).toBe(0);
    expect(size(cwd, 'large')).toBe(3 * much);
  });
  it('by a pipeline whose parts stop early', async () => {
    const { cwd, status } = await run("sluice atomic-write --edit large --shell 'head -c 5 | cat'");
    expect(status).toBe(0);
    expect(text(cwd, 'large')).toBe('xxxxx');
  });
});

describe('a check', () => {
  it('that writes more than a pipe holds', async () => {
    const { cwd, status } = await run(
      `sluice atomic-write --check '${zeros}; ${zeros} >&2; test -s {}' f < large > /dev/null 2>&1`,
    );
    expect(status).toBe(0);
    expect(size(cwd, 'f')).toBe(much);
  });
  it('that reads its input, while ours is a pipe that nobody writes to', async () => {
    const { cwd, status } = await run("mkfifo p; sluice atomic-write --check 'cat > /dev/null' f -- echo new <> p");
    expect(status).toBe(0);
    expect(text(cwd, 'f')).toBe('new\n');
  });
});

describe('--tee', () => {
  it('into a reader that takes its time', async () => {
    const { cwd, status, stdout } = await run('sluice atomic-write --tee f < large | { sleep 0.5; wc -c; }');
    expect(status).toBe(0);
    expect(Number(stdout.toString())).toBe(much);
    expect(size(cwd, 'f')).toBe(much);
  });
  it('into a reader that leaves: the file is written all the same', async () => {
    const { cwd, status } = await run('sluice atomic-write --tee f < large | head -c 1 > /dev/null');
    expect(status).toBe(141);
    expect(size(cwd, 'f')).toBe(much);
  });
  it('of a command, into a reader that never reads and then leaves', async () => {
    const { cwd, status } = await run(`sluice atomic-write --tee f -- ${zeros} | sleep 0.5`);
    expect(status).toBe(141);
    expect(size(cwd, 'f')).toBe(much);
  });
});

describe('a copy through steps', () => {
  it('from a pipe that comes in drops, into a reader that takes its time', async () => {
    const line = `{ head -c 100 large; sleep 0.2; cat large; } | sluice copy --compress gzip - - | { sleep 0.3; sluice copy --decompress - -; } | { sleep 0.2; wc -c; }`;
    const { status, stdout } = await run(line);
    expect(status).toBe(0);
    expect(Number(stdout.toString())).toBe(much + 100);
  });
});
