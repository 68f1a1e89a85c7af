// A whole new tree that has no name yet, beside the place where it will be: locked for as long as somebody makes it, so that what
// a killed run has left behind can be told from it, and goes.

import { readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { isSystemError } from '../io/failure.js';
import { native } from '../io/native.js';
import { decodePath, fsPath } from '../io/path.js';
import { tempBase } from '../io/temp-name.js';
import { NewDirectory } from './new-directory.js';
import { type Place, places } from './place.js';
import { removeTree } from './remove-tree.js';

export interface UnnamedRoot {
  made: NewDirectory;
  /** Closes it; if it has no name by now, it goes. */
  close(): void;
}

/** Where native calls are. `path` has no slash at its end. */
export function unnamedRoot(path: string, mode: number): UnnamedRoot {
  removeLeftovers(path);
  const above = places().openRoot(dirname(path));
  try {
    for (;;) {
      const made = tryMake(() => above, basename(path), mode);
      if (!made) continue;
      const close = () => {
        made.remove();
        places().close(made.place);
      };
      // Else another run took it for a leftover, in the moment before it was locked.
      if (lockDirectory(made.place) !== 'by another' && places().statOpen(made.place.fd).nlink > 0)
        return {
          made,
          close() {
            close();
            places().close(above);
          },
        };
      close();
    }
  } catch (error) {
    places().close(above);
    throw error;
  }
}

/** null: another run took it for a leftover before it was open. */
function tryMake(above: () => Place, name: string, mode: number): NewDirectory | null {
  try {
    return NewDirectory.make(above, name, mode);
  } catch (error) {
    if (isSystemError(error, 'ENOENT') && (error as NodeJS.ErrnoException).syscall === 'open') return null;
    throw error;
  }
}

/**
 * By us, nobody takes it for a leftover for as long as this descriptor is open. Not at all where the file system locks no directories,
 * as NFS: there nobody takes anything for a leftover.
 */
export function lockDirectory({ fd }: Place): 'by us' | 'by another' | 'not at all' {
  try {
    return native()?.files.tryLock(fd, 'exclusive') === false ? 'by another' : 'by us';
  } catch {
    return 'not at all';
  }
}

/** New trees of runs that were killed, and old ones that they had not removed yet: those that nobody holds locked. */
export function removeLeftovers(path: string): void {
  if (!native()) return;
  const above = places().openRoot(dirname(path));
  try {
    for (const bytes of readdirSync(fsPath(dirname(path)), { encoding: 'buffer' })) {
      const name = decodePath(bytes);
      if (tempBase(name) !== basename(path) || places().stat(above, name)?.kind !== 'directory') continue;
      const place = openIfThere(above, name);
      if (!place) continue;
      try {
        if (lockDirectory(place) === 'by us') removeTree(`${dirname(path)}/${name}`);
      } finally {
        places().close(place);
      }
    }
  } finally {
    places().close(above);
  }
}

/** null: it has its own name by now, or is gone. */
function openIfThere(above: Place, name: string): Place | null {
  try {
    return places().openPlace(above, name, false);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return null;
    throw error;
  }
}
