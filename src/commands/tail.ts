// `sluice tail`: the ends of files, and then what is added to them.

import { printEnding, type Selection } from '../follow/ending.js';
import { type Operand, openOperand, operand } from '../follow/operand.js';
import { type Buffering, Output, OutputFailed } from '../follow/output.js';
import { failure } from '../io/failure.js';
import { encodePath } from '../io/path.js';
import type { Context, Outcome } from './context.js';

export interface TailOptions {
  names: string[];
  selection: Selection;
  headers: 'several' | 'always' | 'never';
  buffering: Buffering;
}

export async function tail(options: TailOptions, context: Context): Promise<Outcome> {
  const { selection } = options;
  const operands = options.names.map(operand);
  if (selection.count === 0 && !selection.fromStart) return 'done';
  const output = new Output(1, options.buffering);
  const headers = new Headers(options, output);
  let outcome: Outcome = 'done';
  for (const each of operands) {
    try {
      await printOne(each, selection, headers, output);
    } catch (error) {
      if (error instanceof OutputFailed) throw error;
      context.fail(failure(error, { path: each.label }));
      outcome = 'failed';
    }
  }
  output.flush();
  return outcome;
}

async function printOne(each: Operand, selection: Selection, headers: Headers, output: Output): Promise<void> {
  const file = openOperand(each);
  try {
    headers.before(each);
    await printEnding(file, selection, (bytes) => output.write(bytes));
  } finally {
    file.close();
  }
}

/** `==> name <==` before the bytes of each file that is another than the last one. */
class Headers {
  #wanted: boolean;
  #output: Output;
  #last: Operand | undefined;

  constructor({ headers, names }: TailOptions, output: Output) {
    this.#wanted = headers === 'always' || (headers === 'several' && names.length > 1);
    this.#output = output;
  }

  before(file: Operand): void {
    if (!this.#wanted) return;
    this.#output.write(encodePath(`${this.#last ? '\n' : ''}==> ${file.label} <==\n`));
    this.#last = file;
  }
}
