// How a file looks to a person.

import { isUnknown } from '../probe/certainty.js';
import type { FileFacts } from '../probe/file-facts.js';
import type { Opener } from '../probe/openers.js';
import { clip, count, type Page, plural, type Row, size } from './inspect-page.js';

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
            : page.dim(`; ${plural(openers.notPermitted, 'process', 'processes')} may not be looked into`);
        if (openers.processes.length === 0) return `no process${hidden}`;
        return page.lines(openers.processes.map((each) => openIn(each, page))) + hidden;
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
