// A stream without its beginning: `-n +N` and `-c +N`.

import type { LineEnd } from './last-lines.js';

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

/** `offset`: where in its file the first chunk lies, for units of wide encodings. These must not lie across two chunks. */
export function skipLines(count: number, lineEnd: LineEnd, offset = 0): Skip {
  const unit = typeof lineEnd === 'number' ? 1 : lineEnd.length;
  return (chunk) => {
    if (count === 0) return chunk;
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let at = 0; ; ) {
      at = bytes.indexOf(lineEnd, at);
      if (at < 0) break;
      if (unit > 1 && (offset + at) % unit !== 0) {
        at++;
        continue;
      }
      at += unit;
      if (--count === 0) return at < chunk.length ? chunk.subarray(at) : undefined;
    }
    offset += chunk.length;
    return undefined;
  };
}
