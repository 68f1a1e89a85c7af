// Turns what commands report into what people and programs read: text, a progress display, or JSON lines.

import type { Context, JsonRecord, Progress } from '../commands/context.js';
import { failure, isSystemError, type SluiceError } from '../io/failure.js';
import { encodePath } from '../io/path.js';
import { isTerminal } from '../io/terminal.js';
import type { GlobalOptions } from './globals.js';
import { StandardError, StandardOutput, standardOutput } from './output.js';
import type { ProgressDisplay } from './progress.js';
import { escapeForTerminal, wantsColor } from './terminal.js';

/** Downstream has gone: nobody is left to tell, so everything stops, quietly. */
export class ClosedPipe extends Error {}

export interface ReporterOptions extends GlobalOptions {
  command: string;
  /** stdout carries data bytes: records go to stderr. */
  dataOnStdout?: boolean;
  render?: ((record: JsonRecord) => { out?: string; err?: string; styled?: boolean } | undefined) | undefined;
}

export class Reporter implements Context {
  failures = 0;
  #options: ReporterOptions;
  #stdout: StandardOutput;
  /** Takes what would go to stdout, if somebody else writes there. */
  #redirected: ((lines: Uint8Array) => void) | undefined;
  #stderr = new StandardError();
  /** null = none is wanted, or it is not loaded yet. */
  #display: ProgressDisplay | null | undefined;
  #progress: Progress | undefined;
  #closed = false;
  #started = Date.now();
  #color: { out: boolean; err: boolean };
  #terminal = { out: isTerminal(1), err: isTerminal(2) };

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#stdout = new StandardOutput(options.buffering);
    this.#color = { out: wantsColor(1, options.color), err: wantsColor(2, options.color) };
  }

  record(record: JsonRecord): void {
    if (this.#options.json) {
      this.#json(record);
      return;
    }
    const text = this.#options.render?.(record);
    if (text?.out !== undefined) this.#out(text.out, text.styled);
    if (text?.err !== undefined)
      this.#err(`${this.#terminal.err && !text.styled ? escapeForTerminal(text.err) : text.err}\n`);
  }

  print(line: string): void {
    if (!this.#options.json) for (const each of line.split('\n')) this.#out(each);
  }

  warn(message: string, { path, code }: { path?: string; code?: string } = {}): void {
    if (this.#options.json)
      this.#json({ type: 'warning', ...(code && { code }), ...(path !== undefined && { path }), message });
    else if (!this.#options.quiet) this.#say(this.#paint('33', 'warning: '), path, message);
  }

  fail(error: unknown): void {
    if (error instanceof ClosedPipe) throw error;
    if (isSystemError(error, 'EPIPE') || (error as { code?: unknown }).code === 'EPIPE') throw new ClosedPipe();
    this.failures++;
    const told = failure(error);
    const { code, syscall, path, state, cause, stack } = told;
    const message = wording(told);
    // A stdout that cannot be written to can't carry the record of it either. (Beside data bytes records go to stderr.)
    if (this.#options.json && (path !== standardOutput || this.#options.dataOnStdout))
      this.#json({ type: 'error', code: code ?? 'ERR_FAILED', syscall, path, message, state });
    else this.#say('', path, message);
    if (this.#options.debug) this.#err(`${cause instanceof Error ? cause.stack : stack}\n`);
  }

  debug(text: () => string): void {
    if (!this.#options.debug) return;
    if (this.#options.json) this.#json({ type: 'debug', message: text() });
    else this.#say(this.#paint('2', 'debug: '), undefined, text());
  }

  progress(state: Progress): boolean {
    this.#progress = state;
    if (this.#display === undefined) this.#prepareDisplay();
    this.#display?.update(state);
    return this.#display !== null;
  }

  /** Its code is loaded only where something will be shown. */
  #prepareDisplay(): void {
    this.#display = null;
    const { progress = 'auto', quiet } = this.#options;
    if (progress === 'never' || (progress === 'auto' && (quiet || !this.#terminal.err))) return;
    void import('./progress.js').then(({ progressDisplay }) => {
      if (this.#closed) return;
      this.#display = progressDisplay(this.#started, this.#terminal.err, (text) => this.#stderr.write(text));
      if (this.#progress) this.#display.update(this.#progress);
    });
  }

  /** Everything said and shown is out, and the terminal is clean. */
  async close(): Promise<void> {
    // Work that was over before the display's code was there: its one line is still owed.
    if (this.#options.progress === 'always' && this.#progress && !this.#display) {
      const { progressDisplay } = await import('./progress.js');
      this.#display = progressDisplay(this.#started, this.#terminal.err, (text) => this.#stderr.write(text));
      this.#display.update(this.#progress);
    }
    this.#closed = true;
    this.#display?.finish();
    this.#stdout.close();
  }

  printTo(write: ((lines: Uint8Array) => void) | undefined): void {
    this.#redirected = write;
  }

  /** As `close`, for a process that is about to die of a signal: what fails no longer matters. */
  abandon(): void {
    try {
      this.#display?.clear();
      this.#stdout.close();
    } catch {
      // Nobody is left to tell.
    }
  }

  #say(kind: string, path: string | undefined, text: string): void {
    const where = path === undefined ? '' : `${path}: `;
    const named = this.#terminal.err ? escapeForTerminal(where + text) : where + text;
    this.#err(`${this.#options.command}: ${kind}${named}\n`);
  }

  #paint(code: string, text: string): string {
    return this.#color.err ? `\x1b[${code}m${text}\x1b[0m` : text;
  }

  #json(record: JsonRecord): void {
    const line = JSON.stringify(withBytes(record));
    if (this.#options.dataOnStdout) this.#err(`${line}\n`);
    else this.#out(line, true);
  }

  /** One line, in which no name may move the cursor; or, `styled`, what is fit for a terminal as it is. */
  #out(text: string, styled = false): void {
    const shown = (terminal: boolean) => `${terminal && !styled ? escapeForTerminal(text) : text}\n`;
    if (this.#options.dataOnStdout) {
      this.#err(shown(this.#terminal.err));
      return;
    }
    if (this.#terminal.err) this.#display?.clear();
    const lines = encodePath(shown(this.#terminal.out));
    if (this.#redirected) this.#redirected(lines);
    else this.#stdout.write(lines);
  }

  #err(text: string): void {
    this.#display?.clear();
    this.#stderr.write(text);
  }
}

/** What went wrong, the system's words for it, and the state that things are left in; without the path. */
export function wording({ message, code, syscall, state }: SluiceError): string {
  const kind = [code?.startsWith('ERR_') ? undefined : code, syscall].filter((word) => word !== undefined).join(', ');
  return message + (kind ? ` (${kind})` : '') + (state === undefined ? '' : ` — ${state}`);
}

/** Every string that is not valid Unicode is a path with other bytes: these go beside it, in base64. */
function withBytes(record: JsonRecord): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(record)) {
    if (value === undefined) continue;
    if (typeof value === 'string' && !value.isWellFormed()) {
      fields[key] = value.toWellFormed();
      if (key !== 'message' && key !== 'reason') fields[`${key}Bytes`] = encodePath(value).toString('base64');
    } else fields[key] = value;
  }
  return fields;
}
