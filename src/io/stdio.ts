// The standard streams as stacks on descriptors 0, 1 and 2, each built when first asked for. Never through
// process.stdin, process.stdout or process.stderr: reading those changes descriptors that other programs share.
import { fstatSync } from 'node:fs';
import { BufferedReader } from './buffered-reader.js';
import { BufferedWriter } from './buffered-writer.js';
import { type DescriptorKind, decideBuffering } from './buffering.js';
import type { Bytes } from './bytes.js';
import { FileIO } from './file-io.js';
import { TextIOWrapper } from './text-io.js';

/** A descriptor that a neighbour may have made non-blocking: where it would block, this waits. */
class PatientFileIO extends FileIO {
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

const clock = new Int32Array(new SharedArrayBuffer(4));

function patiently<T>(call: () => T | null): T | null {
  for (let wait = 1; ; wait = Math.min(wait * 2, 16)) {
    const result = call();
    if (result !== null) return result;
    Atomics.wait(clock, 0, 0, wait);
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

function reader(): TextIOWrapper {
  return new TextIOWrapper(new BufferedReader(new PatientFileIO(0, 'r', { closefd: false })));
}

function writer(fd: 1 | 2): TextIOWrapper {
  const raw = new PatientFileIO(fd, 'w', { closefd: false });
  const kind = descriptorKind(fd);
  const decided = decideBuffering({ kind, blockSize: raw.blockSize }, undefined, process.env);
  // Errors are read when they happen: stderr is never held back until a block is full.
  const buffering = fd === 2 && decided.kind === 'block' ? ({ kind: 'line', size: decided.size } as const) : decided;
  const buffer = buffering.kind === 'none' ? new FlushingWriter(raw) : new BufferedWriter(raw, buffering.size);
  const text = new TextIOWrapper(buffer, {
    errors: fd === 2 ? 'backslashreplace' : 'strict',
    lineBuffering: buffering.kind === 'line',
    writeThrough: buffering.kind === 'none',
  });
  process.once('exit', () => {
    try {
      if (!text.closed) text.flush();
    } catch {
      process.exitCode ||= 1; // nobody is left to be told
    }
  });
  return text;
}

let input: TextIOWrapper | undefined;
let output: TextIOWrapper | undefined;
let errors: TextIOWrapper | undefined;

/**
 * Text streams like Python's `sys.stdin`, `sys.stdout` and `sys.stderr` (their bytes under `.buffer`). stdout is buffered
 * by line on a terminal and by block elsewhere, stderr by line; `SLUICE_BUFFERING` and `SLUICE_UNBUFFERED` change that.
 * What waits is written when the process ends.
 */
export const stdio = {
  get stdin(): TextIOWrapper {
    input ??= reader();
    return input;
  },
  get stdout(): TextIOWrapper {
    output ??= writer(1);
    return output;
  },
  get stderr(): TextIOWrapper {
    errors ??= writer(2);
    return errors;
  },
};
