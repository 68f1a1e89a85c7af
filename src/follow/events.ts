// The kernel's word that something has changed: a hint to look, never a fact. Where it can't be had, looking at
// intervals does the same, later.

import { type FSWatcher, statfsSync, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { isSystemError } from '../io/failure.js';
import { fsPath } from '../io/path.js';

/** File systems that other machines write to, unseen by our kernel (statfs(2) magic numbers; GNU's tail has such a list too). */
const remote = new Map([
  [0x6969, 'nfs'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb2'],
  [0x517b, 'smb'],
  [0x65735546, 'fuse'],
  [0x01021997, '9p'],
  [0x00c36400, 'ceph'],
  [0x5346414f, 'afs'],
  [0x01161970, 'gfs2'],
  [0x7461636f, 'ocfs2'],
  [0x0bd00bd0, 'lustre'],
  [0x786f4256, 'vboxsf'],
  [0x564c, 'ncp'],
  [0x47504653, 'gpfs'],
  [0x61756673, 'aufs'],
]);

/** The remote file system that `path` is on, by name; undefined for a local one. */
export function remoteFilesystem(path: string): string | undefined {
  try {
    return remote.get(Number(statfsSync(fsPath(path)).type) >>> 0);
  } catch {
    return undefined;
  }
}

/** Watches one open file, whatever it is called now. Throws the system's error (ENOSPC: no watches left, EMFILE …). */
export function watchDescriptor(fd: number, name: string, changed: () => void): () => void {
  // Through /proc the watch is on the very inode that is open; a name could lead to another one by now.
  let watcher: FSWatcher;
  try {
    watcher = watch(`/proc/self/fd/${fd}`, { persistent: false }, changed);
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error;
    watcher = watch(fsPath(name), { persistent: false }, changed);
  }
  watcher.on('error', () => {});
  return () => watcher.close();
}

/**
 * Watches what a name leads to: changes of its entry in its directory. While the directory is not there, the nearest
 * one above it that is. `refresh` looks whether it is still the same directory, and is cheap enough for every look.
 */
export class NameWatch {
  #name: string;
  #changed: (kind: 'content' | 'name') => void;
  #watcher: FSWatcher | undefined;
  #watched: { path: string; dev: bigint; ino: bigint } | undefined;

  constructor(name: string, changed: (kind: 'content' | 'name') => void) {
    this.#name = name;
    this.#changed = changed;
  }

  /** Throws the system's error where no watch is to be had. */
  refresh(): void {
    const wanted = dirname(this.#name);
    for (;;) {
      const nearest = nearestDirectory(wanted);
      const now = this.#watched;
      if (!nearest || (now && now.path === nearest.path && now.dev === nearest.dev && now.ino === nearest.ino)) return;
      this.close();
      this.#arm(nearest.path, nearest.path === wanted);
      this.#watched = nearest;
      // Again: a directory below may have been made just before the watch was there to tell of it.
    }
  }

  #arm(path: string, direct: boolean): void {
    const entry = Buffer.from(fsPath(basename(this.#name)));
    const self = Buffer.from(fsPath(basename(path)));
    this.#watcher = watch(fsPath(path), { persistent: false, encoding: 'buffer' }, (type, name) => {
      if (direct && name !== null && !entry.equals(name) && !self.equals(name)) return;
      this.#changed(type === 'change' ? 'content' : 'name');
    });
    this.#watcher.on('error', () => {});
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#watched = undefined;
  }
}

function nearestDirectory(wanted: string): { path: string; dev: bigint; ino: bigint } | undefined {
  for (let path = wanted; ; path = dirname(path)) {
    const stat = statSync(fsPath(path), { bigint: true, throwIfNoEntry: false });
    if (stat) return { path, dev: stat.dev, ino: stat.ino };
    if (path === dirname(path)) return undefined;
  }
}
