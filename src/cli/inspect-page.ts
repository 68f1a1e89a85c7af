// The page that `sluice inspect` shows to a person: aligned rows, in which a conclusion and an unknown never look like a fact.

import type { ChalkInstance } from 'chalk';
import { isInferred, isUnknown } from '../probe/certainty.js';
import type { Peer } from '../probe/pipe-holders.js';
import { escapeForTerminal } from './terminal.js';

/** What a page is drawn with: colours, or none, and whether names must be made safe. */
export interface Pen {
  paint: ChalkInstance | null;
  terminal: boolean;
}

/** A line of a page; undefined ones are left out. */
export type Row = [label: string, value: string] | undefined;

const labelWidth = 14;

export class Page {
  readonly #pen: Pen;

  constructor(pen: Pen) {
    this.#pen = pen;
  }

  title(text: string): string {
    return this.#pen.paint ? this.#pen.paint.bold(this.name(text)) : this.name(text);
  }

  rows(rows: Row[]): string {
    const lines = rows
      .filter((row) => row !== undefined)
      .map(([label, value]) => `  ${this.dim(label.padEnd(labelWidth))} ${value}`);
    return lines.join('\n');
  }

  /** A value of several lines, one below the other. */
  lines(values: string[]): string {
    return values.join(`\n${' '.repeat(labelWidth + 3)}`);
  }

  /** A name, as it may be shown. */
  name(text: string): string {
    return this.#pen.terminal ? escapeForTerminal(text) : text;
  }

  dim(text: string): string {
    return this.#pen.paint?.dim(text) ?? text;
  }

  warn(text: string): string {
    return this.#pen.paint?.yellow(text) ?? text;
  }

  good(text: string): string {
    return this.#pen.paint?.green(text) ?? text;
  }

  bad(text: string): string {
    return this.#pen.paint?.red(text) ?? text;
  }

  /** A field, whatever is known of it; `show` draws its value. */
  field<T>(field: unknown, show: (value: T) => string = (value) => this.name(String(value))): string {
    if (isUnknown(field)) return this.dim(`unknown (${this.name(field.unknown)})`);
    if (isInferred(field)) {
      const because = field.because === undefined ? '' : `: ${this.name(field.because)}`;
      const word = sureness(field.certainty);
      const shown = show(field.value as T);
      const text = `${word}, ${Math.round(field.certainty * 100)} %${because}`;
      return `${this.#pen.paint?.cyan(shown) ?? shown} ${this.dim(`(${text})`)}`;
    }
    return show(field as T);
  }
}

/** A certainty as a word. */
export function sureness(certainty: number): string {
  return certainty >= 0.95 ? 'almost certain' : certainty >= 0.8 ? 'likely' : certainty >= 0.5 ? 'probably' : 'perhaps';
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** `1.5 KiB`. By hand, as `count`. */
export function size(bytes: number): string {
  let power = 0;
  let value = bytes;
  for (; value >= 1024 && power < units.length - 1; power++) value /= 1024;
  return `${Math.floor(value * 10) / 10} ${units[power]}`;
}

/** With thousands apart; by hand, since loading a locale costs more than all else here. */
export function count(number: number): string {
  const [whole, fraction] = String(number).split('.') as [string, string?];
  return whole.replace(/\B(?=(\d{3})+$)/g, ',') + (fraction === undefined ? '' : `.${fraction}`);
}

export const plural = (number: number, word: string, many = `${word}s`): string =>
  `${count(number)} ${number === 1 ? word : many}`;

/** On one line, and no wider than `width`. */
export function clip(text: string, width: number): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`;
}

export function peersRow(label: string, peers: unknown, page: Page): Row {
  if (peers === undefined) return undefined;
  return [
    label,
    page.field(
      peers,
      (list: Peer[]) =>
        list.map(({ pid, command }) => `${pid} ${page.name(clip(command, 60))}`).join(', ') || 'no other process',
    ),
  ];
}
