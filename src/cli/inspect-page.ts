// How `sluice inspect` looks to a person: aligned pages, in which a conclusion and an unknown never look like a fact.

import type { ChalkInstance } from 'chalk';
import { isInferred, isUnknown } from '../probe/certainty.js';
import type { FileFacts } from '../probe/file-facts.js';
import type { Opener } from '../probe/openers.js';
import type { Peer } from '../probe/pipe-holders.js';
import type { StreamFacts } from '../probe/stream-facts.js';
import { escapeForTerminal } from './terminal.js';

/** What a page is drawn with: colours, or none, and whether names must be made safe. */
export interface Pen {
  paint: ChalkInstance | null;
  terminal: boolean;
}

/** A line of a page; undefined ones are left out. */
export type Row = [label: string, value: string] | undefined;

const labelWidth = 13;

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

export const plural = (number: number, word: string): string => `${count(number)} ${word}${number === 1 ? '' : 's'}`;

const exact = (bytes: number): string =>
  bytes < 1024 ? plural(bytes, 'byte') : `${size(bytes)} (${count(bytes)} bytes)`;

export function filePage(facts: FileFacts, page: Page): string {
  const { kind } = facts;
  const chain = facts.symlinks.map(({ target }) => page.name(target)).join(' → ');
  const rows: Row[] = [
    ['kind', facts.deviceNumber === undefined ? kind : `${kind} ${facts.deviceNumber}`],
    facts.symlinks.length > 0
      ? [
          'symlink',
          facts.dangling === false
            ? `→ ${chain}`
            : `→ ${chain} ${page.warn(`(leads nowhere: ${page.name(facts.dangling)})`)}`,
        ]
      : undefined,
    facts.symlinks.length > 0 && facts.dangling === false ? ['real path', page.field(facts.realPath)] : undefined,
    ['size', exact(facts.size)],
    ['allocated', kind === 'file' ? `${size(facts.allocated)}${allocation(facts, page)}` : size(facts.allocated)],
    kind === 'file'
      ? [
          'in cache',
          page.field(facts.cache, (cache: Exclude<FileFacts['cache'], { unknown: string }>) => cached(cache, page)),
        ]
      : undefined,
    ['mode', `${facts.permissions} ${page.dim(facts.mode)}  ${owner(facts, page)}`],
    [
      'access',
      `you may ${facts.readable ? 'read' : page.warn('not read')} and ${facts.writable ? 'write' : page.warn('not write')} it`,
    ],
    ['links', `${facts.links}  ${page.dim(`inode ${facts.inode} on device ${facts.device}`)}`],
    ['modified', facts.times.modified],
    ['changed', facts.times.changed],
    ['accessed', facts.times.accessed],
    ['created', page.field(facts.times.created)],
    [
      'file system',
      page.field(facts.filesystem, (value: Exclude<FileFacts['filesystem'], { unknown: string }>) => {
        const durability = page.field(value.durability, (word: string) =>
          word === 'volatile' ? page.warn(word) : word,
        );
        return `${page.name(value.type)} on ${page.name(value.mountPoint)} ${page.dim(`(${page.name(value.source)})`)}, ${value.readOnly ? 'read-only, ' : ''}${durability}`;
      }),
    ],
    ['buffers', `${size(facts.recommendedBufferSize)} recommended  ${page.dim(`block size ${size(facts.blockSize)}`)}`],
    ...(kind === 'file' ? textRows(facts, page) : []),
    [
      'open in',
      page.field(facts.openedBy, (openers: Exclude<FileFacts['openedBy'], { unknown: string }>) => {
        const hidden =
          openers.notPermitted === 0
            ? ''
            : page.dim(
                `; ${plural(openers.notPermitted, 'process')}es may not be looked into`.replace('processes', 'process'),
              );
        if (openers.processes.length === 0) return `no process${hidden}`;
        return openers.processes.map((each) => openIn(each, page)).join(`\n${' '.repeat(labelWidth + 3)}`) + hidden;
      }),
    ],
  ];
  return `${page.title(facts.path)}\n${page.rows(rows)}\n`;
}

function allocation(facts: FileFacts, page: Page): string {
  const holes = page.field(facts.holes, ({ count, bytes }: { count: number; bytes: number }) =>
    count === 0 ? 'no holes' : `${plural(count, 'hole')} of ${size(bytes)}`,
  );
  const extents = page.field(
    facts.extents,
    (value: { count: number; shared: number; unwritten: number; delayed: number }) => {
      const parts = [
        value.shared && `${value.shared} shared`,
        value.unwritten && `${value.unwritten} unwritten`,
        value.delayed && `${value.delayed} not placed yet`,
      ];
      return plural(value.count, 'extent') + (parts.some(Boolean) ? ` (${parts.filter(Boolean).join(', ')})` : '');
    },
  );
  return `, holes: ${holes}, ${isUnknown(facts.extents) ? `extents: ${extents}` : extents}`
    .replace('holes: no holes', 'no holes')
    .replace(/holes: (\d)/, '$1');
}

function cached(cache: Exclude<FileFacts['cache'], { unknown: string }>, page: Page): string {
  const dirty = page.field(cache.dirty, (pages: number) =>
    pages === 0 ? 'none dirty' : page.warn(`${count(pages)} dirty`),
  );
  return `${size(cache.bytes)}, ${plural(cache.pages, 'page')} of ${size(cache.pageSize)}, ${isUnknown(cache.dirty) ? 'dirty: ' : ''}${dirty}`;
}

function owner({ owner: { uid, user, gid, group } }: FileFacts, page: Page): string {
  const named = (name: typeof user, id: number) =>
    isUnknown(name) ? String(id) : `${page.name(name)} ${page.dim(`(${id})`)}`;
  return `${named(user, uid)} : ${named(group, gid)}`;
}

function openIn({ pid, command, descriptors, mapped }: Opener, page: Page): string {
  const how = descriptors.map(({ fd, access }) => `fd ${fd} ${access}`);
  if (mapped) how.push('mapped');
  return `${pid} ${page.name(clip(command, 60))} ${page.dim(`(${how.join(', ')})`)}`;
}

/** On one line, and no wider than `width`. */
export function clip(text: string, width: number): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`;
}

function textRows(facts: FileFacts, page: Page): Row[] {
  if (facts.content === 'empty') return [['content', 'empty']];
  // One reason for all is told once.
  if (isUnknown(facts.content)) return [['content', page.field(facts.content)]];
  return [
    ['content', page.field(facts.content)],
    ['encoding', page.field(facts.encoding)],
    ['BOM', page.field(facts.bom, (bom: string | null) => bom ?? 'none')],
    [
      'newlines',
      page.field(facts.newlines, ({ lf, crlf, cr }: { lf: number; crlf: number; cr: number }) => {
        const kinds = [lf && `${count(lf)} LF`, crlf && `${count(crlf)} CRLF`, cr && `${count(cr)} CR`].filter(Boolean);
        const text = kinds.join(', ') || 'none';
        return kinds.length > 1 ? page.warn(`${text} (mixed)`) : text;
      }),
    ],
    [
      'final newline',
      page.field(facts.finalNewline, (is: boolean | null) =>
        is === null ? 'no line at all' : is ? 'yes' : page.warn('no'),
      ),
    ],
    ['lines', page.field(facts.lines, (lines: number) => count(lines))],
    [
      'longest line',
      page.field(
        facts.longestLine,
        (bytes: number) =>
          `${plural(bytes, 'byte')}${typeof facts.longestLineNumber === 'number' ? page.dim(` (line ${count(facts.longestLineNumber)})`) : ''}`,
      ),
    ],
    [
      'invalid',
      page.field(facts.firstInvalidByte, (offset: number | null) =>
        offset === null ? 'no byte' : page.warn(`from byte ${count(offset)} on`),
      ),
    ],
    ['NUL bytes', page.field(facts.nulBytes, (bytes: number) => count(bytes))],
  ];
}

export function streamPage(facts: StreamFacts, page: Page): string {
  const { fd, name, kind } = facts;
  const rows: Row[] = [['kind', kind]];
  if (kind !== 'closed') {
    const flags = [facts.append === true && 'append', facts.nonBlocking === true && page.warn('non-blocking')].filter(
      Boolean,
    );
    rows.push(
      ['leads to', page.field(facts.target)],
      ['open for', page.field(facts.access) + (flags.length > 0 ? `, ${flags.join(', ')}` : '')],
      facts.offset === undefined
        ? undefined
        : ['offset', `${page.field(facts.offset, (at: number) => count(at))} of ${count(facts.size!)}`],
      facts.capacity === undefined ? undefined : ['holds', page.field(facts.capacity, size)],
      facts.waiting === undefined
        ? undefined
        : ['waiting', page.field(facts.waiting, (bytes: number) => plural(bytes, 'byte'))],
      peersRow('written by', facts.writers, page),
      peersRow('read by', facts.readers, page),
      facts.sameAs.length > 0 ? ['same as', facts.sameAs.join(', ')] : undefined,
    );
  }
  if (facts.buffering) {
    const custom = (value: { mode: string; size?: number }) =>
      value.mode === 'none'
        ? page.good('not buffered')
        : value.mode === 'line'
          ? page.good('line-buffered')
          : page.warn(`block-buffered, ${size(value.size ?? 0)}`);
    rows.push(
      ['C stdio', page.field(facts.buffering.c, custom)],
      ['Python', page.field(facts.buffering.python, custom)],
      ['Node', page.field(facts.buffering.node, custom)],
      ['sluice', page.field(facts.buffering.sluice, custom)],
    );
    for (const [who, how] of Object.entries(facts.change ?? {}))
      rows.push([`to change ${who === 'c' ? 'C' : ''}`.trim(), who === 'c' ? how : `${who}: ${how}`]);
  }
  if (facts.readAhead) {
    const { c, python, node, sluice } = facts.readAhead;
    rows.push([
      'read ahead',
      page.dim(
        `up to ${size(c)} by C stdio, ${size(python)} by Python, ${size(node)} by Node, ${size(sluice)} by sluice`,
      ),
    ]);
  }
  return `${page.title(`${name} (${fd})`)}\n${page.rows(rows)}\n`;
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
