import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeAll } from '../../src/io/write-all.js';
import { command, temporary } from '../helpers/sluice.js';

it('everything is written to a full pipe that somebody has made non-blocking', async () => {
  const fifo = join(temporary(), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  const reader = command('/bin/sh', ['-c', 'wc -c < "$0"', fifo]);
  writeAll(fd, Buffer.alloc(2 ** 20, 'x'));
  closeSync(fd);
  expect((await reader).out.trim()).toBe(String(2 ** 20));
});
