// A shell command that is shown a file, and says by its exit status whether the file is good.

import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { spawnable } from './child-arguments.js';
import type { Ended } from './child-output.js';
import { fsPath } from './path.js';
import { killTree } from './process-tree.js';
import { whileUnfinished } from './unfinished.js';

/**
 * Run `line` by `sh -c`, every `{}` in it standing for the name `path`; the file is its stdin too. Its stdout goes to our
 * stderr: ours carries records, or data.
 */
export async function checkFile(line: string, path: string): Promise<Ended> {
  const { spawn } = await import('node:child_process');
  // No name is taken for an option.
  const name = path.startsWith('-') ? `./${path}` : path;
  const [file, ...args] = spawnable(['/bin/sh', '-c', scriptOf(line, name), 'sh', name]);
  const stdin = openSync(fsPath(path), 'r');
  try {
    const child = spawn(file!, args, { stdio: [stdin, 2, 2] });
    const finished = whileUnfinished((signal) => child.pid !== undefined && killTree(child.pid, signal));
    return await new Promise<Ended>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (status, signal) => {
        finished();
        resolve(
          signal ? { status: 128 + constants.signals[signal], signal } : { status: status ?? 1, signal: undefined },
        );
      });
    });
  } finally {
    closeSync(stdin);
  }
}

/**
 * A name without a character that means something to anybody stands there as it is, in whatever quotes (`python3 -c
 * 'open("{}")'`). Any other is an argument, which no shell takes for code; braces in quotes of their own are bare ones then.
 */
function scriptOf(line: string, name: string): string {
  if (/^[\w./+,:@%=-]+$/.test(name)) return line.replaceAll('{}', name);
  return line.replace(/"\{\}"|'\{\}'|\{\}/g, '"$1"');
}
