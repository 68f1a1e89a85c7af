// The manual pages that the package ships.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { has } from '../helpers/programs.js';
import { command, root, sluice } from '../helpers/sluice.js';

const man = join(root, 'man');
beforeAll(() => {
  execFileSync(process.execPath, ['scripts/manual.mjs'], { cwd: root });
});

describe('the manual', () => {
  it('has a page for sluice and each command, each in package.json', async () => {
    const { out } = await sluice(['complete', '--', '']);
    const names = out
      .split('\n')
      .filter((line) => line.includes('\t'))
      .map((line) => `sluice-${line.split('\t')[0]}.1`);
    const pages = readdirSync(man);
    expect(pages.sort()).toEqual(['sluice.1', ...names].sort());
    const { man: listed } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(listed.sort()).toEqual(pages.map((page) => `./man/${page}`));
  });
  it('names every option that --help names', async () => {
    for (const name of ['copy', 'tail', 'bench']) {
      const { out } = await sluice([name, '--help']);
      const page = readFileSync(join(man, `sluice-${name}.1`), 'utf8').replaceAll('\\-', '-');
      for (const [, option] of out.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm))
        if (option !== '--help') expect(page).toContain(option);
    }
  });
  it.skipIf(!has('groff'))('is accepted by groff without a warning', async () => {
    for (const page of readdirSync(man)) {
      const { stderr, out } = await command('groff', ['-man', '-Tutf8', '-ww', join(man, page)]);
      expect(stderr, page).toBe('');
      expect(out.replace(/.\x08/g, '')).toContain('SYNOPSIS'); // without overstriking
    }
  });
  it.skipIf(!has('man'))('is shown by man', async () => {
    const { out, status } = await command('man', ['-l', join(man, 'sluice-copy.1')], {
      env: { MANPAGER: 'cat', MANWIDTH: '80' },
    });
    expect(status).toBe(0);
    expect(out).toContain('sluice copy [options] SOURCE DEST');
  });
});
