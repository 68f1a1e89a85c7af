// How the program before us in a pipe buffers what it writes: concluded from the sizes and ends of what comes, from the kernel's
// count of its writes, and from what is known of it. Each kind of evidence gives an opinion; agreement makes it surer.

import { commonBlock, fullPipe, wholeLineBlock, writtenBlock } from './block-sizes.js';
import { type Inferred, inferred, type Known, unknown } from './certainty.js';
import type { ChunkStatistics } from './chunk-statistics.js';
import type { SlotStatistics } from './pipe-slots.js';
import { anyRemedy } from './remedies.js';
import type { Upstream } from './upstream.js';
import type { Held, Written } from './upstream-watch.js';

/**
 * line: each line when it is complete; block: when so many bytes have gathered; none: at once, lines or not;
 * pass-through: it passes on what it reads, as it reads it.
 */
export type Buffering = 'line' | 'block' | 'none' | 'pass-through';

export interface Observed {
  statistics: ChunkStatistics;
  /** End of file has come. */
  ended: boolean;
  upstream: Upstream | undefined;
  /** The upstream's counters when last asked, and how many bytes had come from it then. */
  counters: Written | undefined;
  /** The most that it has read while it wrote nothing. */
  held: Held;
  /** How what came lay in the pipe, where that could be seen. */
  slots: SlotStatistics | undefined;
}

export interface Verdict {
  verdict: Known<Inferred<Buffering>>;
  /** Bytes that it gathers before it writes; null where it gathers none. */
  size: Known<Inferred<number> | null>;
  /** What to write instead, so that lines come at once; null: there's no need, or it is not known. */
  fix: string | null;
  note?: string;
}

interface Opinion {
  buffering: Buffering;
  size?: number;
  certainty: number;
  because: string;
}

export function verdictOf(observed: Observed): Verdict {
  const { upstream, statistics } = observed;
  const opinions = [byProgram, byCounters, bySlots, byChunks, byHolding]
    .map((opinion) => opinion(observed))
    .filter((opinion) => opinion !== undefined);
  // A program alone says what is usual, not what happened here.
  const watched =
    opinions.some((opinion) => opinion.certainty >= 0.5) && (statistics.bytes > 0 || observed.held.bytes > 0);
  if (opinions.length === 0 || !watched) {
    const reason = statistics.bytes === 0 ? 'nothing has come' : 'too little has come, or all of it at once';
    return { verdict: unknown(reason), size: unknown(reason), fix: null };
  }
  const { remedy } = upstream ?? {};
  if (remedy?.passes && remedy.note !== undefined) {
    const flow = [byCounters, bySlots, byChunks]
      .map((opinion) => opinion(observed))
      .find((opinion) => opinion !== undefined);
    const comes = flow ? `; what comes through it: ${flow.because}` : '';
    const because = `${upstream!.program} is known for it${comes}`;
    return { verdict: inferred('pass-through', 0.9, because), size: null, fix: null, note: remedy.note };
  }
  const best = opinions.reduce((one, other) => (other.certainty > one.certainty ? other : one));
  let certainty = best.certainty;
  for (const other of opinions) {
    if (other === best) continue;
    if (compatible(other.buffering, best.buffering)) certainty = 1 - (1 - certainty) * (1 - other.certainty / 2);
    else if (other.certainty >= 0.6) certainty *= 0.85;
  }
  const verdict = inferred(best.buffering, Math.min(certainty, 0.99), best.because);
  if (best.buffering !== 'block') {
    const note = remedy?.note;
    return { verdict, size: null, fix: null, ...(note !== undefined && { note }) };
  }
  return {
    verdict,
    size: sizeOf(opinions, remedy?.block ?? undefined, observed.slots),
    fix: remedy ? remedy.fix : upstream ? anyRemedy(upstream.program) : null,
    ...(remedy?.note !== undefined && { note: remedy.note }),
    ...(!remedy && upstream && { note: `this helps if ${upstream.program} is a dynamically linked C program` }),
  };
}

const compatible = (one: Buffering, other: Buffering): boolean =>
  one === other || (one !== 'block' && other !== 'block');

function sizeOf(opinions: Opinion[], usual: number | undefined, slots: SlotStatistics | undefined): Verdict['size'] {
  const seen = opinions
    .filter(({ buffering, size }) => buffering === 'block' && size !== undefined)
    .sort((one, other) => other.certainty - one.certainty)[0];
  if (seen?.size !== undefined) return inferred(seen.size, seen.certainty, seen.because);
  if (usual !== undefined) return inferred(usual, 0.7, 'what this program has unless it is told otherwise');
  return unknown(
    slots && slots.full > slots.fullEndingLine ? `a multiple of ${slots.page}` : 'too few full blocks have come',
  );
}

function byProgram({ upstream }: Observed): Opinion | undefined {
  const remedy = upstream?.remedy;
  if (!upstream || !remedy) return undefined;
  const { program, unbuffered } = upstream;
  if (unbuffered !== undefined)
    return { buffering: 'line', certainty: 0.75, because: `${program} was given ${unbuffered}` };
  if (remedy.passes) return { buffering: 'pass-through', certainty: 0.9, because: `${program} is known for it` };
  if (remedy.block === null)
    return { buffering: 'line', certainty: 0.9, because: `${program} is known to write at once` };
  return {
    buffering: 'block',
    certainty: 0.45,
    because: `${program} does so when it writes to a pipe, unless it is told otherwise`,
  };
}

/** The kernel's count of its writes: how large they were on average, however they have run together since. */
function byCounters({ counters, statistics }: Observed): Opinion | undefined {
  if (!counters || counters.writes === 0 || statistics.lines === 0) return undefined;
  const { written, writes, arrived } = counters;
  // It writes elsewhere too, and the counters do not say how much: then they say nothing. Some may be on the way.
  const onTheWay = arrived >= fullPipe ? 2 ** 21 : 64;
  if (written < arrived * 0.95 - 64 || written > arrived * 1.1 + onTheWay) return undefined;
  const average = written / writes;
  const line = statistics.seenBytes / statistics.lines;
  const sizes = `${writes} writes of ${Math.round(average)} bytes on average`;
  if (average <= 1.5 * line) {
    const ends = burstsEndLines(statistics);
    if (writes < 2) return undefined; // One line is no pattern.
    if (average < 0.4 * line && ends < 0.9)
      return { buffering: 'none', certainty: 0.9, because: `${sizes}, in lines of ${Math.round(line)}` };
    return {
      buffering: 'line',
      certainty: Math.min(0.98, 0.75 + writes / 50),
      because: `${sizes}, in lines of ${Math.round(line)}`,
    };
  }
  if (writes === 1)
    return statistics.lines < 2 || written < statistics.bytes
      ? undefined
      : { buffering: 'block', certainty: 0.8, because: `all ${statistics.lines} lines came in one write` };
  const size = writtenBlock(writes, written, line, statistics.longestLine);
  if (size === undefined) return undefined;
  const because = average === size ? `${writes} writes of ${size} bytes` : `${sizes}: blocks of ${size}`;
  return { buffering: 'block', size, certainty: writes < 4 ? 0.85 : 0.97, because };
}

const burstsEndLines = ({ bursts, burstsEndingLine, final }: ChunkStatistics): number =>
  bursts === 0 ? (final?.endsLine ? 1 : 0) : burstsEndingLine / bursts;

/** How slots of the pipe were filled, which shows how it was written long after. */
function bySlots({ slots, statistics, upstream }: Observed): Opinion | undefined {
  const { longestLine } = statistics;
  // A line that is longer than a slot fills some whatever the writer does.
  if (!slots || slots.moved || longestLine >= slots.page) return undefined;
  const { page, full, fullEndingLine, broken, brokenEndingLine, leastBroken } = slots;
  const cut = full - fullEndingLine;
  if (cut > 0) {
    const size = wholeLineBlock(slots, longestLine);
    const because =
      size === undefined
        ? `${cut} ${cut === 1 ? 'slot' : 'slots'} of the pipe were full to the last byte, in the middle of a line`
        : `it wrote as many whole lines as go into ${size} bytes`;
    if (size !== undefined) return { buffering: 'block', size, certainty: 0.9, because };
    // Pieces of lines fill a slot by chance only, or byte by byte.
    if (broken > cut) return undefined;
    // One that is not known may have been a cat, and the blocks another's.
    return { buffering: 'block', certainty: Math.min(upstream ? 0.9 : 0.85, 0.8 + 0.02 * cut), because };
  }
  if (broken === 0 || brokenEndingLine < broken || leastBroken + longestLine <= page) return undefined;
  return {
    buffering: 'line',
    certainty: Math.min(0.92, 0.8 + 0.02 * broken),
    because: `${broken} ${broken === 1 ? 'slot' : 'slots'} of the pipe ended with a line for which the next had no room left`,
  };
}

/** Sizes and ends of chunks that were waited for, and so are what was written. */
function byChunks({ statistics, ended, counters }: Observed): Opinion | undefined {
  const { prompt, promptChunks, promptLines, promptEndingLine, lines, seenBytes, longestLine, bursts } = statistics;
  const line = lines > 0 ? seenBytes / lines : Number.POSITIVE_INFINITY;
  if (promptChunks >= 3) {
    const { size, share } = commonBlock(prompt, longestLine);
    if (size !== undefined && share >= 0.6 && size > 1.5 * line)
      return {
        buffering: 'block',
        size,
        certainty: Math.min(0.96, 0.55 + 0.04 * promptChunks) * Math.min(1, share + 0.1),
        because: `${Math.round(share * 100)} % of ${promptChunks} chunks are blocks of ${size}`,
      };
  }
  const ends = burstsEndLines(statistics);
  if (bursts >= 2 && ends >= 0.98) {
    const perChunk = promptLines / Math.max(1, promptEndingLine);
    const each = perChunk < 1.5 ? 0.35 : 0.6;
    // Many lines at a time may as well be a block of whole lines.
    const most = perChunk < 10 ? 0.97 : 0.55;
    return {
      buffering: 'line',
      certainty: Math.min(most, 1 - each ** Math.min(bursts, 8)),
      because: `all that came in ${bursts} bursts ended on a newline`,
    };
  }
  if (bursts >= 5 && ends < 0.9 && lines > 0 && seenBytes / bursts < 0.8 * line)
    return { buffering: 'none', certainty: 0.8, because: 'it comes in pieces of lines' };
  if (bursts >= 3 && ends < 0.6 && seenBytes / bursts > 2 * line)
    return {
      buffering: 'block',
      certainty: 0.75,
      because: `only ${Math.round(ends * 100)} % of ${bursts} bursts ended on a newline`,
    };
  // Where its counters may not be seen, that it held them back is the most likely reason.
  const { final, finalWait, burstBytes } = statistics;
  const last = bursts <= 1 && counters === undefined ? final : undefined;
  if (ended && last && last.lines >= 2 && finalWait >= 150 && burstBytes <= last.bytes)
    return { buffering: 'block', certainty: 0.5, because: `all ${last.lines} lines came at once, at the end` };
  return undefined;
}

/** It has read and written nothing: what it read may still be in its buffer, or may not have been worth a write. */
function byHolding({ held, statistics, ended, upstream }: Observed): Opinion | undefined {
  const { final, bursts } = statistics;
  const atOnce = ended && bursts <= 1 && final !== undefined && final.lines >= 2;
  // Of a program that has only begun, what was read may be other things, unless it was enough for what was written.
  const enough = atOnce && held.bytes >= final.bytes / 4;
  const often = atOnce && held.reads >= 3;
  const long = held.milliseconds >= (enough || often ? 30 : 150) && held.bytes > 0;
  if (!long || upstream?.remedy?.passes || upstream?.unbuffered !== undefined) return undefined;
  const because = `it read ${held.bytes} bytes in ${(held.milliseconds / 1000).toFixed(1)} s and wrote nothing`;
  if (enough || often)
    return {
      buffering: 'block',
      certainty: enough ? 0.93 : 0.75,
      because: `${because}; then ${final!.lines} lines came at once`,
    };
  return statistics.bytes === 0
    ? { buffering: 'block', certainty: 0.6, because: `${because} (or nothing of it was to be written)` }
    : undefined;
}
