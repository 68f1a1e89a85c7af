// A real pseudo-terminal, and what a person would have seen on it.

import pty from '@lydell/node-pty';
import { bin } from './sluice.js';

export interface Seen {
  /** Everything that came, control codes and all. */
  raw: string;
  /** The screen's lines at the end: carriage returns, erasures and cursor moves done. */
  screen: string[];
  status: number;
  signal: number;
}

/** `sluice ARGS` on a terminal (stdin, stdout and stderr), or any command line if `shellLine` is given. */
export function onTerminal(
  args: string[] | { shell: string },
  options: { cwd: string; columns?: number; onData?: (raw: string, write: (text: string) => void) => void },
): Promise<Seen> {
  const [file, argv] = Array.isArray(args)
    ? [process.execPath, [bin, ...args]]
    : ['/bin/bash', ['-c', `sluice() { "${process.execPath}" "${bin}" "$@"; }\n${args.shell}`]];
  const terminal = pty.spawn(file, argv, {
    cwd: options.cwd,
    cols: options.columns ?? 80,
    rows: 24,
    env: { ...(process.env as Record<string, string>), TERM: 'xterm' },
  });
  let raw = '';
  terminal.onData((data) => {
    raw += data;
    options.onData?.(raw, (text) => terminal.write(text));
  });
  return new Promise((resolve) => {
    terminal.onExit(({ exitCode, signal }) =>
      resolve({ raw, screen: screenOf(raw), status: exitCode, signal: signal ?? 0 }),
    );
  });
}

/** As much of a terminal as our output needs: CR, LF, erase to the end of the line or all of it, cursor to column. */
function screenOf(raw: string): string[] {
  const lines: string[] = [''];
  let row = 0;
  let column = 0;
  let saved: [number, number] = [0, 0];
  const tokens = raw.match(/\x1b\[[0-9;?]*[A-Za-z]|\x1b[78]|\r|\n|[^\x1b\r\n]+/g) ?? [];
  for (const token of tokens) {
    const line = lines[row] ?? '';
    if (token === '\r') column = 0;
    else if (token === '\n') {
      row++;
      lines[row] ??= '';
    } else if (token === '\x1b7') saved = [row, column];
    else if (token === '\x1b8') [row, column] = saved;
    else if (token.startsWith('\x1b[')) {
      const number = Number(/\d+/.exec(token)?.[0] ?? 0);
      if (token.endsWith('G')) column = Math.max(0, number - 1);
      else if (token.endsWith('K'))
        lines[row] =
          number === 2 ? '' : number === 1 ? line.slice(column).padStart(line.length) : line.slice(0, column);
    } else {
      lines[row] = line.slice(0, column).padEnd(column) + token + line.slice(column + token.length);
      column += token.length;
    }
  }
  return lines.map((line) => line.trimEnd()).filter((line) => line !== '');
}
