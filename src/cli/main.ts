// The first code that runs. `--version` is answered here, so that it costs no more than Node's own start; and whoever asks the
// pipe meter for a report (SIGUSR1) cannot know when it is ready: from here on the question waits for its answer.

import { writeSync } from 'node:fs';

declare const SLUICE_VERSION: string;

const argv = process.argv.slice(2);
if (argv.includes('inspect') && argv.includes('-')) rememberQuestion();

let answered = false;
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  try {
    const line = `sluice ${SLUICE_VERSION}\n`;
    answered = writeSync(1, line) === line.length;
  } catch {
    // A full disk, a closed pipe: the long way knows what to say.
  }
}

/** Until the meter listens itself. Without a listener Node takes the signal for a call to start its debugger. */
function rememberQuestion(): void {
  let asked = false;
  const remember = () => {
    if (process.listenerCount('SIGUSR1') === 1) asked = true;
  };
  process.on('SIGUSR1', remember);
  process.on('newListener', function taken(name) {
    if (name !== 'SIGUSR1') return;
    process.removeListener('newListener', taken);
    setImmediate(async () => {
      process.removeListener('SIGUSR1', remember);
      if ((await startedDebugger()) || asked) process.emit('SIGUSR1', 'SIGUSR1');
    });
  });
}

/** Did the question come before the first line of ours ran? Node has said so on stderr; its debugger's port is closed again. */
async function startedDebugger(): Promise<boolean> {
  if (/--inspect(-brk|-wait)?(=|\s|$)/.test(`${process.execArgv.join(' ')} ${process.env['NODE_OPTIONS'] ?? ''}`))
    return false;
  const { close, url } = await import('node:inspector');
  if (url() === undefined) return false;
  close();
  return true;
}

if (!answered) void import('./run.js').then(({ run }) => run());
