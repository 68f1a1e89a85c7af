// The first code that runs. `--version` is answered here, so that it costs no more than Node's own start.

import { writeSync } from 'node:fs';

declare const SLUICE_VERSION: string;

const argv = process.argv.slice(2);
let answered = false;
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  try {
    const line = `sluice ${SLUICE_VERSION}\n`;
    answered = writeSync(1, line) === line.length;
  } catch {
    // A full disk, a closed pipe: the long way knows what to say.
  }
}
if (!answered) void import('./run.js').then(({ run }) => run());
