// How stdin, stdout and stderr look to a person.

import type { StreamFacts } from '../probe/stream-facts.js';
import { count, type Page, peersRow, plural, type Row, size } from './inspect-page.js';

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
