// `sluice flush`: files that exist already, their names, directories and whole trees reach stable storage, several at a
// time; and what cannot be promised is told.

import { type Dirent, lstatSync, opendirSync, type Stats, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type Durability, fsyncPath, storageOf, syncFilesystem } from '../io/durability.js';
import { failure, isSystemError, type SluiceError } from '../io/failure.js';
import { decodePath, fsPath, realPath } from '../io/path.js';
import type { Context, Outcome } from './context.js';

export interface FlushOptions {
  paths: string[];
  /** Content alone of files, without times and modes (fdatasync). */
  data: boolean;
  recursive: boolean;
  /** All of the file systems that the paths are on (syncfs). */
  filesystem: boolean;
}

/** One thing to be flushed. `name`: a directory that holds an operand's name. */
interface Item {
  path: string;
  kind: 'file' | 'directory' | 'name';
  dev: number;
  /** It was met on a walk, not asked for by name: if it is gone by now, there is nothing to save. */
  found?: boolean;
}

/** As many at a time: a journal writes the commits of all who wait at once. */
const jobs = 16;

export async function flush(options: FlushOptions, context: Context): Promise<Outcome> {
  const started = performance.now();
  const state = new Flush(options, context);
  const work = options.filesystem ? state.eachFilesystem() : state.eachItem();
  await Promise.all(Array.from({ length: jobs }, () => state.work(work)));
  state.tellPromises();
  const { files, directories, filesystems, errors } = state;
  const counts = options.filesystem ? { filesystems } : { files, directories };
  context.record({ type: 'summary', ...counts, errors, elapsedMs: Math.round(performance.now() - started) });
  return errors > 0 ? 'failed' : state.unconfirmed > 0 ? 'undurable' : 'done';
}

class Flush {
  files = 0;
  directories = 0;
  filesystems = 0;
  errors = 0;
  unconfirmed = 0;
  #options: FlushOptions;
  #context: Context;
  /** Directories done or in work, by name as resolved: many files share one. */
  #seen = new Set<string>();
  /** Directories whose entries are done, by identity: operands may lie in each other. */
  #walked = new Set<string>();
  /** What each file system (by device) promises, with a path on it. */
  #promises = new Map<number, { durability: Durability; path: string }>();

  constructor(options: FlushOptions, context: Context) {
    this.#options = options;
    this.#context = context;
  }

  /** Takes from `work`, which several share, until nothing is left. */
  async work(work: Iterator<Item>): Promise<void> {
    for (let next = work.next(); !next.done; next = work.next()) await this.#one(next.value);
  }

  async #one({ path, kind, dev, found }: Item): Promise<void> {
    const { filesystem, data } = this.#options;
    const method = filesystem ? 'syncfs' : data && kind === 'file' ? 'fdatasync' : 'fsync';
    try {
      if (filesystem) await syncFilesystem(path);
      else await fsyncPath(path, kind === 'file' ? 'file' : 'directory', data);
    } catch (error) {
      if (found && isSystemError(error, 'ENOENT')) return;
      const told = failure(error, { path, state: 'it may not survive a power cut' });
      if (kind !== 'name') this.#failed(told);
      else {
        this.unconfirmed++;
        const what = [told.code, told.syscall].filter(Boolean).join(', ');
        const message = `${told.message} (${what}) — names in it may not survive a power cut`;
        this.#context.warn(message, { path, code: told.code ?? 'ERR_DURABILITY' });
      }
      return;
    }
    if (filesystem) this.filesystems++;
    else if (kind === 'file') this.files++;
    else this.directories++;
    const { durability } = this.#promise(dev, path);
    this.#context.record({ type: 'flushed', path, kind: kind === 'name' ? 'directory' : kind, method, durability });
    this.#context.progress({ bytes: 0, files: this.files + this.directories, name: path });
  }

  *eachItem(): Generator<Item> {
    for (const operand of this.#options.paths) {
      const there = this.#look(operand);
      if (!there) continue;
      const { path, stat } = there;
      if (stat.isDirectory()) {
        yield* this.#directory(path, stat.dev, 'directory');
        if (this.#options.recursive) yield* this.#below(path, stat);
      } else if (stat.isFile() || stat.isBlockDevice()) yield { path, kind: 'file', dev: stat.dev };
      // The name: where the file is, and, for a symlink, where the link is too.
      yield* this.#directory(dirname(path), stat.dev, 'name');
      if (path !== operand) yield* this.#directory(dirname(operand), stat.dev, 'name');
    }
  }

  *eachFilesystem(): Generator<Item> {
    const devices = new Set<number>();
    for (const operand of this.#options.paths) {
      const there = this.#look(operand);
      if (!there || devices.has(there.stat.dev)) continue;
      devices.add(there.stat.dev);
      // Of a FIFO or a device it is the directory's file system that is meant.
      const { path, stat } = there;
      const on = stat.isFile() || stat.isDirectory() ? path : dirname(path);
      yield { path: on, kind: 'directory', dev: stat.dev };
    }
  }

  /** An operand, symlinks followed. A link that leads nowhere is a name, and nothing else. */
  #look(operand: string): { path: string; stat: Stats } | undefined {
    try {
      const link = lstatSync(fsPath(operand));
      if (!link.isSymbolicLink()) return { path: operand, stat: link };
      const stat = statSync(fsPath(operand), { throwIfNoEntry: false });
      if (!stat) return { path: operand, stat: link };
      return { path: realPath(operand), stat };
    } catch (error) {
      this.#failed(failure(error, { path: operand, state: 'it was not flushed' }));
      return undefined;
    }
  }

  *#directory(path: string, dev: number, kind: 'directory' | 'name'): Generator<Item> {
    let resolved: string;
    try {
      resolved = realPath(path);
    } catch (error) {
      this.#failed(failure(error, { path, state: 'it was not flushed' }));
      return;
    }
    // `.` and `..` have their names elsewhere.
    if (kind === 'directory' && /^\.{0,2}$/.test(basename(path))) path = resolved;
    if (this.#seen.has(resolved)) return;
    this.#seen.add(resolved);
    yield { path, kind, dev };
  }

  /** Everything below a directory; symlinks in it are its entries, and are not followed. */
  *#below(path: string, { dev, ino }: Stats): Generator<Item> {
    if (this.#walked.has(`${dev}:${ino}`)) return;
    this.#walked.add(`${dev}:${ino}`);
    let entries: ReturnType<typeof opendirSync>;
    try {
      entries = opendirSync(fsPath(path), { encoding: 'buffer' as BufferEncoding });
    } catch (error) {
      this.#failed(failure(error, { path, state: 'what is in it was not flushed' }));
      return;
    }
    const parent = path.endsWith('/') ? path : `${path}/`;
    try {
      for (let entry: Dirent | null = entries.readSync(); entry; entry = entries.readSync()) {
        const below = parent + decodePath(entry.name as unknown as Buffer);
        const stat = lstatSync(fsPath(below), { throwIfNoEntry: false });
        if (stat?.isFile()) yield { path: below, kind: 'file', dev: stat.dev, found: true };
        if (!stat?.isDirectory()) continue;
        yield* this.#directory(below, stat.dev, 'directory');
        yield* this.#below(below, stat);
      }
    } catch (error) {
      this.#failed(failure(error, { path, state: 'what is in it was not flushed' }));
    } finally {
      entries.closeSync();
    }
  }

  #failed(error: SluiceError): void {
    this.errors++;
    this.#context.fail(error);
  }

  #promise(dev: number, path: string): { durability: Durability; path: string } {
    let promise = this.#promises.get(dev);
    if (!promise) {
      promise = { durability: storageOf(path), path };
      this.#promises.set(dev, promise);
    }
    return promise;
  }

  /** Once for each file system. */
  tellPromises(): void {
    for (const { durability, path } of this.#promises.values()) {
      if (durability === 'volatile')
        this.#context.warn('this file system is in memory: nothing on it survives a power cut', {
          path,
          code: 'ERR_VOLATILE',
        });
      else if (durability === 'unknown')
        this.#context.warn('what this file system keeps over a power cut cannot be told from here', {
          path,
          code: 'ERR_DURABILITY',
        });
    }
  }
}
