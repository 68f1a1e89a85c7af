import { spawn } from 'node:child_process';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isUnknown } from '../../src/probe/certainty.js';
import { identityKey, openersOf } from '../../src/probe/openers.js';
import { eventually } from '../helpers/sluice.js';

describe.runIf(process.platform === 'linux')('the processes that have a file mapped', () => {
  it('are told by its device too: another file may have the same inode number', async () => {
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    try {
      const program = await eventually('its program', () => {
        const path = realpathSync(`/proc/${child.pid}/exe`);
        const started = path !== realpathSync(process.execPath);
        return started && readFileSync(`/proc/${child.pid}/maps`).includes(path) ? path : undefined;
      });
      const stat = statSync(program, { bigint: true });
      const [own, other] = [identityKey(stat), identityKey({ ino: stat.ino, dev: stat.dev + 1n })];
      const found = openersOf(new Set([other, own]));
      if (isUnknown(found)) throw new Error(found.unknown);
      const mapped = (identity: string) => found.get(identity)!.processes.filter(({ pid }) => pid === child.pid);
      expect(mapped(own)).toMatchObject([{ mapped: true, descriptors: [] }]);
      expect(mapped(other)).toEqual([]);
    } finally {
      child.kill();
    }
  });
});
