// Descriptors 0, 1 and 2 as binary layers: patient with a neighbour's O_NONBLOCK, and buffered as decided in one place.

import { fstatSync } from 'node:fs';
import { BufferedWriter } from './buffered-writer.js';
import { type Buffering, type BufferingChoice, type DescriptorKind, decideBuffering } from './buffering.js';
import type { Bytes } from './bytes.js';
import { FileIO } from './file-io.js';
import { patiently } from './write-all.js';

/** A descriptor that a neighbour may have made non-blocking: where it would block, this waits. */
export class PatientFileIO extends FileIO {
  override readInto(view: Bytes): number | null {
    return patiently(() => super.readInto(view));
  }
  override readAll(): Buffer | null {
    const parts: Buffer[] = [];
    for (;;) {
      const part = patiently(() => super.read(64 * 1024));
      if (part === null || part.length === 0) return Buffer.concat(parts);
      parts.push(part);
    }
  }
  override write(view: Bytes): number | null {
    return patiently(() => super.write(view));
  }
}

/** Unbuffered, but no byte is lost where one write takes only some. */
class FlushingWriter extends BufferedWriter {
  override write(data: Bytes): number {
    const count = super.write(data);
    this.flush();
    return count;
  }
}

/** What `fd` leads to. */
export function descriptorKind(fd: number): DescriptorKind {
  const stat = fstatSync(fd);
  if (stat.isFIFO()) return 'pipe';
  if (stat.isSocket()) return 'socket';
  if (stat.isFile() || stat.isBlockDevice()) return 'file';
  using file = new FileIO(fd, 'r', { closefd: false });
  if (file.isatty()) return 'terminal';
  return stat.rdev === 0x103 ? 'null' : 'device'; // /dev/null is 1:3
}

/** The writer on stdout or stderr, and how it is buffered: with 'line' it is the caller who flushes at newlines. */
export function standardWriter(
  fd: 1 | 2,
  option: BufferingChoice | undefined,
): { buffer: BufferedWriter; buffering: Buffering } {
  const raw = new PatientFileIO(fd, 'w', { closefd: false });
  const decided = decideBuffering({ kind: descriptorKind(fd), blockSize: raw.blockSize }, option, process.env);
  // Errors are read when they happen: stderr is never held back until a block is full.
  const buffering = fd === 2 && decided.kind === 'block' ? ({ kind: 'line', size: decided.size } as const) : decided;
  const buffer = buffering.kind === 'none' ? new FlushingWriter(raw) : new BufferedWriter(raw, buffering.size);
  return { buffer, buffering };
}
