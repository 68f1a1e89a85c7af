import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bin, eventually, outcome, shell, sluice, temporary } from '../helpers/sluice.js';

const sizes = [4096, 16384, 65536, 262144, 1048576, 4194304];

describe('sluice bench', () => {
  it('measures every operation over every buffer size, says how sure it is, and leaves nothing', async () => {
    const cwd = temporary();
    const { status, records, stderr } = await sluice(['bench', '--json', '--size', '8M', '--time', '1ms', '.'], {
      cwd,
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(readdirSync(cwd)).toEqual([]);
    const all = records();
    const omitted = all.filter(({ type }) => type === 'omitted').map(({ operation }) => operation);
    const verdicts = all.filter(({ type }) => type === 'verdict');
    const measured = verdicts.map(({ operation }) => operation);
    expect([...measured, ...omitted].sort()).toEqual(['copy', 'fsync', 'pipe', 'read', 'read-cold', 'write']);
    for (const operation of measured) {
      const points = all.filter((record) => record['type'] === 'measurement' && record['operation'] === operation);
      expect(points.map(({ bufferSize }) => bufferSize)).toEqual(sizes);
      for (const { bytesPerSecond, low, high } of points as unknown as Record<string, number>[]) {
        expect(bytesPerSecond).toBeGreaterThan(low!);
        expect(bytesPerSecond).toBeLessThan(high!);
        expect(low).toBeGreaterThanOrEqual(0);
      }
      expect(points.filter((point) => point['default']).map(({ bufferSize }) => bufferSize)).toEqual([262144]);
    }
    for (const { verdict, message, bestBufferSize, shareOfBest } of verdicts) {
      expect(['default', 'tune', 'unsure']).toContain(verdict);
      expect(String(message)).toMatch(verdict === 'tune' ? /faster than the default/ : /do not tune/);
      expect(sizes).toContain(bestBufferSize);
      expect(shareOfBest).toBeLessThanOrEqual(1);
    }
    expect(all.at(-1)).toMatchObject({ type: 'summary', fileSize: 8388608, rounds: 3, defaultBufferSize: 262144 });
  });

  it('draws a chart for the terminal and a picture', async () => {
    const cwd = temporary();
    const run = await sluice(['bench', '--size', '8M', '--time', '1ms', '--svg', 'rates.svg'], { cwd });
    expect(run.status).toBe(0);
    expect(run.out).toMatch(/^copy, from and into the page cache$/m);
    expect(run.out).toMatch(/^ {2}256 KiB {2}█.* [GM]B\/s ±.* % +← default$/m);
    expect(run.out).toMatch(/8 MiB a measurement, 3 rounds/);
    expect(run.out).not.toContain('\x1b');
    expect(readdirSync(cwd)).toEqual(['rates.svg']);
    const svg = readFileSync(join(cwd, 'rates.svg'), 'utf8');
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg".*<\/svg>\n$/s);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    expect(svg.match(/class="mark"/g)).toHaveLength(svg.match(/<g /g)!.length);
    for (const tag of ['g', 'text', 'title', 'style', 'svg'])
      expect(svg.match(new RegExp(`<${tag}[ >]`, 'g'))).toHaveLength(svg.match(new RegExp(`</${tag}>`, 'g'))!.length);
  });

  it('draws where nothing can be replaced too: on stdout, and into a FIFO, which stays one', async () => {
    const cwd = temporary();
    const quick = ['bench', '--size', '8M', '--time', '1ms', '--svg'];
    const whole = /^<svg .*<\/svg>\n$/s;
    for (const name of ['-', '/dev/stdout']) {
      const { status, out, stderr } = await sluice([...quick, name], { cwd });
      expect({ status, out }).toEqual({ status: 0, out: expect.stringMatching(whole) });
      expect(stderr).toContain('8 MiB a measurement');
    }
    const { status, out } = await shell(`mkfifo f; cat f & sluice ${quick.join(' ')} f >&2 && wait; test -p f`, {
      cwd,
    });
    expect({ status, out }).toEqual({ status: 0, out: expect.stringMatching(whole) });
    expect(readdirSync(cwd)).toEqual(['f']);
  });

  it('knows before it measures where the picture cannot be put', async () => {
    const { status, stdout, stderr } = await sluice(['bench', '--json', '--svg', 'absent/x.svg'], { cwd: temporary() });
    expect(status).toBe(1);
    expect(stdout.toString()).toMatch(/^\{"type":"error","code":"ENOENT"[^\n]*\n$/);
    expect(stderr).toBe('');
  });

  it('removes what it made when it is told to stop', async () => {
    const cwd = temporary();
    const child = spawn(process.execPath, [bin, 'bench', '--svg', 'x.svg'], { cwd });
    const ended = outcome(child);
    await eventually('files to measure with', () =>
      readdirSync(cwd).some((name) => !name.endsWith('.tmp') && readdirSync(join(cwd, name)).length > 0),
    );
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ signal: 'SIGTERM', status: null });
    expect(readdirSync(cwd)).toEqual([]);
  });

  it('says what is no directory, and measures nothing', async () => {
    const cwd = temporary();
    writeFileSync(join(cwd, 'file'), '');
    for (const [operand, message] of [
      ['file', 'file: is not a directory (ENOTDIR) — nothing was measured'],
      ['absent', 'absent: no such file or directory (ENOENT, stat) — nothing was measured'],
    ])
      expect(await sluice(['bench', operand!], { cwd })).toMatchObject({
        status: 1,
        stderr: `sluice bench: ${message}\n`,
      });
    expect(await sluice(['bench', 'a', 'b'], { cwd })).toMatchObject({ status: 2 });
    expect(existsSync(join(cwd, 'a'))).toBe(false);
  });
});
