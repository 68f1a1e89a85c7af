// A file's bytes as lines: decoded, marked, looked through for the one that ends it all, or as records. Lines pass in
// pieces as they come, so that a long one needs no memory and the start of a slow one is prompt.

import { isUtf8 } from 'node:buffer';
import { findCodec } from '../io/codecs.js';
import type { IncrementalDecoder } from '../io/decoders.js';
import { type FileEncoding, indexOfUnit } from './line-ends.js';

export type NewlineChoice = 'keep' | 'lf' | 'crlf' | 'cr';

export interface LineFormat {
  newline: NewlineChoice;
  /** Before each line, asked for when its first byte comes. */
  before: (() => Uint8Array) | undefined;
  /** Gets whole lines, without their ends, instead of their bytes going to `write`. `continues`: the line has more, in the next call. */
  record:
    | ((line: { offset: number; text: string } | { offset: number; bytes: Uint8Array }, continues: boolean) => void)
    | undefined;
  /** Is this the line that was waited for? What it gives true for is the last that is printed. */
  matches: ((text: string) => boolean) | undefined;
}

/** Thrown once the line that was waited for has been printed. */
export class Matched extends Error {}

/** A pattern sees so many bytes of a line at most. */
const patternReach = 16 * 1024 * 1024;
/** A record holds so many bytes of a line at most. */
const recordReach = 64 * 1024 * 1024;

const lineFeed = Buffer.from('\n');
const chosen = { lf: lineFeed, crlf: Buffer.from('\r\n'), cr: Buffer.from('\r') };

export class Lines {
  readonly #format: LineFormat;
  readonly #encoding: FileEncoding;
  readonly #write: (bytes: Uint8Array) => void;
  readonly #decoder: IncrementalDecoder | undefined;
  /** Bytes of the line so far, where the whole line is needed. */
  #held: Buffer[] = [];
  #heldSize = 0;
  /** Is a line begun? Then where. */
  #lineStart: number | undefined;
  #afterCr = false;
  /** Where the line ended that was waited for. */
  #matchedAt: number | undefined;
  /** Part of a code unit, or of the mark, at the end of what came. */
  #partial: Buffer = Buffer.alloc(0);

  constructor(format: LineFormat, encoding: FileEncoding, write: (bytes: Uint8Array) => void) {
    this.#format = format;
    this.#encoding = encoding;
    this.#write = write;
    this.#decoder = encoding.name === undefined ? undefined : findCodec(encoding.name).decoder('replace');
  }

  /** The file's bytes from `offset` on; each call goes on where the last one ended. Throws `Matched`. */
  take(chunk: Uint8Array, offset: number): void {
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#partial.length > 0) {
      bytes = Buffer.concat([this.#partial, bytes]);
      offset -= this.#partial.length;
      this.#partial = Buffer.alloc(0);
    }
    const { mark, ends } = this.#encoding;
    if (offset === 0 && mark.length > 0) {
      if (bytes.length < mark.length && bytes.equals(mark.subarray(0, bytes.length))) {
        this.#partial = Buffer.from(bytes);
        return;
      }
      if (bytes.subarray(0, mark.length).equals(mark)) {
        offset = mark.length;
        bytes = bytes.subarray(offset);
      }
    }
    const over = (offset + bytes.length) % ends.width;
    if (over > 0) {
      const cut = Math.max(0, bytes.length - over);
      this.#partial = Buffer.from(bytes.subarray(cut));
      bytes = bytes.subarray(0, cut);
    }
    this.#split(bytes, offset);
  }

  /** This content has ended: what is begun is a line too. Throws `Matched`. */
  end(): void {
    if (this.#partial.length > 0) {
      const partial = this.#partial;
      this.#partial = Buffer.alloc(0);
      this.#piece(partial, this.#lineStart ?? 0);
    }
    this.#afterCr = false;
    if (this.#lineStart !== undefined) this.#endLine(undefined, undefined);
  }

  /** The first byte that was taken and is not written: of a line that is held back until it is whole, or after the last line. */
  get heldFrom(): number | undefined {
    return this.#matchedAt ?? (this.#format.record ? this.#lineStart : undefined);
  }

  #split(bytes: Buffer, offset: number): void {
    const { width, lf, cr } = this.#encoding.ends;
    let at = 0;
    let lfAt = indexOfUnit(bytes, lf, 0, offset);
    let crAt = cr === undefined ? -1 : indexOfUnit(bytes, cr, 0, offset);
    while (at < bytes.length) {
      if (this.#afterCr) {
        this.#afterCr = false;
        if (lfAt === at) {
          // The second half of an end that has been dealt with.
          if (this.#format.newline === 'keep' && !this.#format.record) this.#write(lineFeed);
          at += width;
          lfAt = indexOfUnit(bytes, lf, at, offset);
          continue;
        }
      }
      const byCr = crAt >= 0 && (lfAt < 0 || crAt < lfAt);
      const end = byCr ? crAt : lfAt;
      if (end < 0) {
        this.#piece(bytes.subarray(at), offset + at);
        return;
      }
      this.#piece(bytes.subarray(at, end), offset + at);
      at = end + width;
      if (byCr) {
        crAt = indexOfUnit(bytes, cr!, at, offset);
        if (lfAt === at) {
          at += width;
          lfAt = indexOfUnit(bytes, lf, at, offset);
          this.#endLine(chosen.crlf, offset + at);
        } else {
          // Not waited for: the LF may never come.
          this.#afterCr = at === bytes.length;
          this.#endLine(chosen.cr, offset + at);
        }
      } else {
        lfAt = indexOfUnit(bytes, lf, at, offset);
        this.#endLine(lf === 0 ? Buffer.alloc(1) : lineFeed, offset + at);
      }
    }
  }

  #piece(bytes: Buffer, offset: number): void {
    const { before, record, matches } = this.#format;
    if (this.#lineStart === undefined) {
      this.#lineStart = offset;
      if (before) this.#write(before());
    }
    if (bytes.length === 0) return;
    if (!record) this.#write(this.#decoder ? Buffer.from(this.#decoder.decode(bytes, false)) : bytes);
    if (!record && !matches) return;
    if (record || this.#heldSize < patternReach) {
      this.#held.push(Buffer.from(bytes));
      this.#heldSize += bytes.length;
    }
    if (record && this.#heldSize > recordReach) this.#recordPart(record);
  }

  /** `end`: as it was read; undefined: the file ended first. `next`: where the next line would begin. */
  #endLine(end: Uint8Array | undefined, next: number | undefined): void {
    const { newline, before, record, matches } = this.#format;
    if (!record) {
      const rest = this.#decoder?.decode(Buffer.alloc(0), true);
      if (rest) this.#write(Buffer.from(rest));
      this.#decoder?.reset();
      if (end) this.#write(newline === 'keep' ? end : chosen[newline]);
      else if (before) this.#write(lineFeed); // Another file's line, with its own beginning, may follow.
    }
    const line = this.#held.length === 1 ? this.#held[0]! : Buffer.concat(this.#held);
    const offset = this.#lineStart!;
    this.#held = [];
    this.#heldSize = 0;
    this.#lineStart = undefined;
    if (record) record(this.#asRecord(line, offset), false);
    if (matches?.(this.#asText(line.subarray(0, patternReach)))) {
      this.#matchedAt = next;
      throw new Matched();
    }
  }

  /** As much of a very long line as is whole characters. */
  #recordPart(record: NonNullable<LineFormat['record']>): void {
    const line = Buffer.concat(this.#held);
    let cut = line.length - (line.length % 4);
    while (cut > line.length - 8 && (line[cut]! & 0xc0) === 0x80) cut--;
    record(this.#asRecord(line.subarray(0, cut), this.#lineStart!), true);
    this.#held = [Buffer.from(line.subarray(cut))];
    this.#heldSize = line.length - cut;
    this.#lineStart! += cut;
  }

  #asRecord(line: Buffer, offset: number): { offset: number; text: string } | { offset: number; bytes: Buffer } {
    const { name } = this.#encoding;
    if (name === undefined) return isUtf8(line) ? { offset, text: line.toString() } : { offset, bytes: line };
    try {
      return { offset, text: findCodec(name).decoder('strict').decode(line, true) };
    } catch {
      return { offset, bytes: line };
    }
  }

  #asText(line: Buffer): string {
    const { name } = this.#encoding;
    return name === undefined ? line.toString() : findCodec(name).decoder('replace').decode(line, true);
  }
}
