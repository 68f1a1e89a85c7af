// How a process and its pipeline look to a person: findings first, then the picture of stages, then descriptors.

import { isUnknown, type Known } from '../probe/certainty.js';
import type { Stage } from '../probe/pipeline.js';
import type { DescriptorFacts, ProcessFacts } from '../probe/process-facts.js';
import type { Waiting } from '../probe/waiting.js';
import { clip, count, type Page, plural, type Row, size, sureness } from './inspect-page.js';

export function processPage(facts: ProcessFacts, page: Page): string {
  const rows: Row[] = [
    ['program', page.field(facts.program)],
    ['state', `${facts.state}, ${waitingText(facts.waiting, page)}`],
    ['parent', `${facts.parent}${facts.threads > 1 ? page.dim(`  ${facts.threads} threads`) : ''}`],
    [
      'read, written',
      page.field(
        facts.io,
        (io: { read: number; written: number; writes: number }) =>
          `${size(io.read)}, ${size(io.written)} in ${plural(io.writes, 'write')}`,
      ),
    ],
  ];
  const parts = [`${page.title(`${facts.pid} ${clip(facts.command, 100)}`)}\n${page.rows(rows)}`];
  if (isUnknown(facts.descriptors)) parts.push(`  ${page.field(facts.descriptors)}`);
  else if (facts.descriptors.length > 0) parts.push(descriptorTable(facts.descriptors, page));
  if (facts.pipeline.length > 1) parts.push(picture(facts, page));
  for (const finding of facts.findings) {
    const sure = page.dim(`(${sureness(finding.certainty)}, ${Math.round(finding.certainty * 100)} %)`);
    const paint = finding.kind === 'deadlock' ? page.bad.bind(page) : page.warn.bind(page);
    const fix = finding.fix === null ? '' : `\n  ${page.dim('fix:')} ${page.good(page.name(finding.fix))}`;
    parts.push(`${paint(page.name(finding.text))} ${sure}${fix}`);
  }
  if (facts.notPermitted > 0)
    parts.push(page.dim(`${plural(facts.notPermitted, 'other process', 'other processes')} may not be looked into`));
  return `${parts.join('\n\n')}\n`;
}

function waitingText(waiting: Known<Waiting>, page: Page): string {
  return page.field(waiting, (value: Waiting) => {
    const on = value.fd === undefined ? '' : ` on fd ${value.fd}`;
    const call = value.call === undefined ? '' : page.dim(` (${value.call})`);
    const words: Record<Waiting['for'], string> = {
      running: 'runs',
      read: `waits to read${on}`,
      write: `waits to write${on}`,
      events: `waits for events${value.fds?.length ? ` on fds ${value.fds.join(', ')}` : ''}`,
      child: 'waits for a child',
      time: 'sleeps for a while',
      lock: 'waits for a lock or another thread',
      signal: 'waits for a signal',
      disk: 'waits for the disk',
      stopped: 'is stopped',
      ended: 'has ended',
      other: 'waits',
    };
    return words[value.for] + call;
  });
}

function descriptorTable(descriptors: DescriptorFacts[], page: Page): string {
  const lines = descriptors.map((each) => {
    const access = isUnknown(each.access)
      ? '?'
      : { read: 'r', write: 'w', 'read-write': 'rw', path: 'path' }[each.access];
    const flags = [each.append === true && 'append', each.nonBlocking === true && 'non-blocking']
      .filter(Boolean)
      .join(' ');
    const where =
      each.kind === 'pipe' || each.kind === 'socket' || each.kind === 'anonymous'
        ? page.dim(each.target)
        : page.name(clip(each.target, 60));
    const facts: string[] = [];
    if (each.offset !== undefined && !isUnknown(each.offset))
      facts.push(
        `at ${count(each.offset)} of ${count(each.size!)}${each.size ? ` (${Math.floor((100 * each.offset) / each.size)} %)` : ''}`,
      );
    if (each.waiting !== undefined)
      facts.push(
        `${page.field(each.waiting, (bytes: number) => `${size(bytes)} waiting`)}${isUnknown(each.capacity) || each.capacity === undefined ? '' : ` of ${size(each.capacity)}`}`,
      );
    if (each.peers !== undefined)
      facts.push(
        page.field(each.peers, (peers: { pid: number; command: string }[]) =>
          peers.length === 0
            ? page.warn('nobody has the other end')
            : `↔ ${peers.map(({ pid, command }) => `${pid} ${page.name(clip(command.split(' ')[0]!, 24))}`).join(', ')}`,
        ),
      );
    return `  ${String(each.fd).padStart(4)}  ${access.padEnd(4)} ${each.kind.padEnd(9)} ${[where, flags, ...facts].filter(Boolean).join('  ')}`;
  });
  return `${page.dim(`    fd       kind`)}\n${lines.join('\n')}`;
}

/** The stages from top to bottom, the pipes between them, and who is waited for. */
function picture({ pipeline, pipes, pid: subject }: ProcessFacts, page: Page): string {
  const lines: string[] = [];
  const name = (pid: number) => {
    const stage = pipeline.find((each) => each.pid === pid);
    return `${page.name(stage?.program ?? '?')} (${pid})`;
  };
  for (const stage of pipeline) {
    const mark = stage.pid === subject ? page.title('▶') : ' ';
    const io = isUnknown(stage.io) ? '' : page.dim(`  read ${size(stage.io.read)}, wrote ${size(stage.io.written)}`);
    const role = stage.role === 'wrapper' ? page.dim(' (only holds the pipes open)') : '';
    lines.push(`${mark} ┌ ${page.name(clip(stage.command, 70))} ${page.dim(`(${stage.pid})`)}${role}`);
    lines.push(
      `  │   ${waitingText(stage.waiting, page)}${stage.waitsFor.length > 0 ? `: for ${stage.waitsFor.map(name).join(' or ')}` : ''}${io}`,
    );
    if (stage.holding)
      lines.push(
        `  │   ${page.warn(`holds ${size(stage.holding.value.bytes)} back`)} ${page.dim(`(${sureness(stage.holding.certainty)}: ${stage.holding.because})`)}`,
      );
    if (stage.role === 'wrapper') continue;
    for (const pipe of pipes.filter(({ name: each }) => stage.writes.includes(each))) {
      const readers = pipe.readers.filter((reader) => reader !== stage.pid);
      lines.push(`  │ ${arrow(stage, pipe, page)} ${readers.map(name).join(', ') || page.warn('nobody')}`);
    }
  }
  return lines.join('\n');
}

function arrow(_: Stage, { waiting, capacity }: ProcessFacts['pipes'][number], page: Page): string {
  if (isUnknown(waiting) || isUnknown(capacity)) return `└──▶ ${page.dim('pipe, fill unknown')}`;
  const cells = 8;
  const full = capacity === 0 ? 0 : Math.ceil((waiting / capacity) * cells);
  const bar = '█'.repeat(full) + '░'.repeat(cells - full);
  return `└─${waiting >= capacity ? page.bad(bar) : page.good(bar)}─▶ ${page.dim(`${size(waiting)} of ${size(capacity)}`)}`;
}
