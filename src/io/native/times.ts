// Times to the nanosecond, before 1970 too, of files and of links themselves.

import { cString } from './c-string.js';
import type { Libc } from './libc.js';

export interface Times {
  /**
   * utimensat(2) and futimens(3): set the times, in ns since 1970 (negative before it); undefined leaves one as it is. A path's
   * last symlink is not followed; it's relative to `directory` (a descriptor) if that is given. The filesystem rounds down to what it can keep.
   */
  set(
    target: number | string | Uint8Array,
    accessed: bigint | undefined,
    modified: bigint | undefined,
    directory?: number,
  ): void;
}

const second = 1_000_000_000n;
const omit = 0x3fff_fffen;
const here = -100;
const noFollow = 0x100;

export function times(libc: Libc): Times {
  const c = libc.functions({
    futimens: { args: ['int', 'void *'] },
    utimensat: { args: ['int', 'void *', 'void *', 'int'] },
  });
  const pair = Buffer.alloc(32);

  function write(at: number, time: bigint | undefined): void {
    const nanoseconds = time === undefined ? omit : ((time % second) + second) % second;
    pair.writeBigInt64LE(time === undefined ? 0n : (time - nanoseconds) / second, at);
    pair.writeBigInt64LE(nanoseconds, at + 8);
  }

  return {
    set(target, accessed, modified, directory = here) {
      write(0, accessed);
      write(16, modified);
      if (typeof target === 'number') {
        if (c.futimens(target, pair) < 0) throw libc.error('futimens');
      } else if (c.utimensat(directory, cString(target), pair, noFollow) < 0) {
        throw libc.error('utimensat', target);
      }
    },
  };
}
