// A stream without its beginning: `-n +N` and `-c +N`.

import { indexOfUnit, type LineEnds } from './line-ends.js';

/** Given the stream's chunks in order: what of each is to be printed, undefined while all is still skipped. */
export type Skip = (chunk: Uint8Array) => Uint8Array | undefined;

export function skipBytes(count: number): Skip {
  return (chunk) => {
    if (count >= chunk.length) {
      count -= chunk.length;
      return undefined;
    }
    const rest = chunk.subarray(count);
    count = 0;
    return rest;
  };
}

/** `offset`: where in its file the first chunk lies. Units of wide encodings must not lie across two chunks (`whole`). */
export function skipLines(count: number, { width, lf, cr }: LineEnds, offset = 0): Skip {
  /** A CR was the last that was seen: an LF now is part of the same end. */
  let afterCr = false;
  return (chunk) => {
    if (count === 0 && !afterCr) return chunk;
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const find = (unit: number | Buffer, from: number) => indexOfUnit(bytes, unit, from, offset);
    let at = 0;
    let lfAt = find(lf, 0);
    let crAt = cr === undefined ? -1 : find(cr, 0);
    while (at < chunk.length) {
      if (afterCr && lfAt === at) {
        at += width;
        lfAt = find(lf, at);
      }
      afterCr = false;
      if (count === 0) break;
      if (lfAt < 0 && crAt < 0) {
        at = chunk.length;
      } else if (crAt < 0 || (lfAt >= 0 && lfAt < crAt)) {
        at = lfAt + width;
        lfAt = find(lf, at);
        count--;
      } else {
        at = crAt + width;
        crAt = find(cr!, at);
        afterCr = true;
        count--;
      }
    }
    offset += chunk.length;
    return count === 0 && !afterCr && at < chunk.length ? chunk.subarray(at) : undefined;
  };
}

/** Chunks of whole code units: what is left over of one comes with the next. */
export class WholeUnits {
  readonly #width: number;
  #offset: number;
  rest: Buffer = Buffer.alloc(0);

  /** `offset`: where in the file the first chunk lies. */
  constructor(width: number, offset: number) {
    this.#width = width;
    this.#offset = offset;
  }

  of(chunk: Uint8Array): Uint8Array {
    if (this.#width === 1) return chunk;
    const bytes = this.rest.length > 0 ? Buffer.concat([this.rest, chunk]) : chunk;
    const used = Math.max(0, bytes.length - ((this.#offset + bytes.length) % this.#width));
    this.rest = Buffer.from(bytes.subarray(used));
    this.#offset += used;
    return bytes.subarray(0, used);
  }
}
