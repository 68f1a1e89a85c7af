import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canMount, type Filesystem, loopMount } from './loop-mount.js';

describe.each<Filesystem>(['ext4', 'xfs', 'btrfs'])('a crash of %s', (fs) => {
  it.skipIf(!canMount(fs))('keeps what was synced, loses what was not, and leaves nothing behind', () => {
    const mount = loopMount(fs);
    try {
      const kept = join(mount.dir, 'kept');
      writeFileSync(kept, 'kept');
      const fd = openSync(kept, 'r');
      fsyncSync(fd);
      closeSync(fd);
      writeFileSync(join(mount.dir, 'lost'), 'lost');
      mount.crash();
      mount.remount();
      expect(readFileSync(kept, 'utf8')).toBe('kept');
      expect(existsSync(join(mount.dir, 'lost'))).toBe(false);
    } finally {
      mount[Symbol.dispose]();
    }
    expect(existsSync(mount.image)).toBe(false);
    expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(mount.dir);
  });
});
