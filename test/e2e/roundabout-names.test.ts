// Trees whose names are any bytes, or lead through symlinks and up again: `..` is the kernel's, never the text's.

import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { native } from '../../src/io/native.js';
import { isRoot, shell, sluice, temporary } from '../helpers/sluice.js';
import { asNobody } from '../helpers/unprivileged.js';

let dir: string;
beforeEach(() => {
  dir = temporary();
});
const at = (...names: string[]) => join(dir, ...names);

describe.each([['copy -r'], ['copy -a'], ['sync']])('%s', (run) => {
  it('a tree, and a working directory, whose names are not valid UTF-8', async () => {
    mkdirSync(at('src'));
    writeFileSync(at('src/file'), 'data');
    const { status, stderr, out } = await shell(
      `n=$(printf 'n\\377'); mv src "$n"; cp -r "$n" there
       sluice ${run} -q "$n" new && sluice ${run} -q there "$n/in" && sluice ${run} -q --gitignore there "$n.too" || exit 5
       sluice ${run} "$n" "$n"; echo $?
       cd "$n" && sluice ${run} -q ../there here && cat ../new/file in/file here/file "../$n.too/file"`,
      { cwd: dir },
    );
    expect([status, out]).toEqual([0, '1\ndatadatadatadata']);
    expect(stderr).toMatch(/into itself|are the same/);
    expect(stderr.trim().split('\n').length).toBe(1);
  });

  it('a symlink and up again: beside what it leads to, and nothing here', async () => {
    mkdirSync(at('far/deep'), { recursive: true });
    mkdirSync(at('src'));
    writeFileSync(at('src/file'), 'data');
    symlinkSync('far/deep', at('link'));
    // Of a run that was killed.
    mkdirSync(at('far/.new.sluice-0123456789abcdef.tmp/below'), { recursive: true });
    const { status } = await sluice([...run.split(' '), 'src', 'link/../new'], { cwd: dir });
    expect([status, readFileSync(at('far/new/file'), 'utf8')]).toEqual([0, 'data']);
    expect(readdirSync(dir).sort()).toEqual(['far', 'link', 'src']);
    expect(existsSync(at('far/.new.sluice-0123456789abcdef.tmp'))).toBe(native() === null);
    // As text it would be the source.
    expect((await sluice([...run.split(' '), 'src', 'link/../src'], { cwd: dir })).status).toBe(0);
    expect(readFileSync(at('far/src/file'), 'utf8')).toBe('data');
  });
});

it('--plan and --link-dest too', async () => {
  mkdirSync(at('far/deep'), { recursive: true });
  mkdirSync(at('src'));
  writeFileSync(at('src/file'), 'data');
  symlinkSync('far/deep', at('link'));
  const line = `sluice sync -q src far/old && sluice sync --plan plan src link/../new && (cd / && sluice sync -q --apply "$OLDPWD/plan") &&
    sluice sync -q --link-dest ../old src link/../newer && stat -c %h far/old/file && cat far/new/file`;
  const { status, out } = await shell(line, { cwd: dir });
  expect([status, out.slice(-6)]).toEqual([0, '2\ndata']);
  expect(readdirSync(dir).sort()).toEqual(['far', 'link', 'plan', 'src']);
});

it('a missing directory above the destination: what the message says of it', async () => {
  mkdirSync(at('src'));
  const { status, stderr } = await sluice(['copy', '-r', 'src', 'no/where'], { cwd: dir });
  expect([status, stderr]).toEqual([
    1,
    'sluice copy: no: no such file or directory (ENOENT, open) — nothing was copied\n',
  ]);
});

it.skipIf(!isRoot).each([['copy -a'], ['sync']])(
  '%s: a source directory that keeps us out is named once, and has its mode',
  async (run) => {
    const place = temporary();
    const line = `chmod 755 . && mkdir -p src/secret && touch -d 2001-01-01Z src/secret && chmod 0 src/secret && chown -R nobody .`;
    expect((await shell(line, { cwd: place })).status).toBe(0);
    const { status, stderr } = await asNobody([...run.split(' '), '-q', 'src', 'out'], { cwd: place });
    expect([status, stderr]).toEqual([
      1,
      `sluice ${run.split(' ')[0]}: src/secret: permission denied (EACCES, open) — nothing was copied from it\n`,
    ]);
    const { out } = await shell('stat -c "%a %Y" out/secret', { cwd: place });
    expect(out).toBe('0 978307200\n');
  },
);
