// `sluice bench`: what buffer sizes are worth on this storage. All sizes are measured in turn in every round, there and back, so that
// a machine that becomes slower or busier does so for all of them, and only pairs from one round are compared.

import { mkdtempSync, rmSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { storageOf } from '../io/durability.js';
import { failure, SluiceError } from '../io/failure.js';
import { decodePath, fsPath } from '../io/path.js';
import { defaultStep } from '../io/pump.js';
import { whileUnfinished } from '../io/unfinished.js';
import { type Operation, type OperationName, operationsIn } from './bench-operations.js';
import { type Comparison, compare, type Estimate, estimate } from './bench-statistics.js';
import type { Context } from './context.js';

export interface BenchOptions {
  directory: string;
  /** Bytes a measurement moves, at most. */
  fileSize: number;
  /** Milliseconds for all of it, more or less. */
  time: number;
}

export interface Point extends Estimate {
  bufferSize: number;
}

export interface Curve {
  name: OperationName;
  title: string;
  /** Bytes a second by buffer size, smallest first. */
  points: Point[];
  comparison: Comparison;
}

export interface BenchResult {
  directory: string;
  fileSize: number;
  rounds: number;
  defaultSize: number;
  curves: Curve[];
}

const KiB = 1024;
export const bufferSizes = [4 * KiB, 16 * KiB, 64 * KiB, 256 * KiB, 1024 * KiB, 4096 * KiB];
/** Less than this says little: one buffer of 4 MiB, twice. */
const leastFile = 8 * 1024 * KiB;
const [fewestRounds, mostRounds] = [3, 15];

/** Measures, reports every figure and verdict as a record, and leaves nothing behind. */
export async function bench(options: BenchOptions, context: Context): Promise<BenchResult> {
  const { directory } = options;
  const started = performance.now();
  const fileSize = room(options);
  let scratch: string;
  try {
    scratch = decodePath(mkdtempSync(fsPath(join(directory, '.sluice-bench-')) as string, { encoding: 'buffer' }));
  } catch (error) {
    throw failure(error, { path: directory, state: 'nothing was measured' });
  }
  const remove = () => rmSync(fsPath(scratch), { recursive: true, force: true });
  const finished = whileUnfinished(remove);
  try {
    const { operations, omitted, close } = await operationsIn(scratch, fileSize);
    for (const { name, reason } of omitted) context.record({ type: 'omitted', operation: name, reason });
    let measured: Measured;
    try {
      measured = await measure(operations, fileSize, options.time, context);
    } finally {
      close();
    }
    const curves = operations.map(({ name, title }) => curve(name, title, measured.rates.get(name)!, fileSize));
    const result = { directory, fileSize, rounds: measured.rounds, defaultSize: defaultStep, curves };
    report(result, performance.now() - started, context);
    return result;
  } finally {
    finished();
    remove();
  }
}

/** How large a file may be: two are there at a time, and a tenth of what is free is enough. */
function room({ directory, fileSize }: BenchOptions): number {
  try {
    if (!statSync(fsPath(directory)).isDirectory())
      throw new SluiceError('is not a directory', { code: 'ENOTDIR', path: directory, state: 'nothing was measured' });
    const { bavail, bsize } = statfsSync(fsPath(directory));
    const most = Math.floor((bavail * bsize) / 10);
    if (most < leastFile)
      throw new SluiceError(`has too little room: ${bavail * bsize} bytes free, ${10 * leastFile} needed`, {
        code: 'ENOSPC',
        path: directory,
        state: 'nothing was measured',
      });
    return Math.min(fileSize, most);
  } catch (error) {
    throw failure(error, { path: directory, state: 'nothing was measured' });
  }
}

interface Measured {
  rounds: number;
  /** By operation and buffer size: milliseconds of each round. */
  rates: Map<OperationName, Map<number, number[]>>;
}

async function measure(operations: Operation[], fileSize: number, time: number, context: Context): Promise<Measured> {
  const rates = new Map(
    operations.map(({ name }) => [name, new Map(bufferSizes.map((size) => [size, [] as number[]]))]),
  );
  const started = performance.now();
  let rounds = 0;
  let planned = fewestRounds;
  let bytes = 0;
  // What is measured first pays for waking everything up: once for nobody.
  for (const { run } of operations) await run(defaultStep);
  for (; rounds < planned; rounds++) {
    const before = performance.now();
    const order = rounds % 2 === 0 ? bufferSizes : [...bufferSizes].reverse();
    for (const { name, run, title } of operations)
      for (let i = 0; i < order.length; i++) {
        // Every size comes first as often as any other.
        const size = order[(i + (rounds >> 1)) % order.length]!;
        rates
          .get(name)!
          .get(size)!
          .push(await run(size));
        bytes += fileSize;
        const totalBytes = planned * operations.length * order.length * fileSize;
        context.progress({ bytes, totalBytes, name: title });
      }
    const took = performance.now() - before;
    if (rounds === 0) planned = Math.max(fewestRounds, Math.min(mostRounds, Math.floor(time / took)));
    else if (performance.now() - started + took > time) planned = Math.max(fewestRounds, rounds + 1);
  }
  return { rounds, rates };
}

function curve(name: OperationName, title: string, times: Map<number, number[]>, fileSize: number): Curve {
  const rates = new Map([...times].map(([size, list]) => [size, list.map((ms) => (fileSize * 1000) / ms)]));
  const points = [...rates].map(([bufferSize, list]) => ({ bufferSize, ...estimate(list) }));
  return { name, title, points, comparison: compare(rates, defaultStep) };
}

function report({ directory, fileSize, rounds, curves }: BenchResult, elapsed: number, context: Context): void {
  for (const { name, title, points, comparison } of curves) {
    for (const { bufferSize, mean, low, high } of points)
      context.record({
        type: 'measurement',
        operation: name,
        title,
        bufferSize,
        bytesPerSecond: Math.round(mean),
        low: Math.round(low),
        high: Math.round(high),
        fastest: Math.round(Math.max(...points.map((point) => point.mean))),
        default: bufferSize === defaultStep,
      });
    const { best, share, verdict } = comparison;
    context.record({
      type: 'verdict',
      operation: name,
      verdict,
      defaultBufferSize: defaultStep,
      bestBufferSize: best,
      shareOfBest: round(share.mean),
      low: round(share.low),
      high: round(share.high),
      message: inWords(comparison),
    });
  }
  context.record({
    type: 'summary',
    directory,
    storage: storageOf(directory),
    fileSize,
    rounds,
    defaultBufferSize: defaultStep,
    tune: curves.filter(({ comparison }) => comparison.verdict === 'tune').map(({ name }) => name),
    message: overall(curves),
    elapsedMs: Math.round(elapsed),
  });
}

const round = (share: number): number => Math.round(share * 1000) / 1000;

export const sizeName = (bytes: number): string =>
  bytes < KiB * KiB ? `${bytes / KiB} KiB` : `${bytes / KiB / KiB} MiB`;

const percent = (share: number): string => `${Math.max(1, Math.round(Math.abs(share) * 100))} %`;

function inWords({ best, share, verdict }: Comparison): string {
  if (best === defaultStep) return `the default, ${sizeName(defaultStep)}, is the best: do not tune`;
  if (verdict === 'default') return `the default is within ${percent(1 - share.mean)} of the best: do not tune`;
  const faster = `${sizeName(best)} is ${percent(1 / share.mean - 1)} faster`;
  if (verdict === 'tune')
    return `${faster} than the default (95 % sure: ${percent(1 / share.high - 1)} to ${percent(1 / share.low - 1)})`;
  return `${faster} than the default on average, but the measurements vary too much to be sure: do not tune`;
}

function overall(curves: Curve[]): string {
  const tune = curves.filter(({ comparison }) => comparison.verdict === 'tune');
  if (tune.length === 0) {
    const worst = Math.min(...curves.map(({ comparison }) => comparison.share.mean));
    return worst >= 0.95
      ? `the default is within ${percent(1 - worst)} of the best everywhere: do not tune`
      : 'no buffer size is surely better than the default: do not tune';
  }
  const list = tune.map(
    ({ name, comparison }) => `${name} (--buffer-size ${sizeName(comparison.best).replace(/ (.)iB/, '$1')})`,
  );
  return `worth tuning for what you do much of: ${list.join(', ')}`;
}
