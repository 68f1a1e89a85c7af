// Writes numbered lines to a log and rotates it on the way, as loggers and logrotate do.
// node rotating-writer.mjs LOG LINES rename|copytruncate|recreate [PAUSE-MS]
// recreate says how far it is on stdout, and waits for a word on stdin before it deletes the file.

import { once } from 'node:events';
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const [log, lines, how, pause = '0'] = process.argv.slice(2);
const perFile = Math.ceil(Number(lines) / 20);
let fd = fs.openSync(log, 'a');
for (let i = 1; i <= Number(lines); i++) {
  fs.writeSync(fd, `line ${i}\n`);
  if (i % 97 === 0) await sleep(1);
  if (i % perFile !== 0 || i === Number(lines)) continue;
  if (how === 'copytruncate') {
    await sleep(Number(pause));
    fs.copyFileSync(log, `${log}.copy`);
    fs.truncateSync(log, 0);
    await sleep(Number(pause));
  } else {
    if (how === 'rename') {
      for (let n = 25; n >= 1; n--) if (fs.existsSync(`${log}.${n}`)) fs.renameSync(`${log}.${n}`, `${log}.${n + 1}`);
      fs.renameSync(log, `${log}.1`);
    } else {
      process.stdout.write(`${i}\n`);
      await once(process.stdin, 'data');
      fs.unlinkSync(log);
    }
    const next = fs.openSync(log, 'a');
    // A logger goes on with the old file until it is told.
    fs.writeSync(fd, `late ${i}\n`);
    fs.closeSync(fd);
    fd = next;
    await sleep(Number(pause));
  }
}
fs.writeSync(fd, 'end\n');
if (how === 'recreate') process.stdin.destroy();
