// FileIO: the raw layer over a descriptor. One system call a call, no buffer; short counts are passed on, EAGAIN is null.
// The position is the descriptor's own until someone seeks, so that a descriptor shared with other programs moves as
// theirs does; Node has no lseek, so after a seek it is kept here and given to pread and pwrite.
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Bytes, bytesOf } from './bytes.js';
import { closedError, invalidArgument, systemError, UnsupportedOperation } from './errors.js';
import { type Access, checkFileArguments, type FileName, type FileOptions, openedBy, parseRawMode } from './opening.js';
import { fsPath } from './path.js';
import { hasPosition, ownOffset, sizeOfOpen } from './position.js';
import type { RawIO } from './raw.js';
import { sizeOf } from './sizes.js';
import { isTerminal } from './terminal.js';

/** What read(2) and write(2) of Linux move at most in one call, in bytes. */
const MOST_AT_ONCE = 0x7ffff000;

export class FileIO implements RawIO {
  /** What was opened, as given; a URL as its path. */
  readonly name: string | Buffer | number;
  readonly closefd: boolean;
  /** The file system's preferred size of reads and writes (st_blksize), in bytes. */
  readonly blockSize: number;
  #fd: number;
  readonly #access: Access;
  /** The position in bytes, or -1: ask the kernel. */
  #offset: number;
  /** Is the descriptor's own offset our position? Else `#offset` is given to every read and write. */
  #follows = true;
  /** null = not asked yet. */
  #seekable: boolean | null = null;
  readonly #regular: boolean;

  /**
   * Opens `file`. Modes: `r` (must exist), `w` (made or emptied), `x` (must not exist), `a` (every write goes to the
   * end), each with `+` for both directions; `b` is allowed and means nothing. A directory throws EISDIR. A descriptor
   * is taken as it is, and closed by `close()` unless `closefd` is false.
   */
  constructor(file: FileName, mode = 'r', options: FileOptions = {}) {
    this.#access = parseRawMode(mode);
    checkFileArguments(file, options);
    this.closefd = options.closefd ?? true;
    this.name = file instanceof URL ? fileURLToPath(file) : file;
    if (typeof file === 'number') {
      this.#fd = file;
      this.#offset = -1;
    } else {
      this.#fd = this.#open(file, options.opener);
      this.#offset = options.opener ? -1 : 0;
    }
    try {
      const stat = fstatSync(this.#fd);
      if (stat.isDirectory()) throw systemError('EISDIR', 'open');
      this.#regular = stat.isFile();
      this.blockSize = stat.blksize > 1 ? stat.blksize : 8192;
      if (this.#access.appending && this.#regular) this.#place(stat.size);
    } catch (error) {
      if (typeof file !== 'number') closeSync(this.#fd);
      throw this.#told(error);
    }
  }

  #open(file: string | Buffer | URL, opener: FileOptions['opener']): number {
    const { flags } = this.#access;
    if (opener) return openedBy(opener, file, flags);
    const path = this.name as string | Buffer;
    try {
      return openSync(typeof path === 'string' ? fsPath(path) : path, flags, 0o666);
    } catch (error) {
      throw this.#told(error);
    }
  }

  /** An error with the path as it was given, whatever form `fs` was given. */
  #told(error: unknown): unknown {
    if (error instanceof Error && 'syscall' in error && typeof this.name !== 'number')
      Object.assign(error, { path: this.name });
    return error;
  }

  #check(): void {
    if (this.#fd < 0) throw closedError();
  }

  #checkReadable(): void {
    if (this.#fd < 0) throw closedError();
    if (!this.#access.readable) throw new UnsupportedOperation('file not open for reading');
  }

  #checkWritable(): void {
    if (this.#fd < 0) throw closedError();
    if (!this.#access.writable) throw new UnsupportedOperation('file not open for writing');
  }

  /** One read(2) into `view`: bytes read, 0 = end of file (or an empty view), null = would block. */
  readInto(view: Bytes): number | null {
    this.#checkReadable();
    const into = bytesOf(view);
    return this.#readAt(into, 0, into.length);
  }

  #readAt(into: Uint8Array, start: number, length: number): number | null {
    if (length === 0) return 0;
    if (length > MOST_AT_ONCE) length = MOST_AT_ONCE;
    for (;;) {
      try {
        const count = readSync(this.#fd, into, start, length, this.#follows ? null : this.#offset);
        if (this.#offset >= 0) this.#offset += count;
        return count;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EAGAIN') return null;
        if (code === 'EOF') return 0; // Windows: a standard input that its owner closed
        if (code !== 'EINTR') throw this.#told(error);
      }
    }
  }

  /** One read(2) of at most `size` bytes; a negative size reads to the end. Empty = end of file, null = would block. */
  read(size?: number | null): Buffer | null {
    this.#checkReadable();
    size = sizeOf(size);
    if (size < 0) return this.readAll();
    if (size > MOST_AT_ONCE) size = MOST_AT_ONCE;
    const buffer = size < 4096 ? Buffer.allocUnsafe(size) : Buffer.allocUnsafeSlow(size);
    const count = this.#readAt(buffer, 0, size);
    if (count === null) return null;
    // A few bytes must not hold a large block of memory alive.
    return count === size
      ? buffer
      : count < size >> 1
        ? Buffer.from(buffer.subarray(0, count))
        : buffer.subarray(0, count);
  }

  /** Reads to the end of file. null = would block before the first byte; after it, what has come so far is given. */
  readAll(): Buffer | null {
    this.#check(); // a descriptor that cannot be read says so itself: EBADF, as in CPython
    // One byte more than the file has left: the read that finds the end needs room to find it in.
    const left = this.#regular ? Math.max(0, fstatSync(this.#fd).size - this.tell()) : 0;
    let buffer = Buffer.allocUnsafeSlow(left > 0 ? left + 1 : 8192);
    let filled = 0;
    for (;;) {
      if (filled === buffer.length) {
        const larger = Buffer.allocUnsafeSlow(filled * 2);
        buffer.copy(larger);
        buffer = larger;
      }
      const count = this.#readAt(buffer, filled, buffer.length - filled);
      if (count === null && filled === 0) return null;
      if (count === null || count === 0) break;
      filled += count;
    }
    return filled < buffer.length >> 1 ? Buffer.from(buffer.subarray(0, filled)) : buffer.subarray(0, filled);
  }

  /** One write(2): bytes taken, which may be fewer than given; null = would block. */
  write(view: Bytes): number | null {
    this.#checkWritable();
    const from = bytesOf(view);
    if (from.length === 0) return 0;
    const length = Math.min(from.length, MOST_AT_ONCE);
    // With O_APPEND the kernel chooses the place, and leaves the descriptor's own offset behind what it wrote.
    const { appending } = this.#access;
    for (;;) {
      try {
        const count = writeSync(this.#fd, from, 0, length, this.#follows || appending ? null : this.#offset);
        if (appending) {
          this.#follows = true;
          this.#offset = -1;
        } else if (this.#offset >= 0) this.#offset += count;
        return count;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EAGAIN') return null;
        if (code !== 'EINTR') throw this.#told(error);
      }
    }
  }

  /** `write` for each item, as far as one call takes it. */
  writeLines(lines: Iterable<Bytes>): void {
    this.#check();
    for (const line of lines) this.write(line);
  }

  /** Moves to `offset` bytes from the start (whence 0), the position (1) or the end (2); gives the new position. */
  seek(offset: number, whence = 0): number {
    this.#check();
    if (!Number.isInteger(offset) || !Number.isInteger(whence)) throw invalidArgument('an offset is a whole number');
    if (!this.seekable()) throw systemError('ESPIPE', 'lseek');
    if (whence < 0 || whence > 2) throw systemError('EINVAL', 'lseek');
    const target = offset + (whence === 0 ? 0 : whence === 1 ? this.tell() : sizeOfOpen(this.#fd));
    if (target < 0 || !Number.isSafeInteger(target)) throw systemError('EINVAL', 'lseek');
    this.#place(target);
    return target;
  }

  #place(target: number): void {
    if (this.#follows && this.#offset < 0) this.#offset = ownOffset(this.#fd, this.#access.appending);
    if (this.#offset === target) return;
    this.#offset = target;
    this.#follows = false;
  }

  /** The position in bytes from the start; ESPIPE where there is none. */
  tell(): number {
    this.#check();
    if (!this.seekable()) throw systemError('ESPIPE', 'lseek');
    return this.#offset >= 0 ? this.#offset : ownOffset(this.#fd, this.#access.appending);
  }

  /** Makes the file `size` bytes long (default: the position); the position stays. Gives the size. */
  truncate(size?: number | null): number {
    this.#checkWritable();
    size ??= this.tell();
    if (!Number.isInteger(size)) throw invalidArgument('a size is a whole number');
    if (size < 0) throw systemError('EINVAL', 'ftruncate');
    try {
      ftruncateSync(this.#fd, size);
    } catch (error) {
      throw this.#told(error);
    }
    return size;
  }

  /** Nothing to do: there is no buffer here. Data reach the disk with `fsync`, see docs/io.md. */
  flush(): void {
    this.#check();
  }

  /** Closes the descriptor, unless `closefd` is false. Closed afterwards even if the system reports an error. */
  close(): void {
    if (this.#fd < 0) return;
    const fd = this.#fd;
    this.#fd = -1;
    if (this.closefd) closeSync(fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  get closed(): boolean {
    return this.#fd < 0;
  }

  fileno(): number {
    this.#check();
    return this.#fd;
  }

  isatty(): boolean {
    this.#check();
    return !this.#regular && isTerminal(this.#fd);
  }

  readable(): boolean {
    this.#check();
    return this.#access.readable;
  }

  writable(): boolean {
    this.#check();
    return this.#access.writable;
  }

  /** Can the position be set? A pipe, a socket and a terminal have none. */
  seekable(): boolean {
    this.#check();
    this.#seekable ??= this.#regular || hasPosition(this.#fd, this.#access.readable);
    return this.#seekable;
  }

  /** How it was opened, as Python spells it: `rb wb xb ab`, or with `+`; `w+` shows as `rb+`. */
  get mode(): string {
    const { created, appending, readable, writable } = this.#access;
    if (created) return readable ? 'xb+' : 'xb';
    if (appending) return readable ? 'ab+' : 'ab';
    return readable ? (writable ? 'rb+' : 'rb') : 'wb';
  }
}
