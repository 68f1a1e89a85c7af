// Arguments of a child, byte for byte. Node passes strings on as UTF-8; those that stand for other bytes (path.ts) go
// through a shell, which makes the bytes from octal numbers.

import { encodePath } from './path.js';

/** The words to give to spawn(3) so that the child gets `argv`. */
export function spawnable(argv: string[]): string[] {
  if (argv.every((argument) => argument.isWellFormed())) return argv;
  // The x keeps newlines at a word's end, which $() would take off.
  const words = argv.map((argument) => `"$(printf '${octal(argument)}x')"`).join(' ');
  return ['/bin/sh', '-c', `set -- ${words}; for a; do shift; set -- "$@" "\${a%x}"; done; exec "$@"`, 'sh'];
}

const octal = (text: string): string =>
  [...encodePath(text)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
