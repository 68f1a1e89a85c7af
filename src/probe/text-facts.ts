// What is in a file, seen in one pass at the speed of memory and in bounded memory: line ends, lines, validity, NULs.

import { isAscii, isUtf8 } from 'node:buffer';
import { readSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { isSystemError } from '../io/failure.js';
import type { Inferred, Known } from './certainty.js';
import { unknown } from './certainty.js';
import { type Bom, bomLength, bomOf, contentOf, type Evidence, encodingOf, layoutOf } from './encoding.js';
import { type ScanCounts, TextScan } from './text-scan.js';
import { firstInvalidIn, incompleteTail } from './utf8.js';
import { wideWithoutBom } from './wide-guess.js';

export interface TextFacts {
  content: Known<'empty' | Inferred<'text' | 'binary'>>;
  encoding: Known<Inferred<string>>;
  bom: Known<Bom | null>;
  /** Of each kind: an LF in a CRLF counts there alone. */
  newlines: Known<{ lf: number; crlf: number; cr: number }>;
  /** Does the last line end? Null where there is none. */
  finalNewline: Known<boolean | null>;
  /** Lines, one that has no end among them; LF, CRLF and CR all end one. */
  lines: Known<number>;
  /** Bytes in the longest line, without its end, and its number from 1. */
  longestLine: Known<number>;
  longestLineNumber: Known<number | null>;
  /** Offset of the first byte that is not valid in the BOM's encoding, or else in UTF-8; null: all are. */
  firstInvalidByte: Known<number | null>;
  nulBytes: Known<number>;
  controlBytes: Known<number>;
  /** Bytes from 0x80 up; in UTF-16 and UTF-32, units. */
  nonAscii: Known<number>;
  bytesRead: number;
}

/** A stretch of a file that is stored, or a hole. */
export interface Stretch {
  hole: boolean;
  from: number;
  to: number;
}

export interface TextOptions {
  quick: boolean;
  /** Holes need not be read. Without it the file is read from end to end. */
  stretches?: Iterable<Stretch> | undefined;
  onBytes?: (count: number) => void;
}

/** Measured flat from 128 KiB to 1 MiB: it stays in the second-level cache. */
const piece = 256 * 1024;
/** What `quick` looks at. */
export const head = 64 * 1024;
const sampleSize = 32 * 1024;
const slice = 20;

export const unreadText = (reason: string): TextFacts => {
  const no = unknown(reason);
  return {
    content: no,
    encoding: no,
    bom: no,
    newlines: no,
    finalNewline: no,
    lines: no,
    longestLine: no,
    longestLineNumber: no,
    firstInvalidByte: no,
    nulBytes: no,
    controlBytes: no,
    nonAscii: no,
    bytesRead: 0,
  };
};

/** Reads the file on `fd` by offset. Rejects with the system's error; EAGAIN (a file of /proc that would block) is one. */
export async function textFacts(fd: number, { quick, stretches, onBytes }: TextOptions): Promise<TextFacts> {
  const reader = new TextReader(fd);
  let sliceEnd = performance.now() + slice;
  if (quick) {
    reader.read(0, head);
  } else {
    for (const { hole, from, to } of stretches ?? [{ hole: false, from: 0, to: Number.POSITIVE_INFINITY }]) {
      for (let at = from; at < to; ) {
        const count = hole ? reader.skip(to - at) : reader.read(at, to - at);
        if (count === 0) break;
        at += count;
        onBytes?.(count);
        if (performance.now() > sliceEnd) {
          await turn();
          sliceEnd = performance.now() + slice;
        }
      }
    }
  }
  return reader.facts(quick && !reader.ended);
}

class TextReader {
  readonly #fd: number;
  readonly #scan = new TextScan(piece);
  #total = 0;
  #bom: Bom | null = null;
  #wide: Evidence['wide'];
  #width: 1 | 2 | 4 = 1;
  #big = false;
  #firstInvalid: number | null = null;
  /** Bytes of a sequence that goes on in the next piece, kept right before the room. */
  #kept = 0;
  #sample: Buffer[] = [];
  #sampled = 0;
  #escapes: Buffer | undefined;
  #highSeen = 0;
  ended = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Bytes taken in from `offset` on; 0 at the end. */
  read(offset: number, limit: number): number {
    const { room } = this.#scan;
    const wanted = Math.min(limit, piece);
    let count = 0;
    // Short reads are filled up: pieces must be whole units, and a quick look as much as it may see.
    while (count < wanted) {
      const got = readSync(this.#fd, room, count, wanted - count, offset + count);
      if (got === 0) {
        this.ended = true;
        break;
      }
      count += got;
    }
    if (count === 0) return 0;
    if (this.#total === 0) this.#begin(room.subarray(0, Math.min(count, head)));
    if (this.#width === 1) this.#narrow(count);
    else {
      const whole = count - (count % this.#width);
      this.#scan.wide(whole, this.#width, this.#big);
      if (whole < count && this.#firstInvalid === null && this.#scan.counts().invalid < 0)
        this.#firstInvalid = this.#total + whole;
      if (this.#sampled === 0) this.#keepSample(room.subarray(0, Math.min(count, sampleSize)));
    }
    this.#total += count;
    return count;
  }

  /** A hole of `length` bytes. */
  skip(length: number): number {
    if (this.#total === 0) this.#begin(Buffer.alloc(Math.min(length, 4)));
    if (this.#kept > 0) {
      this.#firstInvalid ??= this.#total - this.#kept;
      this.#kept = 0;
    }
    this.#scan.zeros(length, this.#width);
    this.#total += length;
    return length;
  }

  #begin(start: Buffer): void {
    this.#bom = bomOf(start);
    if (this.#bom === null) this.#wide = wideWithoutBom(start);
    const { width, big } = layoutOf(this.#bom ?? this.#wide ?? null);
    this.#width = width;
    this.#big = big;
    if (this.#bom !== null) this.#scan.leaveOut(bomLength(this.#bom));
    // ISO-2022: which character set the ASCII bytes that follow stand for.
    if (start.includes('\x1b$')) this.#escapes = Buffer.from(start.subarray(0, sampleSize));
  }

  #narrow(count: number): void {
    const scan = this.#scan;
    scan.bytes(count);
    const { high } = scan;
    const plain = high === this.#highSeen;
    if (!plain) this.#keepSample(scan.room.subarray(0, count));
    this.#highSeen = high;
    if (this.#firstInvalid !== null || (plain && this.#kept === 0)) return;
    const bytes = scan.roomFrom(this.#kept, count);
    const tail = incompleteTail(bytes);
    const complete = bytes.subarray(0, bytes.length - tail);
    if (!isUtf8(complete)) {
      this.#firstInvalid = this.#total - this.#kept + firstInvalidIn(complete);
      this.#kept = 0;
      return;
    }
    // What is incomplete goes right before the next piece.
    bytes.copy(scan.roomFrom(tail, 0), 0, bytes.length - tail);
    this.#kept = tail;
  }

  /** Statistics need the bytes around those that are not ASCII. */
  #keepSample(bytes: Buffer): void {
    if (this.#sampled >= sampleSize) return;
    let at = 0;
    if (this.#width === 1) {
      // Where the first byte from 0x80 up is, found by halves.
      let end = bytes.length;
      while (end - at > 256) {
        const middle = (at + end) >> 1;
        if (isAscii(bytes.subarray(at, middle))) at = middle;
        else end = middle;
      }
      at = Math.max(0, at - 256);
    }
    const part = Buffer.from(bytes.subarray(at, at + sampleSize - this.#sampled));
    this.#sample.push(part);
    this.#sampled += part.length;
  }

  async facts(partial: boolean): Promise<TextFacts> {
    const counts = this.#scan.counts();
    const firstInvalid = this.#invalidAt(counts, partial);
    const evidence: Evidence = {
      bytes: this.#total,
      bom: this.#bom,
      wide: this.#wide,
      firstInvalid,
      nul: counts.nul,
      control: counts.control,
      high: counts.high - (this.#bom === null ? 0 : this.#width > 1 ? 1 : 3),
      guess: await this.#guess(firstInvalid, counts),
      whole: !partial,
    };
    const { lf, cr, crlf } = counts;
    const empty = this.#total <= (this.#bom === null ? 0 : bomLength(this.#bom));
    const longer = counts.current > counts.longest;
    const longest = Math.max(counts.current, counts.longest);
    const content = contentOf(evidence);
    const facts: TextFacts = {
      content,
      encoding: encodingOf(evidence),
      bom: this.#bom,
      newlines: { lf: lf - crlf, crlf, cr: cr - crlf },
      finalNewline: empty ? null : counts.current === 0,
      lines: counts.lines + (counts.current > 0 ? 1 : 0),
      longestLine: longest,
      longestLineNumber: empty ? null : longer ? counts.lines + 1 : counts.longestLine,
      firstInvalidByte: firstInvalid,
      nulBytes: counts.nul,
      controlBytes: counts.control,
      nonAscii: evidence.high,
      bytesRead: this.#total,
    };
    if (!partial) return facts;
    const no = unknown(`only the first ${this.#total} bytes were read (--quick)`);
    return {
      ...facts,
      newlines: no,
      finalNewline: no,
      lines: no,
      longestLine: no,
      longestLineNumber: no,
      firstInvalidByte: firstInvalid ?? no,
      nulBytes: no,
      controlBytes: no,
      nonAscii: no,
    };
  }

  /** Statistics cost chardet's loading: only for what nothing else decides. */
  async #guess(firstInvalid: number | null, { nul, high }: ScanCounts): Promise<Evidence['guess']> {
    if (nul > 0 || this.#width > 1 || this.#bom !== null) return undefined;
    if (firstInvalid !== null) return (await import('./encoding-statistics.js')).guessed(Buffer.concat(this.#sample));
    if (high > 0 || !this.#escapes) return undefined;
    return (await import('./encoding-statistics.js')).guessedByEscapes(this.#escapes);
  }

  #invalidAt(counts: ScanCounts, partial: boolean): number | null {
    if (this.#firstInvalid !== null && (counts.invalid < 0 || this.#width === 1)) return this.#firstInvalid;
    if (counts.invalid >= 0) return counts.invalid;
    if (partial) return null;
    if (this.#kept > 0) return this.#total - this.#kept;
    return counts.openSurrogate ? this.#total - 2 : null;
  }
}

/** Would reading block, so that there is nothing to be said of the content? */
export const wouldBlock = (error: unknown): boolean => isSystemError(error, 'EAGAIN');
