// inotify(7) with the events that Node's fs.watch leaves out: who opens a file, and who closes it after writing.
// The queue is read with fs.readSync; nothing wakes its reader, so this is for asking what has happened, not for waiting.

import { cString } from './c-string.js';
import type { Libc } from './libc.js';

export interface Watching {
  /** A new queue: its descriptor, which never blocks. Throws EMFILE where the user has too many. */
  create(): number;
  /** Watch an inode; gives the number that its events carry. The same inode again gives the same number. Throws ENOSPC at the limit. */
  add(queue: number, path: string, mask: number): number;
  /** Ends it. What is queued stays queued. */
  remove(queue: number, watch: number): void;
}

/** struct inotify_event: int wd; uint32 mask, cookie, len; then `len` bytes of a name. */
export const watchEvent = { modify: 0x2, closeWrite: 0x8, closeNoWrite: 0x10, open: 0x20, overflow: 0x4000, size: 16 };

const flags = 0o2004000; // IN_NONBLOCK, IN_CLOEXEC

export function watching(libc: Libc): Watching {
  const c = libc.functions({
    inotify_init1: { args: ['int'] },
    inotify_add_watch: { args: ['int', 'void *', 'uint'] },
    inotify_rm_watch: { args: ['int', 'int'] },
  });
  return {
    create() {
      const queue = c.inotify_init1(flags);
      if (queue < 0) throw libc.error('inotify_init1');
      return queue;
    },
    add(queue, path, mask) {
      const watch = c.inotify_add_watch(queue, cString(path), mask);
      if (watch < 0) throw libc.error('inotify_add_watch', path);
      return watch;
    },
    // It fails where the file is gone, and the watch with it.
    remove: (queue, watch) => void c.inotify_rm_watch(queue, watch),
  };
}
