import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stackFacts } from '../../src/probe/stack-facts.js';
import { temporary } from '../helpers/sluice.js';

describe('what open() would do', () => {
  it.each([
    ['r', 'reads', 'fails'],
    ['w', 'empties', 'creates'],
    ['x', 'fails', 'creates'],
    ['a', 'appends', 'creates'],
    ['r+', 'overwrites', 'fails'],
    ['w+b', 'empties', 'creates'],
    ['xb', 'fails', 'creates'],
    ['a+', 'appends', 'creates'],
  ])('with mode %s is said, and not done', (mode, there, missing) => {
    const directory = temporary();
    const path = join(directory, 'there');
    writeFileSync(path, 'content');
    const before = statSync(path, { bigint: true });
    expect(stackFacts(path, mode, {}).effect).toMatchObject({ value: there, inferred: true });
    expect(readFileSync(path, 'utf8')).toBe('content');
    expect(statSync(path, { bigint: true }).mtimeNs).toBe(before.mtimeNs);
    expect(stackFacts(join(directory, 'missing'), mode, {}).effect.value).toBe(missing);
    expect(existsSync(join(directory, 'missing'))).toBe(false);
  });

  it('to a directory, and where there is none, is to fail', () => {
    const directory = temporary();
    mkdirSync(join(directory, 'sub'));
    expect(stackFacts(join(directory, 'sub'), 'r', {}).effect.value).toBe('fails');
    expect(stackFacts(join(directory, 'none/file'), 'w', {}).effect.value).toBe('fails');
  });

  it('by a symlink that leads nowhere makes what it leads to, but not with x', () => {
    const directory = temporary();
    mkdirSync(join(directory, 'sub'));
    symlinkSync('sub/new', join(directory, 'link'));
    symlinkSync('none/new', join(directory, 'lost'));
    expect(stackFacts(join(directory, 'link'), 'w', {}).effect.value).toBe('creates');
    expect(stackFacts(join(directory, 'link'), 'x', {}).effect).toMatchObject({
      value: 'fails',
      because: expect.stringMatching(/EEXIST/),
    });
    expect(stackFacts(join(directory, 'lost'), 'w', {}).effect.value).toBe('fails');
    expect(stackFacts(`${join(directory, 'missing')}/`, 'w', {}).effect.value).toBe('fails');
  });

  it.runIf(process.platform === 'linux')('to what is no file is said, too', async () => {
    const directory = temporary();
    const [fifo, socket] = [join(directory, 'fifo'), join(directory, 'socket')];
    execFileSync('mkfifo', [fifo]);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    try {
      expect(stackFacts(socket, 'r', {}).effect).toMatchObject({
        value: 'fails',
        because: expect.stringMatching(/ENXIO/),
      });
      expect(stackFacts(fifo, 'r', {}).effect).toMatchObject({
        value: 'reads',
        because: expect.stringMatching(/waits/),
      });
      // CPython: "File or stream is not seekable."
      expect(stackFacts(fifo, 'r+', {}).effect.value).toBe('fails');
      expect(stackFacts(fifo, 'r+b', { buffering: 0 }).effect.value).toBe('overwrites');
      expect(stackFacts(fifo, 'rb', {}).layers.at(-1)).toMatchObject({ seekable: false });
      expect(stackFacts('/dev/null', 'wb', {}).layers.at(-1)).toMatchObject({ seekable: true });
    } finally {
      server.close();
    }
  });

  it.each(['q', 'rw', 'r++', '', 'br+t'])('mode %j is refused as open() refuses it', (mode) => {
    expect(() => stackFacts('file', mode, {})).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }));
  });
});
