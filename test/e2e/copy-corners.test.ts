// `sluice copy` where names, links and options meet in ways that few think of.

import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { copyContent } from '../../src/io/content.js';
import { FileIO } from '../../src/io/file-io.js';
import { native } from '../../src/io/native.js';
import { isRoot, shell, sluice, temporary } from '../helpers/sluice.js';
import { asNobody } from '../helpers/unprivileged.js';

let cwd: string;
const at = (name: string) => join(cwd, name);
const put = (name: string, content = name) => writeFileSync(at(name), content);
const content = (name: string) => readFileSync(at(name), 'utf8');
const copy = (...args: string[]) => sluice(['copy', ...args], { cwd });
const left = () => readdirSync(cwd).filter((name) => name.includes('.sluice-'));

const hasTool = (tool: string) => {
  try {
    execFileSync('/bin/sh', ['-c', `command -v ${tool}`]);
    return true;
  } catch {
    return false;
  }
};

beforeEach(() => {
  cwd = temporary();
  put('a');
});

describe('names in directories', () => {
  it("`link/..` is the directory above the link's target", async () => {
    mkdirSync(at('there/below'), { recursive: true });
    symlinkSync('there/below', at('link'));
    expect((await copy('a', 'link/..')).status).toBe(0);
    expect(content('there/a')).toBe('a');
  });

  it('a file with the name - gets it in the current directory too', async () => {
    mkdirSync(at('other'));
    put('other/-', 'dash');
    expect(await copy('other/-', '.')).toMatchObject({ status: 0, out: '' });
    expect(content('-')).toBe('dash');
  });

  it('errors on the way to the destination name it', async () => {
    for (const destination of ['a/', 'a/b']) {
      const { status, stderr } = await copy('a', destination);
      expect(status).toBe(1);
      expect(stderr).toContain(`${destination}: not a directory (ENOTDIR`);
    }
    expect((await copy('-t', '', 'a')).status).toBe(2);
    const records = (await copy('--json', 'a', 'a', 'b')).records();
    expect(records).toMatchObject([
      { type: 'error', code: 'ENOTDIR', path: 'b' },
      { type: 'summary', errors: 1 },
    ]);
  });

  it('a destination that ends in / and is no directory is refused before anything is read', async () => {
    execFileSync('mkfifo', [join(cwd, 'never-written')]);
    const { status, stderr } = await copy('never-written', 'new/');
    expect([status, stderr]).toEqual([
      1,
      'sluice copy: new/: is not a directory (ENOTDIR) — nothing was copied from it\n',
    ]);
  });

  it('temp names fit where the path is as long as a path may be', async () => {
    let directory = cwd;
    while (4095 - directory.length > 240) directory += `/${'d'.repeat(200)}`;
    mkdirSync(directory, { recursive: true });
    const longest = `${directory}/${'f'.repeat(4095 - directory.length - 1)}`;
    expect(await copy('a', longest)).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(longest, 'utf8')).toBe('a');
    expect(readdirSync(directory)).toHaveLength(1);
  });
});

describe('what goes with data on stdout', () => {
  it('is said on stderr: checksums, and what -v tells', async () => {
    const { status, out, stderr } = await copy('a', '-', '--checksum', '-v');
    expect({ status, out }).toEqual({ status: 0, out: 'a' });
    expect(stderr).toMatch(/^[0-9a-f]{64} {2}-$/m);
    expect((await shell('sluice copy -v a /proc/self/fd/1', { cwd })).out).toBe('a');
  });
});

describe('symlinks copied as such', () => {
  it('never take the place of what they lead to, or their own', async () => {
    symlinkSync('a', at('link'));
    linkSync(at('a'), at('hard'));
    for (const destination of ['a', 'link', 'hard', './a']) {
      const { status, stderr } = await copy('-P', 'link', destination);
      expect({ destination, status }).toEqual({ destination, status: 1 });
      expect(stderr).toContain('same file');
    }
    expect(content('a')).toBe('a');
    expect((await copy('-P', 'link', '-')).status).toBe(1);
  });

  it('have --backup, -u, -n and -p like files', async () => {
    symlinkSync('a', at('link'));
    put('b', 'old');
    expect((await copy('-P', '-p', '--backup', 'link', 'b')).status).toBe(0);
    expect(readlinkSync(at('b'))).toBe('a');
    expect(content('b~')).toBe('old');
    expect(lstatSync(at('b')).mtimeMs).toBeCloseTo(lstatSync(at('link')).mtimeMs, 0);
    put('newer');
    utimesSync(at('newer'), 4e9, 4e9);
    for (const option of ['-u', '-n']) {
      expect((await copy('-P', option, '-v', 'link', 'newer')).out).toContain('skipped');
      expect(content('newer')).toBe('newer');
    }
    expect((await copy('-P', '-n', '--durable', 'link', 'fresh')).status).toBe(0);
    expect(readlinkSync(at('fresh'))).toBe('a');
    expect(left()).toEqual([]);
  });
});

describe('options that cannot be had together, or here', () => {
  it.each([
    ['--in-place', '--backup', 'a', 'b'],
    ['--in-place', '--reflink=always', 'a', 'b'],
    ['--resume', '--reflink=always', 'a', 'b'],
    ['--verify', 'a', '-'],
    ['--backup=', 'a', 'b'],
    ['--backup=/../b', 'a', 'b'],
    ['--buffer-size', '100T', 'a', 'b'],
  ])('%s %s %s %s: exit 2, nothing touched', async (...args) => {
    put('b', 'old');
    expect(await copy(...args)).toMatchObject({ status: 2, out: '' });
    expect(content('b')).toBe('old');
    expect(readdirSync(cwd).sort()).toEqual(['a', 'b']);
  });

  it('what cannot be read back, or made durable, is refused before it is written', async () => {
    const { status, stderr } = await copy('--verify', 'a', '/dev/null');
    expect(status).toBe(1);
    expect(stderr).toContain('cannot be read back');
    expect(await copy('--durable=strict', 'a', '-')).toMatchObject({ status: 1, out: '' });
  });

  it.skipIf(!existsSync('/dev/shm'))(
    'a file system in memory is told as volatile; strict refuses it in place too',
    async () => {
      const volatile = mkdtempSync('/dev/shm/sluice-');
      onTestFinished(() => rmSync(volatile, { recursive: true }));
      const file = join(volatile, 'file');
      writeFileSync(file, 'old');
      expect((await copy('--in-place', '--durable=strict', 'a', file)).status).toBe(1);
      expect(readFileSync(file, 'utf8')).toBe('old');
      for (const options of [[], ['--in-place']]) {
        const ended = await copy(...options, '--durable', '--json', 'a', file);
        expect(ended).toMatchObject({ status: 0, stderr: '' });
        expect(ended.records()).toMatchObject([
          { type: 'warning', code: 'ERR_VOLATILE', path: file },
          { type: 'copied', durability: 'volatile' },
          { type: 'summary', errors: 0 },
        ]);
      }
    },
  );

  it('--resume -n leaves no second name behind', async () => {
    expect((await copy('--resume', '-n', 'a', 'b')).status).toBe(0);
    expect(statSync(at('b')).nlink).toBe(1);
    expect(left()).toEqual([]);
  });

  it('--dry-run tells what -u and a dangling link would come to', async () => {
    put('b', 'newer');
    utimesSync(at('b'), 4e9, 4e9);
    expect((await copy('--dry-run', '-u', 'a', 'b')).out).toContain('would skip');
  });
});

describe('where others own things', () => {
  it.skipIf(!hasTool('setfacl'))("a directory's default ACL says who may use a new file, as with cp", async () => {
    mkdirSync(at('closed'));
    const { status } = await shell('setfacl -d -m u::rwx,g::r-x,o::--- closed && cp a closed/by-cp', { cwd });
    if (status !== 0) return; // No ACLs on this file system.
    chmodSync(at('a'), 0o666);
    expect((await shell('cp a closed/by-cp; umask 0; sluice copy a closed/ours; cp a closed/cp', { cwd })).status).toBe(
      0,
    );
    const mode = (name: string) => statSync(at(`closed/${name}`)).mode & 0o777;
    expect(mode('ours')).toBe(mode('cp'));
    expect(mode('ours') & 0o007).toBe(0);
    expect(readdirSync(at('closed')).sort()).toEqual(['by-cp', 'cp', 'ours']);
  });

  it.skipIf(!isRoot)('--backup of what nobody may not rename leaves nothing behind (needs root)', async () => {
    mkdirSync(at('sticky'));
    chmodSync(at('sticky'), 0o1777);
    chmodSync(cwd, 0o755);
    put('sticky/b', 'old');
    chmodSync(at('sticky/b'), 0o666);
    const { status } = await asNobody(['copy', '--backup', 'a', 'sticky/b'], { cwd });
    expect(status).toBe(1);
    expect(readdirSync(at('sticky'))).toEqual(['b']);
    expect(content('sticky/b')).toBe('old');
  });

  it.skipIf(!isRoot || !native())('--backup of a file that can have no second name (needs root)', async () => {
    mkdirSync(at('open'));
    chmodSync(at('open'), 0o777);
    chmodSync(cwd, 0o755);
    put('open/b', 'old');
    chmodSync(at('open/b'), 0o644); // Not nobody's, nor writable: fs.protected_hardlinks refuses the link.
    const { status } = await asNobody(['copy', '--backup', 'a', 'open/b'], { cwd });
    expect(status).toBe(0);
    expect(content('open/b')).toBe('a');
    expect(content('open/b~')).toBe('old');
    expect(readdirSync(at('open')).sort()).toEqual(['b', 'b~']);
  });
});

describe('a source that grows faster than it is read', () => {
  it('from nothing: it is followed no further than a look tells', async () => {
    put('log', '');
    class Growing extends FileIO {
      override readInto(view: Uint8Array): number | null {
        if (statSync(at('log')).size < 2 ** 26) appendFileSync(at('log'), Buffer.alloc(view.length + 1, 'x'));
        return super.readInto(view);
      }
    }
    const source = new Growing(at('log'), 'r');
    const sink = new FileIO(at('out'), 'w+');
    const { bytes, change } = await copyContent(source, sink, {});
    source.close();
    sink.close();
    expect(bytes).toBeLessThan(2 ** 23);
    expect(change).toBe('grew');
  });
});

describe('a size that is not the truth', () => {
  it.each([0, 3])('of %i bytes, and which stays: all that can be read is copied', async (size) => {
    put('told', 'x'.repeat(size));
    put('truth', 'y'.repeat(300_000));
    const truth = new FileIO(at('truth'), 'r');
    class Lying extends FileIO {
      override readInto(view: Uint8Array): number | null {
        return truth.readInto(view);
      }
    }
    using source = new Lying(at('told'), 'r');
    using sink = new FileIO(at('out'), 'w+');
    expect(await copyContent(source, sink, {})).toMatchObject({ bytes: 300_000, change: undefined });
    truth.close();
    expect(content('out')).toBe(content('truth'));
  });
});

describe('the command line, by its edges', () => {
  it('an unknown option with a value is near to one without', async () => {
    const { status, stderr } = await copy('--progres=never', 'a', 'b');
    expect(status).toBe(2);
    expect(stderr).toContain('did you mean --progress?');
  });

  it('short global options can stand together before the command', async () => {
    expect((await sluice(['-qv', 'copy', 'a', 'b'], { cwd })).status).toBe(0);
    expect(content('b')).toBe('a');
  });
});
