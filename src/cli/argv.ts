// The arguments as they were given, byte for byte, as paths (src/io/path.ts).

import { readFileSync } from 'node:fs';
import { decodePath } from '../io/path.js';

/**
 * `process.argv` after the script's name. Node decodes arguments as UTF-8 and puts U+FFFD for what is not; the kernel
 * still has the bytes.
 */
export function givenArguments(argv: readonly string[] = process.argv): string[] {
  const given = argv.slice(2);
  if (!given.some((argument) => argument.includes('\ufffd'))) return given;
  try {
    const all = splitNul(readFileSync('/proc/self/cmdline'));
    // Node's own options stand before the script; ours are the last ones.
    return all.slice(all.length - given.length).map(decodePath);
  } catch {
    return given; // no /proc: names that are not UTF-8 cannot be told apart here
  }
}

function splitNul(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let from = 0, to: number; from < bytes.length; from = to + 1) {
    to = bytes.indexOf(0, from);
    if (to < 0) to = bytes.length;
    parts.push(bytes.subarray(from, to));
  }
  return parts;
}
