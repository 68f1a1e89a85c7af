// Holes without native calls: blocks of zeros are skipped instead of written, and the size is set at the end.

import type { FileIO } from './file-io.js';
import type { Sink } from './raw.js';

/** Holes are made in units of this many bytes; smaller ones save nothing on any file system. */
const block = 4096;
const zeros = Buffer.alloc(256 * 1024);

/** Writes to a new, empty file. `finish` must be called: the end of the file may be a hole. */
export class SparseSink implements Sink {
  #file: FileIO;
  #position = 0;

  /** `file` stands at `position`. */
  constructor(file: FileIO, position = 0) {
    this.#file = file;
    this.#position = position;
  }

  /** Takes all of `view`, or what the file took of its first run of data. */
  write(view: Uint8Array): number | null {
    let at = 0;
    while (at < view.length) {
      const hole = runOfZeros(view, at, this.#position);
      if (hole > 0) {
        this.#move(hole);
        at += hole;
        continue;
      }
      const data = runOfData(view, at, this.#position);
      const count = this.#file.write(view.subarray(at, at + data));
      if (count === null) return at > 0 ? at : null;
      this.#position += count;
      at += count;
      if (count < data) break;
    }
    return at;
  }

  /** Set the size, which makes a trailing hole. */
  finish(): void {
    this.#file.truncate(this.#position);
  }

  #move(bytes: number): void {
    this.#position += bytes;
    this.#file.seek(this.#position);
  }
}

/** Bytes from `at` to the end of the last whole block of zeros in a row; 0 if this block has data. */
function runOfZeros(view: Uint8Array, at: number, position: number): number {
  let end = at;
  while (end < view.length) {
    const next = Math.min(view.length, end + block - ((position + end - at) % block));
    if (Buffer.compare(view.subarray(end, next), zeros.subarray(0, next - end)) !== 0) break;
    end = next;
  }
  return end - at;
}

function runOfData(view: Uint8Array, at: number, position: number): number {
  let end = at;
  while (end < view.length) {
    const next = Math.min(view.length, end + block - ((position + end - at) % block));
    if (end > at && Buffer.compare(view.subarray(end, next), zeros.subarray(0, next - end)) === 0) break;
    end = next;
  }
  return end - at;
}
