// How the pipe meter's report looks to a person.

import { isUnknown } from '../probe/certainty.js';
import type { PipeReport } from '../probe/pipe-report.js';
import { clip, count, type Page, peersRow, plural, type Row, size } from './inspect-page.js';

const words: Record<string, string> = {
  line: 'line-buffered: each line comes when it is complete',
  block: 'block-buffered',
  none: 'unbuffered: it writes at once, lines or not',
  'pass-through': 'passes on what it reads, as it reads it',
};

export function pipePage(report: PipeReport, page: Page): string {
  const { bytes, elapsedMs, bytesPerSecond, chunks, gaps, upstream } = report;
  const seconds = elapsedMs / 1000;
  const rows: Row[] = [
    [
      'bytes',
      `${size(bytes)}${bytes < 1024 ? '' : ` (${count(bytes)})`} in ${duration(seconds)}: ${size(bytesPerSecond)}/s`,
    ],
    ['lines', page.field(report.lines, (lines: number) => count(lines))],
    ['chunks', chunks === 0 ? 'none' : `${count(chunks)}, ${size(Math.round(bytes / chunks))} on average`],
    chunks === 0 ? undefined : ['sizes', histogram(report, page)],
    report.commonSizes.length > 0
      ? [
          'most frequent',
          report.commonSizes
            .map((each) => `${count(each.size)} B × ${count(each.chunks)}`)
            .slice(0, 3)
            .join(', '),
        ]
      : undefined,
    [
      'end on newline',
      page.field(report.endOnNewline, (share: number) => `${Math.round(share * 1000) / 10} % of the chunks`),
    ],
    [
      'gaps',
      gaps.count === 0
        ? 'none of 10 ms or more'
        : `${plural(gaps.count, 'gap')} of 10 ms or more, the longest ${duration(gaps.longestMs / 1000)}`,
    ],
    [
      'upstream',
      page.field(
        upstream,
        (value: { pid: number; command: string }) => `${value.pid} ${page.name(clip(value.command, 70))}`,
      ),
    ],
    Array.isArray(report.writers) && report.writers.length > 1
      ? peersRow('all writers', report.writers, page)
      : undefined,
    isUnknown(report.upstreamWrites)
      ? undefined
      : [
          'its writes',
          `${count(report.upstreamWrites.writes)}, ${count(report.upstreamWrites.averageBytes)} bytes on average ${page.dim('(the kernel counts them)')}`,
        ],
    [
      'verdict',
      page.field(report.verdict, (word: string) =>
        word === 'block' ? page.warn(words[word]!) : page.good(words[word]!),
      ),
    ],
    bufferRow(report, page),
    report.fix === null ? undefined : ['fix', page.good(page.name(report.fix))],
    report.note === undefined ? undefined : ['note', page.name(report.note)],
  ];
  return `${page.title(report.ended ? 'pipe' : 'pipe, so far')}\n${page.rows(rows)}`;
}

/** What made the verdict need not be said twice. */
function bufferRow({ verdict, size: buffer }: PipeReport, page: Page): Row {
  if (buffer === null || isUnknown(verdict)) return undefined;
  const { because, ...alone } = { because: undefined, ...buffer };
  return ['its buffer', page.field(because === verdict.because ? alone : buffer, size)];
}

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar a bin, as long as its share of the chunks. */
function histogram({ chunkSizes }: PipeReport, page: Page): string {
  const most = Math.max(...chunkSizes.map(({ chunks }) => chunks));
  const label = ({ from, to }: { from: number; to: number }) =>
    to - from === 1 ? size(from) : `${size(from)}–${size(to - 1)}`;
  const width = Math.max(...chunkSizes.map((bin) => label(bin).length));
  return page.lines(
    chunkSizes.map((bin) => {
      const units = Math.max(1, Math.round((bin.chunks / most) * 30 * 8));
      const bar = '█'.repeat(units >> 3) + eighths[units & 7]!;
      return `${label(bin).padStart(width)} ${page.good(bar)} ${page.dim(count(bin.chunks))}`;
    }),
  );
}

function duration(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return parts.map((part, i) => (i === 0 ? String(part) : String(part).padStart(2, '0'))).join(':');
}
