// What this process was given as stdin, stdout and stderr, and how programs that inherit the same would buffer on them.

import { type BigIntStats, fstatSync, readlinkSync } from 'node:fs';
import { native } from '../io/native.js';
import { decodePath } from '../io/path.js';
import { isTerminal } from '../io/terminal.js';
import { type Customs, customsOf, type StreamKind, switches } from './buffering-customs.js';
import { isUnknown, type Known, unknown } from './certainty.js';
import { accessIn } from './openers.js';
import { holdersOf, type Peer } from './pipe-holders.js';
import { fieldsOf } from './proc.js';
import { needsNative } from './storage-facts.js';

export interface StreamFacts {
  type: 'stream';
  fd: number;
  name: 'stdin' | 'stdout' | 'stderr';
  kind: StreamKind;
  /** Where it leads, as /proc names it. */
  target: Known<string>;
  access: Known<'read' | 'write' | 'read-write' | 'path'>;
  append: Known<boolean>;
  /** O_NONBLOCK: it is shared by all who have this open file, and trips programs that do not expect it. */
  nonBlocking: Known<boolean>;
  /** Of files: where the next read or write goes. */
  offset?: Known<number>;
  size?: number;
  /** Of pipes: bytes it can hold, bytes that wait in it. */
  capacity?: Known<number>;
  waiting?: Known<number>;
  /** Of pipes: who else has its ends open. */
  writers?: Known<Peer[]>;
  readers?: Known<Peer[]>;
  /** The same file, pipe or terminal as another of the three, opened once or twice. */
  sameAs: ('stdin' | 'stdout' | 'stderr')[];
  /** How what is written to it is buffered, by the writer's library; of stdin, read-ahead is told instead. */
  buffering?: Customs;
  readAhead?: { c: number; python: number; node: number; sluice: number };
  /** How to have lines at once where they are not. */
  change?: Partial<Record<keyof Customs, string>>;
}

const names = ['stdin', 'stdout', 'stderr'] as const;

export function streamFacts(): StreamFacts[] {
  const stats = names.map((_, fd) => statOf(fd));
  return names.map((name, fd) => {
    const stat = stats[fd];
    const same = names.filter(
      (_, other) => other !== fd && stat && stats[other]?.ino === stat.ino && stats[other]?.dev === stat.dev,
    );
    return stat ? openStream(fd, name, stat, same) : closedStream(fd, name);
  });
}

function statOf(fd: number): BigIntStats | undefined {
  try {
    return fstatSync(fd, { bigint: true });
  } catch {
    return undefined;
  }
}

function closedStream(fd: number, name: StreamFacts['name']): StreamFacts {
  const no = unknown('it is closed');
  return { type: 'stream', fd, name, kind: 'closed', target: no, access: no, append: no, nonBlocking: no, sameAs: [] };
}

/** What kind of stream `fd` is. /dev/null is told from other devices by its number (1:3). */
export function streamKindOf(fd: number, stat: BigIntStats): StreamKind {
  if (isTerminal(fd)) return 'terminal';
  if (stat.isFIFO()) return 'pipe';
  if (stat.isFile()) return 'file';
  if (stat.isSocket()) return 'socket';
  if (stat.isDirectory()) return 'directory';
  return stat.isCharacterDevice() && stat.rdev === 0x103n ? 'null' : 'device';
}

function openStream(
  fd: number,
  name: StreamFacts['name'],
  stat: BigIntStats,
  sameAs: StreamFacts['sameAs'],
): StreamFacts {
  const kind = streamKindOf(fd, stat);
  const info = fieldsOf(`/proc/self/fdinfo/${fd}`);
  const known = info !== undefined && !isUnknown(info) ? info : undefined;
  const flags = known ? Number.parseInt(known.get('flags')!, 8) : undefined;
  const no = unknown('needs /proc');
  const facts: StreamFacts = {
    type: 'stream',
    fd,
    name,
    kind,
    target: targetOf(fd) ?? no,
    access: flags === undefined ? no : accessIn(flags),
    append: flags === undefined ? no : (flags & 0o2000) !== 0,
    nonBlocking: flags === undefined ? no : (flags & 0o4000) !== 0,
    sameAs,
  };
  if (kind === 'file') Object.assign(facts, { offset: known ? Number(known.get('pos')) : no, size: Number(stat.size) });
  if (kind === 'pipe') Object.assign(facts, pipeFacts(fd, stat));
  if (fd === 0) facts.readAhead = { c: stdinBlock(stat), python: 8192, node: 65536, sluice: 262144 };
  else {
    facts.buffering = customsOf(fd, kind, Number(stat.blksize));
    facts.change = Object.fromEntries(
      (Object.keys(facts.buffering) as (keyof Customs)[])
        .filter((who) => facts.buffering![who].value.mode === 'block')
        .map((who) => [who, switches[who]]),
    );
  }
  return facts;
}

const stdinBlock = (stat: BigIntStats): number =>
  stat.blksize > 0n && stat.blksize < 8192n ? Number(stat.blksize) : 8192;

function targetOf(fd: number): string | undefined {
  try {
    return decodePath(readlinkSync(`/proc/self/fd/${fd}`, { encoding: 'buffer' }));
  } catch {
    return undefined;
  }
}

function pipeFacts(fd: number, stat: BigIntStats): Partial<StreamFacts> {
  const calls = native();
  const asked = <T>(ask: () => T): Known<T> => {
    if (!calls) return unknown(needsNative());
    try {
      return ask();
    } catch (error) {
      return unknown((error as Error).message);
    }
  };
  const holders = holdersOf(stat);
  return {
    capacity: asked(() => calls!.pipes.capacity(fd)),
    waiting: asked(() => calls!.pipes.waiting(fd)),
    writers: isUnknown(holders) ? holders : holders.writers,
    readers: isUnknown(holders) ? holders : holders.readers,
  };
}
