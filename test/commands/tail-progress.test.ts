import { closeSync, existsSync, fstatSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Printer } from '../../src/commands/tail-printer.js';
import { Progress } from '../../src/commands/tail-progress.js';
import { operand } from '../../src/follow/operand.js';
import { eventually, temporary } from '../helpers/sluice.js';

it('remembers nothing that is not out yet, and does once it is', async () => {
  const home = temporary();
  const [log, state] = [join(home, 'log'), join(home, 'state')];
  writeFileSync(log, '1\n2\n');
  const fd = openSync(log, 'r');
  let settle = () => {};
  const ready = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const output = { isOut: false, flush() {}, ready: () => ready };
  const printer = { output, passed: (_: unknown, position: number) => position } as unknown as Printer;
  const progress = new Progress(
    state,
    printer,
    () => [],
    (error) => {
      throw error;
    },
  );
  progress.printed({ operand: operand(log), file: { fd, stat: fstatSync(fd, { bigint: true }) }, position: 2 });
  expect(existsSync(state)).toBe(false);
  output.isOut = true;
  settle();
  await eventually('it is saved', () => existsSync(state));
  expect(JSON.parse(readFileSync(state, 'utf8')).files[log].offset).toBe(2);
  progress.close();
  closeSync(fd);
});
