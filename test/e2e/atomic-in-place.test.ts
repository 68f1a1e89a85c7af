import { execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { bin, eventually, isRoot, outcome, sluice, temporary } from '../helpers/sluice.js';
import { hasStrace, strace } from '../helpers/strace.js';

let dir: string;
let file: string;
beforeEach(() => {
  dir = temporary();
  file = join(dir, 'file');
  writeFileSync(file, 'old content');
});
const write = (input: string, ...args: string[]) => sluice(['atomic-write', ...args], { input });
const text = (path = file) => readFileSync(path, 'utf8');
const sidecar = () => join(dir, '.file.sluice-in-place');
const only = (...names: string[]) => expect(readdirSync(dir).sort()).toEqual(names.sort());

describe('--in-place', () => {
  it.each(['new', 'content that is longer than the old one', ''])('overwrites the inode, by %j', async (content) => {
    linkSync(file, join(dir, 'other'));
    const { ino } = statSync(file);
    const ended = await write(content, '--in-place', '--allow-empty', '--json', file);
    expect(ended.status).toBe(0);
    expect(ended.records()).toMatchObject([{ outcome: 'replaced', bytes: content.length }]);
    expect([text(), text(join(dir, 'other')), statSync(file).ino]).toEqual([content, content, ino]);
    only('file', 'other');
  });

  it('edits, appends, keeps a copy as a backup, and sets the mode', async () => {
    expect((await write('', '--in-place', '--edit', '--backup', file, '--', 'tr', 'o', '0')).status).toBe(0);
    expect([text(), text(`${file}~`)]).toEqual(['0ld c0ntent', 'old content']);
    expect((await write('!', '--in-place', '-a', '-m', '600', file)).status).toBe(0);
    expect([text(), statSync(file).mode & 0o7777]).toEqual(['0ld c0ntent!', 0o600]);
    only('file', 'file~');
  });

  it('makes a file that is not there as without it', async () => {
    expect((await write('x', '--in-place', join(dir, 'new'))).status).toBe(0);
    only('file', 'new');
  });

  it('guards come before anything is overwritten', async () => {
    expect((await write('', '--in-place', file)).status).toBe(3);
    expect((await write('x', '--in-place', '--check', 'false', file)).status).toBe(3);
    expect((await write('x', '--in-place', file, '--', 'false')).status).toBe(1);
    expect(text()).toBe('old content');
    only('file');
  });

  it('its sidecar can lie elsewhere', async () => {
    const elsewhere = temporary();
    expect((await write('new', '--in-place', '--sidecar', elsewhere, file)).status).toBe(0);
    expect([text(), readdirSync(elsewhere)]).toEqual(['new', []]);
  });

  it.skipIf(!hasStrace)(
    'killed at any system call on the way, it can be recovered, or nothing has happened',
    async () => {
      const args = [bin, 'atomic-write', '--in-place', file];
      const big = 'new '.repeat(300_000);
      const trace = 'pwrite64,ftruncate,fsync,rename,unlink,fchmod,fchown';
      const whole = strace(process.execPath, args, { trace, input: big });
      expect(whole.status).toBe(0);
      const counts = new Map<string, number>();
      for (const call of whole.calls) {
        const name = /^(\w+)\(/.exec(call)?.[1];
        if (name) counts.set(name, (counts.get(name) ?? 0) + 1);
      }
      expect(counts.get('pwrite64')).toBeGreaterThan(1);
      for (const [name, count] of counts) {
        for (let when = 1; when <= count; when++) {
          writeFileSync(file, 'old content');
          strace(process.execPath, args, { trace, input: big, inject: [`${name}:signal=KILL:when=${when}`] });
          const begun = existsSync(sidecar());
          if (!begun) expect(['old content', big]).toContain(text());
          else expect((await write('x', '-a', file)).status).toBe(1); // Half a file is nothing to go on from.
          const { status, stderr } = await sluice(['atomic-write', '--recover', file]);
          expect(status).toBe(0);
          if (begun) expect(text()).toBe(big);
          else expect(stderr).toBe(`sluice atomic-write: ${file}: there is nothing to recover\n`);
          expect(existsSync(sidecar())).toBe(false);
          execFileSync('find', [dir, '-name', '*.tmp', '-delete']);
        }
      }
    },
  );

  it.skipIf(!isRoot)('--recover takes nothing from a sidecar that a stranger has put there', async () => {
    writeFileSync(file, 'old');
    chmodSync(dir, 0o1777);
    writeFileSync(sidecar(), 'evil');
    chownSync(sidecar(), 1000, 1000);
    const { status, stderr } = await sluice(['atomic-write', '--recover', file]);
    expect([status, stderr.includes('somebody else has made this sidecar')]).toEqual([1, true]);
    expect(readFileSync(file, 'utf8')).toBe('old');
  });

  it('a plain replacement makes an interrupted one pointless', async () => {
    writeFileSync(sidecar(), 'half done');
    expect((await write('whole', file)).status).toBe(0);
    only('file');
    expect(text()).toBe('whole');
  });

  it.skipIf(!hasStrace)('a disk that is full is found before the old content is touched', () => {
    const { status, stderr } = strace(process.execPath, [bin, 'atomic-write', '--in-place', file], {
      trace: 'pwrite64',
      inject: ['pwrite64:error=ENOSPC:when=1'],
      input: 'content that is longer than the old one',
    });
    expect([status, text()]).toEqual([1, 'old content']);
    expect(stderr).toContain('no space left on device (ENOSPC, write) — destination left as it was');
    only('file');
  });

  it.skipIf(!hasStrace)('an error half way says that it is incomplete, and where the content is', async () => {
    const { status, stderr } = strace(process.execPath, [bin, 'atomic-write', '--in-place', file], {
      trace: 'pwrite64',
      inject: ['pwrite64:error=EIO:when=2'],
      input: 'content that is longer than the old one',
    });
    expect(status).toBe(1);
    expect(stderr).toContain(`it is incomplete; its new content is in ${sidecar()}, and --recover puts it in place`);
    const recovered = await sluice(['atomic-write', '--recover', '--json', file]);
    expect(recovered.records()).toMatchObject([{ outcome: 'replaced', bytes: 39 }]);
    expect(text()).toBe('content that is longer than the old one');
    only('file');
  });
});

describe.skipIf(!isRoot || process.platform !== 'linux')('where no file can be replaced', () => {
  it('a bind-mounted file is refused with a hint, and --in-place does it', async () => {
    writeFileSync(join(dir, 'source'), 'old');
    execFileSync('mount', ['--bind', join(dir, 'source'), file]);
    try {
      const refused = await write('new', file);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toMatch(/\(EBUSY, rename\) — destination left as it was/);
      expect(refused.stderr).toContain('--in-place would overwrite it');
      expect(text()).toBe('old');
      only('file', 'source');
      expect((await write('new', '--in-place', file)).status).toBe(0);
      expect([text(), text(join(dir, 'source'))]).toEqual(['new', 'new']);
      only('file', 'source');
    } finally {
      execFileSync('umount', [file]);
    }
  });

  it('a file in a directory that may not be written to is refused with a hint, and --in-place --sidecar does it', async () => {
    execFileSync('chown', ['65534:65534', file]);
    execFileSync('chmod', ['755', dir]);
    const elsewhere = temporary();
    execFileSync('chmod', ['777', elsewhere]);
    const user = { uid: 65534, gid: 65534, cwd: dir, input: 'new' };
    const refused = await sluice(['atomic-write', file], user);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain('permission denied: it cannot be replaced here; --in-place with --sidecar DIR');
    const beside = await sluice(['atomic-write', '--in-place', file], user);
    expect([beside.status, beside.stderr.includes('--sidecar DIR gives it another place')]).toEqual([1, true]);
    expect(text()).toBe('old content');
    expect((await sluice(['atomic-write', '--in-place', '--sidecar', elsewhere, file], user)).status).toBe(0);
    expect(text()).toBe('new');
    only('file');
  });
});

describe('--leftovers', () => {
  it('a directory that a killed copy of a tree has left is one too, unless somebody has it open', async () => {
    const left = join(dir, '.d.sluice-0123456789abcdef.tmp');
    mkdirSync(left);
    writeFileSync(join(left, 'f'), 'half');
    const fd = openSync(left, 'r');
    const [live] = (await sluice(['atomic-write', '--leftovers', dir, '--remove', '--json'])).records();
    expect(live).toMatchObject({ type: 'leftover', path: left, target: join(dir, 'd'), writer: 'live' });
    closeSync(fd);
    const [gone] = (await sluice(['atomic-write', '--leftovers', dir, '--remove', '--json'])).records();
    expect(gone).toMatchObject({ path: left, writer: 'gone', removed: true });
    expect(readdirSync(dir)).not.toContain('.d.sluice-0123456789abcdef.tmp');
  });

  it('lists temp files with what they are for, and removes those whose writer is gone', async () => {
    const child = spawn(process.execPath, [bin, 'atomic-write', file], { stdio: ['pipe', 'pipe', 'pipe'] });
    const ended = outcome(child);
    const live = await eventually('a temp file', () => readdirSync(dir).find((name) => name.endsWith('.tmp')));
    const gone = '.thing.sluice-0123456789abcdef.tmp';
    appendFileSync(join(dir, gone), '12345');
    writeFileSync(join(dir, '.thing.sluice-0123.tmp'), 'no temp file of ours');
    const listed = await sluice(['atomic-write', '--leftovers', dir, '--json']);
    expect(listed.status).toBe(0);
    const records = new Map(listed.records().map((record) => [record['path'], record]));
    expect([...records.keys()].sort()).toEqual([join(dir, gone), join(dir, live)].sort());
    expect(records.get(join(dir, live))).toMatchObject({ type: 'leftover', target: file, bytes: 0, writer: 'live' });
    expect(records.get(join(dir, gone))).toMatchObject({ target: join(dir, 'thing'), bytes: 5, writer: 'gone' });
    expect(records.get(join(dir, gone))!['ageSeconds']).toBeTypeOf('number');
    expect((await sluice(['atomic-write', '--leftovers', dir, '--remove'])).status).toBe(0);
    only('file', live, '.thing.sluice-0123.tmp');
    child.stdin.end('still written');
    expect((await ended).status).toBe(0);
    expect(text()).toBe('still written');
  });

  it('of a killed writer are found', async () => {
    const child = spawn(process.execPath, [bin, 'atomic-write', file], { stdio: ['pipe', 'pipe', 'pipe'] });
    const ended = outcome(child);
    await eventually('a temp file', () => readdirSync(dir).some((name) => name.endsWith('.tmp')));
    child.kill('SIGKILL');
    await ended;
    const { out } = await sluice(['atomic-write', '--leftovers', '--remove', dir]);
    expect(out).toMatch(/: for .*\/file, 0 bytes, \d+ s old, writer gone, removed\n$/);
    only('file');
  });

  it('a missing directory is an error', async () => {
    expect((await sluice(['atomic-write', '--leftovers', join(dir, 'no')])).status).toBe(1);
    expect((await sluice(['atomic-write', '--remove', dir])).status).toBe(2);
  });
});
