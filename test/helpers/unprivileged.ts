// The command as somebody who may do little: `nobody`, with a copy of the built command that he can read.

import { chmodSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { command, type Ended, isRoot, type RunOptions, root } from './sluice.js';

export const nobody = { uid: 65534, gid: 65534 };

let place: string | undefined;

afterAll(() => {
  if (place) rmSync(place, { recursive: true, force: true });
  place = undefined;
});

/** The built command where anybody can read it. */
export function publicBin(): string {
  if (!place) {
    place = mkdtempSync(join(tmpdir(), 'sluice-public-'));
    chmodSync(place, 0o755);
    // Not V8's compiled code: other tests' commands are writing it.
    const code = join(root, 'dist/cli/code');
    for (const name of ['bin', 'dist', 'package.json'])
      cpSync(join(root, name), join(place, name), { recursive: true, filter: (from) => from !== code });
    for (const name of ['koffi', '@koromix']) {
      cpSync(join(root, 'node_modules', name), join(place, 'node_modules', name), {
        recursive: true,
        dereference: true,
      });
    }
  }
  return join(place, 'bin/sluice.js');
}

/** `sluice ARGS` as nobody; needs root to become him. */
export function asNobody(args: string[], options: RunOptions = {}): Promise<Ended> {
  if (!isRoot) throw new Error('only root can become nobody');
  return command(process.execPath, [publicBin(), ...args], { ...options, ...nobody });
}
