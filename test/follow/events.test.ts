import { appendFileSync, mkdirSync, type watch } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { NameWatch } from '../../src/follow/events.js';
import { eventually, temporary } from '../helpers/sluice.js';

/** Happens right before the next watch is there. */
const meanwhile = vi.hoisted((): { act: (() => void) | undefined } => ({ act: undefined }));
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const late = (...args: Parameters<typeof watch>) => {
    const { act } = meanwhile;
    meanwhile.act = undefined;
    act?.();
    return fs.watch(...args);
  };
  return { ...fs, watch: late };
});

it('watches a directory that was made while one above it was about to be watched', async () => {
  const home = temporary();
  const path = join(home, 'x/y/log');
  let changes = 0;
  const watcher = new NameWatch(path, () => {
    changes++;
  });
  meanwhile.act = () => mkdirSync(join(home, 'x/y'), { recursive: true });
  watcher.refresh();
  appendFileSync(path, 'a\n');
  await eventually('it is told', () => changes > 0);
  expect(changes).toBeLessThan(10);
  watcher.close();
});
