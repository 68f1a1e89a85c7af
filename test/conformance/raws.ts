// The two raw streams that traces bring along: a script of reads and writes, and a file in memory that is short with both.
import { constants } from 'node:os';

const code = (name: string, message = name): Error => Object.assign(new Error(message), { code: name });

export type Event = { b64: string } | { error: string } | null;

export abstract class TraceRaw {
  closed = false;
  data = Buffer.alloc(0);

  protected check(): void {
    if (this.closed) throw code('ERR_CLOSED');
  }

  abstract readInto(view: Uint8Array): number | null;
  abstract write(view: Uint8Array): number | null;
  abstract readable(): boolean;
  abstract writable(): boolean;

  read(size = -1): Buffer | null {
    if (size < 0) return this.readAll();
    const view = Buffer.alloc(size);
    const count = this.readInto(view);
    return count === null ? null : view.subarray(0, count);
  }

  readAll(): Buffer | null {
    const parts: Buffer[] = [];
    for (;;) {
      const view = Buffer.alloc(64);
      const count = this.readInto(view);
      if (count === null && parts.length === 0) return null;
      if (count === null || count === 0) return Buffer.concat(parts);
      parts.push(view.subarray(0, count));
    }
  }

  seekable(): boolean {
    this.check();
    return false;
  }

  seek(_offset: number, _whence = 0): number {
    this.check();
    throw code('ERR_UNSUPPORTED_OPERATION');
  }

  tell(): number {
    this.check();
    throw code('ERR_UNSUPPORTED_OPERATION');
  }

  truncate(_size?: number | null): number {
    this.check();
    throw code('ERR_UNSUPPORTED_OPERATION');
  }

  flush(): void {
    this.check();
  }

  close(): void {
    this.closed = true;
  }

  isatty(): boolean {
    this.check();
    return false;
  }

  fileno(): number {
    throw code('ERR_UNSUPPORTED_OPERATION');
  }
}

export class ScriptedRaw extends TraceRaw {
  readonly #reads: (Buffer | Event)[] | undefined;
  readonly #writes: (number | null | { error: string })[] | undefined;

  constructor(reads: Event[] | undefined, writes: (number | null | { error: string })[] | undefined) {
    super();
    this.#reads = reads?.map((event) => (event !== null && 'b64' in event ? Buffer.from(event.b64, 'base64') : event));
    this.#writes = writes && [...writes];
  }

  readable(): boolean {
    this.check();
    return this.#reads !== undefined;
  }

  writable(): boolean {
    this.check();
    return this.#writes !== undefined;
  }

  readInto(view: Uint8Array): number | null {
    this.check();
    if (this.#reads === undefined) throw code('ERR_UNSUPPORTED_OPERATION');
    const head = this.#reads[0];
    if (head === undefined) return 0;
    if (!Buffer.isBuffer(head)) return happen(this.#reads.shift() as null | { error: string });
    const count = Math.min(head.length, view.length);
    view.set(head.subarray(0, count));
    if (count < head.length) this.#reads[0] = head.subarray(count);
    else this.#reads.shift();
    return count;
  }

  write(view: Uint8Array): number | null {
    this.check();
    if (this.#writes === undefined) throw code('ERR_UNSUPPORTED_OPERATION');
    const head = this.#writes[0];
    let count = view.length;
    if (head !== undefined) {
      if (typeof head !== 'number') return happen(this.#writes.shift() as null | { error: string });
      count = Math.min(head, count);
      if (count < head) this.#writes[0] = head - count;
      else this.#writes.shift();
    }
    this.data = Buffer.concat([this.data, view.subarray(0, count)]);
    return count;
  }
}

function happen(event: null | { error: string }): null {
  if (event === null) return null;
  const errno = -constants.errno[event.error as keyof typeof constants.errno];
  throw Object.assign(new Error(event.error), { code: event.error, errno, syscall: 'scripted' });
}

export class ShortRaw extends TraceRaw {
  readonly #maxRead: number;
  readonly #maxWrite: number;
  #pos = 0;

  constructor(data: Buffer, maxRead: number, maxWrite: number) {
    super();
    this.data = Buffer.from(data);
    this.#maxRead = maxRead;
    this.#maxWrite = maxWrite;
  }

  readable(): boolean {
    this.check();
    return true;
  }

  writable(): boolean {
    this.check();
    return true;
  }

  override seekable(): boolean {
    this.check();
    return true;
  }

  readInto(view: Uint8Array): number {
    this.check();
    const part = this.data.subarray(this.#pos, this.#pos + Math.min(view.length, this.#maxRead));
    view.set(part);
    this.#pos += part.length;
    return part.length;
  }

  write(view: Uint8Array): number {
    this.check();
    const part = Buffer.from(view.subarray(0, this.#maxWrite));
    const end = this.#pos + part.length;
    if (part.length > 0 && end > this.data.length)
      this.data = Buffer.concat([this.data, Buffer.alloc(end - this.data.length)]);
    part.copy(this.data, this.#pos);
    this.#pos = end;
    return part.length;
  }

  override seek(offset: number, whence = 0): number {
    this.check();
    const pos = offset + [0, this.#pos, this.data.length][whence]!;
    if (pos < 0) throw code('EINVAL');
    this.#pos = pos;
    return pos;
  }

  override tell(): number {
    this.check();
    return this.#pos;
  }

  override truncate(size?: number | null): number {
    this.check();
    size ??= this.#pos;
    this.data =
      size <= this.data.length
        ? this.data.subarray(0, size)
        : Buffer.concat([this.data, Buffer.alloc(size - this.data.length)]);
    return size;
  }
}
