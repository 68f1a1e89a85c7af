// Filesystems of one's own, on loop-mounted sparse images: real ext4, xfs and btrfs, small and full if need be, that can crash.

import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, existsSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type Filesystem = 'ext4' | 'xfs' | 'btrfs';

/** Can this machine make and mount `fs`? For `it.skipIf(!canMount('xfs'))('… on xfs')`. */
export function canMount(fs: Filesystem): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  known[fs] ??= tryIt(fs);
  return known[fs];
}
const known: Partial<Record<Filesystem, boolean>> = {};

function tryIt(fs: Filesystem): boolean {
  try {
    loopMount(fs)[Symbol.dispose]();
    return true;
  } catch {
    return false;
  }
}

export interface LoopMount {
  /** Where it is mounted. */
  readonly dir: string;
  readonly image: string;
  /**
   * The machine loses power: nothing reaches the image from now on that has not yet. Follow it by `remount()`.
   * xfs and ext4 are shut down in place (`flushLog` keeps what the journal has in memory); of btrfs the image is copied as it is.
   */
  crash(flushLog?: boolean): void;
  /** Unmounts and mounts again: after a crash, what a reboot would find. */
  remount(options?: string): void;
  [Symbol.dispose](): void;
}

/** Bytes that mkfs needs at least, in MiB. */
const least: Record<Filesystem, number> = { ext4: 16, xfs: 300, btrfs: 128 };

/** Mounts a new filesystem of `sizeMiB` (raised to what mkfs needs). Unmounted and removed by `using`, or at the end of the process. */
export function loopMount(fs: Filesystem, sizeMiB = 0, options = ''): LoopMount {
  sweep();
  const home = mkdtempSync(join(tmpdir(), `sluice-${fs}-${process.pid}-`));
  let image = join(home, 'image');
  const dir = join(home, 'mnt');
  mkdirSync(dir);
  const fd = openSync(image, 'w');
  ftruncateSync(fd, Math.max(sizeMiB, least[fs]) * 2 ** 20);
  closeSync(fd);
  let mounted = false;
  let crashed: string | undefined;
  let crashes = 0;

  const mount = (extra: string) => {
    run('mount', ['-o', ['loop', extra].filter(Boolean).join(','), image, dir]);
    mounted = true;
  };
  const unmount = () => {
    if (mounted) run('umount', [dir]);
    mounted = false;
  };
  const dispose = () => {
    process.off('exit', dispose);
    // Lazily where something still holds it: the loop device goes with the last user.
    if (mounted && spawnSync('umount', [dir]).status !== 0) spawnSync('umount', ['-l', dir]);
    mounted = false;
    rmSync(home, { recursive: true, force: true });
  };
  process.on('exit', dispose);
  try {
    const quick = { ext4: ['-q', '-F'], xfs: ['-q', '-f'], btrfs: ['-q', '-f'] }[fs];
    run(`mkfs.${fs}`, [...quick, image]);
    mount(options);
  } catch (error) {
    dispose();
    throw error;
  }
  return {
    dir,
    get image() {
      return image;
    },
    crash(flushLog = false) {
      if (fs === 'btrfs') {
        crashed = join(home, `crashed-${++crashes}`);
        run('cp', ['--sparse=always', image, crashed]);
      } else {
        run('xfs_io', ['-x', '-c', flushLog ? 'shutdown -f' : 'shutdown', dir]);
      }
    },
    remount(extra = options) {
      unmount();
      if (crashed !== undefined) {
        rmSync(image);
        image = crashed;
        crashed = undefined;
      }
      mount(extra);
    },
    [Symbol.dispose]: dispose,
  };
}

let swept = false;

/** What a test process that was killed has left mounted. */
function sweep(): void {
  if (swept) return;
  swept = true;
  for (const name of readdirSync(tmpdir())) {
    const pid = /^sluice-(?:ext4|xfs|btrfs)-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    spawnSync('umount', ['-l', join(tmpdir(), name, 'mnt')]);
    rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function run(command: string, args: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
}
