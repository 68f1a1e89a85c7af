// How far the work is, on stderr: a bar on a terminal once the work has lasted half a second, or plain lines where they
// are asked for. Nothing here reaches stdout.

import { SingleBar } from 'cli-progress';
import prettyBytes from 'pretty-bytes';
import type { Progress } from '../commands/context.js';
import { columnsOf, escapeForTerminal } from './terminal.js';

/** A bar is worth showing for work that lasts (milliseconds). */
const patience = 500;
/** Plain lines come this far apart (milliseconds), and once more at the end. */
const lineEvery = 1000;

export interface ProgressDisplay {
  update(state: Progress): void;
  /** Take away what is shown, so that a message can be printed; the next update brings it back. */
  clear(): void;
  finish(): void;
}

/** `started`: when the work began, in milliseconds since 1970. */
export function progressDisplay(started: number, terminal: boolean, write: (text: string) => void): ProgressDisplay {
  return terminal ? barDisplay(started, write) : lineDisplay(started, write);
}

function describe(state: Progress, milliseconds: number): string {
  const seconds = Math.max(milliseconds, 1) / 1000;
  const parts = [size(state.bytes) + (state.totalBytes === undefined ? '' : ` of ${size(state.totalBytes)}`)];
  if (state.files !== undefined)
    parts.push(`${state.files}${state.totalFiles === undefined ? '' : ` of ${state.totalFiles}`} files`);
  parts.push(`${size(state.bytes / seconds)}/s`);
  return parts.join(', ');
}

const size = (bytes: number): string => prettyBytes(bytes, { binary: true, maximumFractionDigits: 1 });

function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return (parts[0] === 0 ? parts.slice(1) : parts)
    .map((part, i) => (i === 0 ? part : String(part).padStart(2, '0')))
    .join(':');
}

function lineDisplay(started: number, write: (text: string) => void): ProgressDisplay {
  let last = started;
  let latest: Progress | undefined;
  let shown: Progress | undefined;
  const show = (state: Progress) => {
    const share = state.totalBytes ? `${Math.floor((100 * state.bytes) / state.totalBytes)}% ` : '';
    write(`${share}${describe(state, Date.now() - started)}, ${clock((Date.now() - started) / 1000)} elapsed\n`);
    shown = state;
  };
  return {
    update(state) {
      latest = { ...state };
      if (Date.now() - last < lineEvery) return;
      last = Date.now();
      show(latest);
    },
    clear() {},
    finish() {
      if (latest && latest !== shown) show(latest);
    },
  };
}

function barDisplay(started: number, write: (text: string) => void): ProgressDisplay {
  let latest: Progress | undefined;
  let bar: SingleBar | undefined;
  let rate = 0;
  let measured = { at: started, bytes: 0 };
  const columns = columnsOf(2);

  /** Bytes a second, smoothed over some seconds so that the time left does not jump. */
  const measure = (state: Progress) => {
    const now = Date.now();
    const seconds = (now - measured.at) / 1000;
    if (seconds < 0.1) return;
    const current = Math.max(0, state.bytes - measured.bytes) / seconds;
    const weight = rate === 0 ? 1 : 1 - Math.exp(-seconds / 3);
    rate += weight * (current - rate);
    measured = { at: now, bytes: state.bytes };
  };

  const format = (): string => {
    const state = latest!;
    const elapsed = (Date.now() - started) / 1000;
    const name = state.name === undefined ? '' : escapeForTerminal(state.name);
    const facts = [size(state.bytes) + (state.totalBytes === undefined ? '' : `/${size(state.totalBytes)}`)];
    if (state.files !== undefined)
      facts.push(`${state.files}${state.totalFiles === undefined ? '' : `/${state.totalFiles}`} files`);
    facts.push(`${size(rate)}/s`);
    if (!state.totalBytes) return shorten([name, ...facts, clock(elapsed)].filter(Boolean).join('  '), columns - 1);
    const share = Math.min(1, state.bytes / state.totalBytes);
    const left = rate > 0 ? `${clock((state.totalBytes - state.bytes) / rate)} left` : '';
    const tail = ` ${String(Math.floor(share * 100)).padStart(3)}%  ${facts.join('  ')}  ${left}`;
    const width = Math.min(40, columns - 1 - tail.length);
    const drawn = width < 5 ? '' : '█'.repeat(Math.round(share * width)).padEnd(width, '░');
    const room = columns - 1 - drawn.length - tail.length - 2;
    return shorten(drawn + tail + (room > 8 && name ? `  ${shorten(name, room)}` : ''), columns - 1);
  };

  const stream = {
    isTTY: true,
    columns,
    write(text: string) {
      write(text);
      return true;
    },
  };
  const begin = () => {
    bar = new SingleBar({
      stream: stream as unknown as NodeJS.WritableStream,
      format,
      fps: 10,
      hideCursor: null,
      linewrap: null,
      clearOnComplete: true,
      gracefulExit: false,
    });
    bar.start(1, 0);
  };
  const end = () => {
    bar?.stop();
    bar = undefined;
  };
  return {
    update(state) {
      latest = { ...state };
      measure(latest);
      if (!bar && Date.now() - started >= patience) begin();
    },
    clear: end,
    finish() {
      const shown = bar !== undefined;
      end();
      if (shown && latest)
        write(`${describe(latest, Date.now() - started)} in ${clock((Date.now() - started) / 1000)}\n`);
    },
  };
}

const shorten = (text: string, width: number): string =>
  text.length <= width ? text : width < 2 ? '' : `${text.slice(0, width - 1)}…`;
