// Completions, asked as the shells ask, and by the shells themselves.

import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { has } from '../helpers/programs.js';
import { bin, command, sluice, temporary } from '../helpers/sluice.js';

/** What is offered after `sluice WORDS`, and whether file names are too. */
async function offered(...words: string[]): Promise<{ values: string[]; files: boolean }> {
  const { status, out } = await sluice(['complete', '--', ...words]);
  expect(status).toBe(0);
  const lines = out.trimEnd().split('\n');
  return { values: lines.slice(0, -1).map((line) => line.split('\t')[0]!), files: lines.at(-1) === ':0' };
}

describe('sluice complete', () => {
  it('offers commands', async () => {
    const { values, files } = await offered('');
    expect(values).toEqual(
      expect.arrayContaining(['copy', 'atomic-write', 'tail', 'inspect', 'sync', 'bench', 'completion']),
    );
    expect(values).not.toContain('complete');
    expect(files).toBe(false);
    expect((await offered('co')).values).toEqual(['copy', 'completion']);
    expect((await offered('--json', 'co')).values).toEqual(['copy', 'completion']);
  });
  it('offers the options that --help lists', async () => {
    const { out } = await sluice(['copy', '--help']);
    const listed = [...out.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, option]) => option);
    expect(listed.length).toBeGreaterThan(20);
    expect((await offered('copy', '--')).values.sort()).toEqual(listed.sort());
    const short = [...out.matchAll(/^ {2}(-\w)\b/gm)].map(([, option]) => option);
    expect(short).toEqual(expect.arrayContaining(['-r', '-H', '-p']));
    expect((await offered('copy', '-')).values.sort()).toEqual([...short, ...listed].sort());
    expect(await offered('copy', '-H')).toEqual({ values: ['-H'], files: false });
    expect(await offered('copy', 'a', '--dec')).toEqual({ values: ['--decompress'], files: false });
  });
  it('offers the values of options', async () => {
    expect(await offered('copy', '--newline', '')).toEqual({ values: ['keep', 'lf', 'crlf', 'cr'], files: false });
    expect((await offered('copy', '--decompress=b')).values).toEqual(['brotli', 'bzip2']);
    expect((await offered('tail', '--color', 'al')).values).toEqual(['always']);
    expect((await offered('completion', '')).values).toEqual(['bash', 'zsh', 'fish', 'powershell']);
  });
  it('leaves names to the shell', async () => {
    expect(await offered('copy', 'so')).toEqual({ values: [], files: true });
    expect(await offered('bench', '--svg', '')).toEqual({ values: [], files: true });
    expect(await offered('copy', '--', '-n')).toEqual({ values: [], files: true });
  });
});

describe('the scripts', () => {
  let directory: string;
  beforeEach(() => {
    directory = temporary();
    writeFileSync(join(directory, 'sluice'), `#!/bin/sh\nexec '${process.execPath}' '${bin}' "$@"\n`);
    chmodSync(join(directory, 'sluice'), 0o755);
  });
  const run = (shell: string, args: string[], line: string) =>
    command(shell, [...args, '-c', line], {
      cwd: directory,
      env: { PATH: `${directory}:${process.env['PATH']}`, HOME: directory },
    });

  const inBash = async (words: string[]): Promise<string[]> => {
    const quoted = words.map((word) => `'${word}'`).join(' ');
    const script = `source <(sluice completion bash); source <(sluice completion bash); COMP_WORDS=(sluice ${quoted}); COMP_CWORD=${words.length}
      compopt() { :; }; __sluice_complete; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { out, stderr } = await run('bash', ['--norc', '--noprofile'], script);
    expect(stderr).toBe('');
    return out.trimEnd().split('\n').sort();
  };
  it('work in bash', async () => {
    expect(await inBash(['co'])).toEqual(['completion', 'copy']);
    expect(await inBash(['copy', '--newline', 'c'])).toEqual(['cr', 'crlf']);
    expect(await inBash(['copy', '--to-'])).toEqual(['--to-encoding']);
    // Bash parts words at =, and replaces only what stands behind it.
    expect(await inBash(['copy', '--decompress', '=', 'b'])).toEqual(['brotli', 'bzip2']);
    expect(await inBash(['copy', 'nothing-fits'])).toEqual(['']);
  });
  it('run nothing of what is typed, in bash', async () => {
    await inBash(['copy', '$(touch made)', '--new']);
    expect(await inBash(['copy', '$(touch made)', '--newl'])).toEqual(['--newline']);
    expect(existsSync(join(directory, 'made'))).toBe(false);
  });
  it('let bash complete file names', async () => {
    const { out } = await run('bash', ['--norc'], 'source <(sluice completion bash); complete -p sluice');
    expect(out).toMatch(/-o default\b.*-F __sluice_complete sluice/);
  });
  it.skipIf(!has('zsh'))('work in zsh', async () => {
    const { status, stderr } = await run(
      'zsh',
      ['-f'],
      'sluice completion zsh > c && zsh -n c && autoload -U compinit && compinit -u && source c && whence _sluice',
    );
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
  it.skipIf(!has('fish'))('work in fish', async () => {
    const { out } = await run(
      'fish',
      ['--no-config'],
      'sluice completion fish | source; complete -C "sluice copy --newline c"',
    );
    expect(
      out
        .split('\n')
        .map((line) => line.split('\t')[0])
        .filter(Boolean)
        .sort(),
    ).toEqual(['cr', 'crlf']);
  });
  it('are there for PowerShell', async () => {
    const { out } = await sluice(['completion', 'powershell']);
    expect(out).toContain('Register-ArgumentCompleter');
    expect(await sluice(['completion', 'tcsh'])).toMatchObject({ status: 2 });
    expect(await sluice(['completion'])).toMatchObject({ status: 2 });
  });
});
