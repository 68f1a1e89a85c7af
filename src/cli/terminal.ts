// What may be shown where: colours, the width, and names that cannot do harm to a terminal.

import { WriteStream } from 'node:tty';
import { isTerminal } from '../io/terminal.js';

export type When = 'auto' | 'always' | 'never';

/** May this stream have colours? The flag, then NO_COLOR, FORCE_COLOR, TERM=dumb, then whether it is a terminal. */
export function wantsColor(fd: number, flag: When | undefined, env: NodeJS.ProcessEnv = process.env): boolean {
  if (flag === 'always') return true;
  if (flag === 'never') return false;
  if (env['NO_COLOR']) return false;
  const force = env['FORCE_COLOR'];
  if (force !== undefined && force !== '') return force !== '0' && force !== 'false';
  if (env['TERM'] === 'dumb') return false;
  return isTerminal(fd);
}

/** Columns of the terminal on `fd` (80 where they are not known). */
export function columnsOf(fd: number): number {
  if (!isTerminal(fd)) return 80;
  try {
    // A tty stream of our own, for its size alone: it opens the terminal anew, so the shared description stays as it is.
    const stream = new WriteStream(fd);
    const { columns } = stream;
    stream.unref();
    return columns || 80;
  } catch {
    return 80;
  }
}

/** C0, DEL, C1, bidirectional controls, line separators and escaped bytes: what a name must not send to a terminal. */
const unsafe =
  /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const short: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** `text` with everything that could move a cursor, or lie about the order of characters, made visible. */
export function escapeForTerminal(text: string): string {
  return text.replace(unsafe, (character) => {
    const unit = character.charCodeAt(0);
    if (short[character]) return short[character];
    if (unit >= 0xdc80 && unit <= 0xdcff) return `\\x${(unit - 0xdc00).toString(16)}`;
    return unit < 0x100 ? `\\x${unit.toString(16).padStart(2, '0')}` : `\\u{${unit.toString(16)}}`;
  });
}
