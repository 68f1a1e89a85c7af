// BytesIO: a file in memory. It grows as it is written; a view of its memory holds its size until it is released.
import { type Bytes, bytesOf } from './bytes.js';
import { BufferError, closedError, invalidArgument, UnsupportedOperation } from './errors.js';
import { sizeOf } from './sizes.js';

/** A live view of a BytesIO's memory. Release it: until then the BytesIO cannot change its size. */
export type BytesView = Uint8Array & Disposable & { release(): void };

const NEWLINE = 10;

export class BytesIO implements Iterable<Buffer> {
  #memory: Buffer | null;
  #size: number;
  #pos = 0;
  #views = 0;

  /** A file with the bytes of `initial` (copied), the position at its start. */
  constructor(initial?: Bytes) {
    this.#memory = initial === undefined || initial === null ? Buffer.alloc(0) : Buffer.from(bytesOf(initial));
    this.#size = this.#memory.length;
  }

  #open(): Buffer {
    if (this.#memory === null) throw closedError();
    return this.#memory;
  }

  #checkViews(): void {
    if (this.#views > 0) throw new BufferError('views of the memory are out: it cannot be resized');
  }

  #take(size: number): Buffer {
    const memory = this.#open();
    const from = Math.min(this.#pos, this.#size);
    const to = size < 0 || size > this.#size - from ? this.#size : from + size;
    if (to > from) this.#pos = to;
    return Buffer.from(memory.subarray(from, to));
  }

  /** Reads `size` bytes, -1 = to the end. Empty = end of file. */
  read(size?: number | null): Buffer {
    this.#open();
    return this.#take(sizeOf(size));
  }

  read1(size?: number | null): Buffer {
    return this.read(size);
  }

  readAll(): Buffer {
    return this.read(-1);
  }

  /** Fills `view` as far as there are bytes: their count, 0 = end of file. */
  readInto(view: Bytes): number {
    const memory = this.#open();
    const into = bytesOf(view);
    const count = Math.max(0, Math.min(into.length, this.#size - this.#pos));
    into.set(memory.subarray(this.#pos, this.#pos + count));
    this.#pos += count;
    return count;
  }

  readInto1(view: Bytes): number {
    return this.readInto(view);
  }

  /** Length of the line at the position, newline included. */
  #lineLength(limit: number): number {
    const memory = this.#open();
    if (this.#pos >= this.#size) return 0;
    const at = memory.indexOf(NEWLINE, this.#pos);
    const length = (at === -1 || at >= this.#size ? this.#size : at + 1) - this.#pos;
    return limit >= 0 && length > limit ? limit : length;
  }

  /** The next line, newline included, at most `limit` bytes of it. Empty = end of file. */
  readLine(limit?: number | null): Buffer {
    return this.#take(this.#lineLength(sizeOf(limit)));
  }

  /** Lines until there are at least `hint` bytes of them; -1 = all. */
  readLines(hint?: number | null): Buffer[] {
    const most = sizeOf(hint);
    this.#open();
    const lines: Buffer[] = [];
    let total = 0;
    for (let length = this.#lineLength(-1); length > 0; length = this.#lineLength(-1)) {
      lines.push(this.#take(length));
      total += length;
      if (most > 0 && total >= most) break;
    }
    return lines;
  }

  *[Symbol.iterator](): IterableIterator<Buffer> {
    for (let line = this.readLine(); line.length > 0; line = this.readLine()) yield line;
  }

  /** Writes all of `data` at the position, with zeros before it where that is past the end; gives its length. */
  write(data: Bytes): number {
    this.#open();
    this.#checkViews();
    const from = bytesOf(data);
    if (from.length === 0) return 0;
    const end = this.#pos + from.length;
    const memory = this.#room(end);
    if (this.#pos > this.#size) memory.fill(0, this.#size, this.#pos);
    memory.set(from, this.#pos);
    this.#pos = end;
    if (end > this.#size) this.#size = end;
    return from.length;
  }

  #room(size: number): Buffer {
    let memory = this.#memory!;
    if (size > memory.length) {
      const larger = Buffer.allocUnsafeSlow(
        Math.max(size, Math.min(memory.length * 2, memory.length + (64 << 20)), 64),
      );
      memory.copy(larger, 0, 0, this.#size);
      this.#memory = memory = larger;
    }
    return memory;
  }

  /** `write` for each item. */
  writeLines(lines: Iterable<Bytes>): void {
    this.#open();
    for (const line of lines) this.write(line);
  }

  /** Moves to `offset` from the start (whence 0), the position (1) or the end (2), never before the start. */
  seek(offset: number, whence = 0): number {
    this.#open();
    if (!Number.isSafeInteger(offset)) throw invalidArgument('an offset is a whole number');
    if (whence !== 0 && whence !== 1 && whence !== 2)
      throw invalidArgument(`invalid whence (${whence}, should be 0, 1 or 2)`);
    if (whence === 0 && offset < 0) throw invalidArgument(`negative seek value ${offset}`);
    const target = Math.max(0, offset + (whence === 0 ? 0 : whence === 1 ? this.#pos : this.#size));
    if (!Number.isSafeInteger(target)) throw invalidArgument('new position too large');
    this.#pos = target;
    return target;
  }

  tell(): number {
    this.#open();
    return this.#pos;
  }

  /** Cuts off what is behind `size` (default: the position); never makes it longer. The position stays. */
  truncate(size?: number | null): number {
    this.#open();
    this.#checkViews();
    const length = size ?? this.#pos;
    if (!Number.isInteger(length)) throw invalidArgument('a size is a whole number');
    if (length < 0) throw invalidArgument(`negative size value ${length}`);
    if (length < this.#size) this.#size = length;
    return length;
  }

  /** A copy of all bytes, whatever the position. */
  getValue(): Buffer {
    return Buffer.from(this.#open().subarray(0, this.#size));
  }

  /** The memory itself, live in both directions. Writing and truncating throw `BufferError` until every view is released. */
  getBuffer(): BytesView {
    const memory = this.#open();
    const view = new Uint8Array(memory.buffer, memory.byteOffset, this.#size);
    this.#views += 1;
    let held = true;
    const release = (): void => {
      if (held) this.#views -= 1;
      held = false;
    };
    Object.defineProperty(view, 'release', { value: release });
    Object.defineProperty(view, Symbol.dispose, { value: release });
    return view as BytesView;
  }

  /** Bytes in memory. */
  get size(): number {
    this.#open();
    return this.#size;
  }

  flush(): void {
    this.#open();
  }

  /** Lets go of the memory; throws `BufferError` while views are out. */
  close(): void {
    this.#checkViews();
    this.#memory = null;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  get closed(): boolean {
    return this.#memory === null;
  }

  readable(): boolean {
    this.#open();
    return true;
  }

  writable(): boolean {
    this.#open();
    return true;
  }

  seekable(): boolean {
    this.#open();
    return true;
  }

  isatty(): boolean {
    this.#open();
    return false;
  }

  /** Not for memory. */
  fileno(): number {
    throw new UnsupportedOperation('fileno');
  }

  /** Not for memory. */
  detach(): never {
    throw new UnsupportedOperation('detach');
  }
}
