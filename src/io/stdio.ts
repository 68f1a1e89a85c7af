// The standard streams as stacks on descriptors 0, 1 and 2, each built when first asked for. Never through
// process.stdin, process.stdout or process.stderr: reading those changes descriptors that other programs share.
import { BufferedReader } from './buffered-reader.js';
import { PatientFileIO, standardWriter } from './standard-streams.js';
import { TextIOWrapper } from './text-io.js';

function reader(): TextIOWrapper {
  return new TextIOWrapper(new BufferedReader(new PatientFileIO(0, 'r', { closefd: false })));
}

function writer(fd: 1 | 2): TextIOWrapper {
  const { buffer, buffering } = standardWriter(fd, undefined);
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
