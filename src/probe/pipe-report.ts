// What the pipe meter has to say: its figures, and what follows from them.

import { isUnknown, type Known, unknown } from './certainty.js';
import type { HistogramBin } from './chunk-statistics.js';
import type { Peer } from './pipe-holders.js';
import type { PipeMeter } from './pipe-meter.js';
import { type Verdict, verdictOf } from './verdict.js';

export interface PipeReport extends Verdict {
  type: 'pipe';
  /** False: more may come (the report was asked for by a signal). */
  ended: boolean;
  bytes: number;
  elapsedMs: number;
  bytesPerSecond: number;
  /** As they arrived. Several writes that were not read at once arrive as one. */
  chunks: number;
  chunkSizes: HistogramBin[];
  /** Of the chunks that were waited for, which are what was written: the most frequent sizes. */
  commonSizes: { size: number; chunks: number }[];
  /** Waits for the next chunk of 10 ms or more, the longest, and all waiting there was. */
  gaps: { count: number; longestMs: number; waitedMs: number };
  /** Newlines. */
  lines: Known<number>;
  /** Share (0 to 1) of the chunks that ended on a newline. */
  endOnNewline: Known<number>;
  upstream: Known<{ pid: number; command: string; program: string }>;
  /** Everybody who has the upstream's end open. */
  writers: Known<Peer[]>;
  /** The kernel's count of what the upstream wrote, without what it had written before anything came. */
  upstreamWrites: Known<{ writes: number; bytes: number; averageBytes: number }>;
  method: 'splice' | 'readinto';
}

export function pipeReport(meter: PipeMeter): PipeReport {
  const { statistics, watch, ended, elapsed, spliced, slots } = meter;
  const { upstream, counters, held, writers } = watch;
  const round = (milliseconds: number) => Math.round(milliseconds * 10) / 10;
  const share = statistics.seenChunks === 0 ? undefined : statistics.endingLine / statistics.seenChunks;
  return {
    type: 'pipe',
    ended,
    bytes: statistics.bytes,
    elapsedMs: Math.round(elapsed),
    bytesPerSecond: Math.round(statistics.bytes / (Math.max(elapsed, 0.001) / 1000)),
    chunks: statistics.chunks,
    chunkSizes: statistics.histogram(),
    commonSizes: statistics.commonSizes(5),
    gaps: { count: statistics.gaps, longestMs: round(statistics.longestGap), waitedMs: round(statistics.waited) },
    lines: spliced === 0 ? statistics.lines : unknown(`${spliced} bytes were passed on without being looked at`),
    endOnNewline: share === undefined ? unknown('no chunk was looked at') : Math.round(share * 1000) / 1000,
    upstream: isUnknown(upstream)
      ? upstream
      : { pid: upstream.pid, command: upstream.command, program: upstream.program },
    writers,
    upstreamWrites: counters
      ? {
          writes: counters.writes,
          bytes: counters.written,
          averageBytes: counters.writes === 0 ? 0 : Math.round((10 * counters.written) / counters.writes) / 10,
        }
      : unknown(isUnknown(upstream) ? upstream.unknown : 'not permitted, or it had ended'),
    method: spliced > 0 ? 'splice' : 'readinto',
    ...verdictOf({ statistics, ended, upstream: isUnknown(upstream) ? undefined : upstream, counters, held, slots }),
  };
}
