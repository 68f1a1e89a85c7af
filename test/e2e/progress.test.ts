// The bar on a real terminal, plain lines elsewhere, and nothing of either on stdout.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { shell, sluice, temporary } from '../helpers/sluice.js';
import { onTerminal } from '../helpers/terminal.js';

let cwd: string;
beforeEach(() => {
  cwd = temporary();
  writeFileSync(join(cwd, 'a'), Buffer.alloc(2_000_000, 'x'));
});

describe('progress', () => {
  it('on a terminal the bar moves, and leaves one clean line', async () => {
    const { raw, screen, status } = await onTerminal(['copy', '--limit-rate', '1MB', 'a', 'b'], { cwd });
    expect(status).toBe(0);
    const shares = [...raw.matchAll(/(\d+)%/g)].map(([, share]) => Number(share));
    expect(new Set(shares).size).toBeGreaterThan(3);
    expect([...shares].sort((x, y) => x - y)).toEqual(shares);
    expect(raw).toContain('█');
    expect(raw).toMatch(/left/);
    expect(screen).toEqual([expect.stringMatching(/^1\.9 MiB of 1\.9 MiB, .*\/s in 0:0\d$/)]);
  });

  it('fits the width of the terminal', async () => {
    const { raw } = await onTerminal(['copy', '--limit-rate', '1MB', 'a', 'b'], { cwd, columns: 40 });
    for (const drawn of raw.split('\x1b[1G'))
      expect(drawn.replace(/\x1b\[[0-9;?]*[A-Za-z]|\x1b[78]/g, '').split(/\r?\n/)[0]!.length).toBeLessThan(40);
  });

  it('work that is over soon shows nothing', async () => {
    const { raw, status } = await onTerminal(['copy', 'a', 'b'], { cwd });
    expect({ raw, status }).toEqual({ raw: '', status: 0 });
  });

  it('--progress=never and --quiet show nothing', async () => {
    expect((await onTerminal(['copy', '--limit-rate', '2MB', '--progress=never', 'a', 'b'], { cwd })).raw).toBe('');
    expect((await onTerminal(['copy', '--limit-rate', '2MB', '--quiet', 'a', 'b'], { cwd })).raw).toBe('');
  });

  it('a message in the middle comes whole, on a line of its own', async () => {
    const line = 'sluice copy -v --limit-rate 1MB a none b d';
    const { screen, status } = await onTerminal({ shell: `mkdir d; cp a b; ${line}` }, { cwd });
    expect(status).toBe(1);
    expect(screen).toContainEqual(expect.stringMatching(/^sluice copy: none: no such file or directory/));
    expect(screen).toContainEqual(expect.stringMatching(/^a -> d\/a \(\w+\)$/));
    expect(screen).toContainEqual(expect.stringMatching(/^b -> d\/b \(\w+\)$/));
  });

  it('^C takes the bar away, and leaves nothing behind', async () => {
    let pressed = false;
    const { signal, status } = await onTerminal(
      { shell: 'sluice copy --limit-rate 200k a b; echo status $?; ls -A' },
      {
        cwd,
        onData: (raw, write) => {
          if (!pressed && raw.includes('%')) {
            pressed = true;
            write('\x03');
          }
        },
      },
    );
    expect(pressed).toBe(true);
    expect(status === 130 || signal === 2).toBe(true);
    expect((await shell('ls -A', { cwd })).out).toBe('a\n');
  });

  it('with stderr in a file there is nothing, or plain lines with --progress=always, as the work goes on', async () => {
    expect((await sluice(['copy', '--limit-rate', '2MB', 'a', 'b'], { cwd })).stderr).toBe('');
    await shell('sluice copy --limit-rate 700k --progress always a b 2> log', { cwd });
    const log = readFileSync(join(cwd, 'log'), 'utf8');
    expect(log).not.toMatch(/[\x1b\r]/);
    const lines = log.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) expect(line).toMatch(/^\d+% [\d.]+ \w+ of 1\.9 MiB, [\d.]+ \w+\/s, 0:0\d elapsed$/);
    expect(lines.at(-1)).toMatch(/^100% /);
  });

  it('--progress=always says so even of the smallest copy', async () => {
    expect((await sluice(['copy', '--progress=always', 'a', 'b'], { cwd })).stderr).toMatch(/^100% 1\.9 MiB/);
  });

  it('stdin has no total, and is counted all the same', async () => {
    const { raw } = await onTerminal(
      { shell: 'head -c 2000000 /dev/zero | sluice copy --limit-rate 1MB - b' },
      { cwd },
    );
    expect(raw).toMatch(/[\d.]+ [KM]iB {2}[\d.]+ [KM]iB\/s/);
  });

  it('names are escaped on a terminal', async () => {
    const { raw } = await onTerminal(['copy', 'no\x1b[2Jname', 'b'], { cwd });
    expect(raw).toContain('no\\x1b[2Jname');
    for (const options of [['-v'], ['--dry-run'], ['--checksum', '-v']]) {
      const { raw } = await onTerminal(['copy', ...options, 'a', 'new\nline'], { cwd });
      expect(raw).toContain('new\\nline');
      expect(raw).not.toContain('new\r\nline');
    }
    expect((await onTerminal(['completion', 'bash'], { cwd })).screen.length).toBeGreaterThan(10);
  });
});

describe('progress of trees', () => {
  it('knows how much there is before it is done, and how far it is', async () => {
    for (let d = 0; d < 4; d++) {
      mkdirSync(join(cwd, `tree/d${d}`), { recursive: true });
      for (let i = 0; i < 5; i++) writeFileSync(join(cwd, `tree/d${d}/f${i}`), Buffer.alloc(200_000, 'x'));
    }
    const { raw, screen, status } = await onTerminal(['copy', '-r', '--limit-rate', '1MB', 'tree', 'b'], { cwd });
    expect(status).toBe(0);
    const seen = [...raw.matchAll(/(\d+)\/20 files/g)].map(([, files]) => Number(files));
    expect(new Set(seen).size).toBeGreaterThan(3);
    expect(raw).toMatch(/\/3\.8 MiB {2}\d+\/20 files {2}.*left/);
    expect(screen).toEqual([expect.stringMatching(/^3\.8 MiB of 3\.8 MiB, 20 of 20 files, /)]);
  });
});
