// Random trees and random edits of them, the same for the same seed: every kind of entry, under names and with attributes
// that make trouble. What is made can be read by who makes it.

import {
  appendFileSync,
  chmodSync,
  closeSync,
  constants,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { native } from '../../src/io/native.js';
import { makeSocket } from './nasty-tree.js';
import { isRoot } from './sluice.js';

/** Random numbers that a seed decides (mulberry32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to `below` - 1. */
  roll(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.roll(times) === 0;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.roll(from.length)]!;
  }
}

const text = (...parts: (string | Buffer)[]): Buffer => Buffer.concat(parts.map((part) => Buffer.from(part as string)));
const under = (directory: Buffer, name: Buffer): Buffer => text(directory, '/', name);

/** Few, so that edits on two sides meet under one name. */
const names: Buffer[] = [
  ...[
    'a',
    'b',
    'c',
    'd',
    'A',
    'a b',
    'a\nb',
    '-n',
    '*',
    'caf\u00e9',
    'cafe\u0301',
    '.hidden',
    'x'.repeat(255),
    '\\',
    "'",
  ],
].map((name) => Buffer.from(name));
names.push(text('bad', Buffer.from([0xff])), Buffer.from([0xed, 0xb3, 0xbf]), Buffer.from([0x80]));

const sizes = [0, 1, 100, 4095, 4096, 4097, 262_143, 262_144, 262_145, 700_000];
const fileModes = [0o400, 0o444, 0o600, 0o640, 0o644, 0o666, 0o755, 0o777, 0o1644, 0o2755, 0o4755, 0o6711, 0o7777];
const directoryModes = [0o700, 0o755, 0o750, 0o775, 0o777, 0o1777, 0o2775, 0o500, 0o555];
const times = [
  0n,
  -1n,
  1n,
  -1_500_000_001n,
  1_000_000_000_123_456_789n,
  1_600_000_000_000_000_000n,
  4_000_000_000_999_999_999n,
];
let drawn = 0;
const linkTexts = ['a', '.', '..', '../..', 'nowhere', '/etc', '/', 'a/b', 'x'.repeat(200)];

export interface RandomOptions {
  /** As an unprivileged user: no devices, no owners. */
  unprivileged?: boolean;
  /** With sockets, which every command passes over. */
  sockets?: boolean;
}

/** Makes the tree at `root`, which must not exist. */
export function randomTree(root: string, dice: Dice, options: RandomOptions = {}): void {
  const top = Buffer.from(root);
  mkdirSync(top);
  for (let i = dice.roll(40) + 10; i > 0; i--) make(top, dice, options);
  redressed(top);
}

/** Anything, anywhere in the tree, `count` times. */
export function randomEdits(root: string, dice: Dice, count: number, options: RandomOptions = {}): void {
  const top = Buffer.from(root);
  for (let i = 0; i < count; i++) edit(top, dice, options);
  redressed(top);
}

/** Directories as they are met; the owner's way into each is made on the way. */
function directoriesOf(top: Buffer): Buffer[] {
  const found = [top];
  for (let i = 0; i < found.length; i++) {
    openUp(found[i]!);
    for (const each of readdirSync(found[i]!, { encoding: 'buffer' })) {
      const path = under(found[i]!, each);
      if (lstatSync(path).isDirectory()) found.push(path);
    }
  }
  return found;
}

function openUp(directory: Buffer): void {
  const { mode } = lstatSync(directory);
  if ((mode & 0o700) === 0o700) return;
  closed.set(directory.toString('latin1'), mode & 0o7777);
  chmodSync(directory, (mode & 0o7777) | 0o700);
}

/** Modes to give back once a round of edits has ended. */
const closed = new Map<string, number>();

function redressed(top: Buffer): void {
  for (const [path, mode] of closed) {
    try {
      const bytes = Buffer.from(path, 'latin1');
      if (path.startsWith(top.toString('latin1')) && lstatSync(bytes).isDirectory()) chmodSync(bytes, mode);
    } catch {
      // Edited away.
    }
  }
  closed.clear();
}

function make(top: Buffer, dice: Dice, options: RandomOptions): void {
  const directories = directoriesOf(top);
  const path = under(dice.pick(directories), dice.pick(names));
  if (lstatSync(path, { throwIfNoEntry: false })) return;
  const isRootHere = isRoot && !options.unprivileged;
  switch (dice.roll(options.sockets ? 12 : 11)) {
    case 0:
    case 1:
    case 2:
      mkdirSync(path);
      break;
    case 3:
      symlinkSync(dice.pick([...linkTexts.map((each) => Buffer.from(each)), Buffer.from([0xff, 0x0a])]), path);
      break;
    case 4:
      if (!link(top, path, dice)) return;
      break;
    case 5:
      holes(path, dice);
      break;
    case 6:
      if (!special(path, constants.S_IFIFO)) return;
      break;
    case 10:
      if (!isRootHere) return;
      if (!special(path, dice.pick([constants.S_IFCHR, constants.S_IFBLK]), dice.pick([0x103, 0x707, 0x10_0001])))
        return;
      break;
    case 11:
      makeSocket(path);
      if (!lstatSync(path, { throwIfNoEntry: false })) return;
      break;
    default:
      writeFileSync(path, content(dice));
  }
  dress(path, dice, isRootHere);
}

const content = (dice: Dice): Buffer => Buffer.alloc(dice.pick(sizes), `${dice.roll(1000)} `);

function holes(path: Buffer, dice: Dice): void {
  const fd = openSync(path, 'w');
  for (let i = dice.roll(3); i > 0; i--) writeSync(fd, 'island', dice.roll(32) * 65536);
  closeSync(fd);
  truncateSync(path, (33 + dice.roll(4)) * 65536 + dice.roll(5000));
}

function link(top: Buffer, path: Buffer, dice: Dice): boolean {
  const others = directoriesOf(top).flatMap((directory) =>
    readdirSync(directory, { encoding: 'buffer' })
      .map((name) => under(directory, name))
      .filter((each) => !lstatSync(each).isDirectory() && !lstatSync(each).isSocket()),
  );
  if (others.length === 0) return false;
  linkSync(dice.pick(others), path);
  return true;
}

function special(path: Buffer, type: number, device = 0): boolean {
  const dirs = native()?.directories;
  if (type === constants.S_IFIFO) dirs?.makeFifo(dirs.here, path, 0o600);
  else {
    try {
      dirs?.makeDevice(dirs.here, path, type, 0o600, device);
    } catch {
      return false; // Not even root may, in some containers.
    }
  }
  return dirs !== undefined;
}

/** Some attributes, at random. */
function dress(path: Buffer, dice: Dice, isRootHere: boolean): void {
  const stat = lstatSync(path);
  const calls = native();
  if (isRootHere && dice.once(4))
    calls?.directories.changeOwner(calls.directories.here, path, dice.roll(3), dice.roll(3));
  if (stat.isDirectory()) chmodSync(path, dice.pick(directoryModes));
  else if (stat.isFile()) chmodSync(path, dice.pick(fileModes));
  else if (stat.isFIFO()) chmodSync(path, dice.pick([0o600, 0o640, 0o666]));
  if (calls && dice.once(4) && (stat.isFile() || stat.isDirectory())) attribute(path, stat.isDirectory(), dice);
  if (dice.once(2)) {
    // No two alike, and far enough apart for any clock: size and time tell any two contents from each other.
    const time = dice.pick(times) + BigInt(++drawn) * 3_000_000n;
    if (calls) calls.times.set(path, time, time);
    else if (time >= 0n) lutimesSync(path, Number(time / 1_000_000_000n), Number(time / 1_000_000_000n));
  }
}

/** An attribute comes, or goes; or an ACL, or a default ACL. */
function attribute(path: Buffer, isDirectory: boolean, dice: Dice): void {
  const { xattrs } = native()!;
  const names = [
    'user.one',
    'user.two',
    'system.posix_acl_access',
    ...(isDirectory ? ['system.posix_acl_default'] : []),
  ];
  const name = dice.pick(names);
  const mode = lstatSync(path).mode;
  try {
    if (dice.once(3)) xattrs.remove(path, name);
    else if (name.startsWith('user.')) xattrs.set(path, name, Buffer.alloc(dice.pick([0, 1, 100]), 'v'));
    else xattrs.set(path, name, acl(name.endsWith('access') ? mode : 0o750 | dice.roll(8), dice));
  } catch {
    // No such attribute, or none of this kind here.
  }
}

/** One more user, and the mask. */
function acl(mode: number, dice: Dice): Buffer {
  const none = 0xffffffff;
  const entries = [
    [0x01, (mode >> 6) & 7, none],
    [0x02, dice.roll(8), 1 + dice.roll(3)],
    [0x04, dice.roll(8), none],
    [0x10, (mode >> 3) & 7, none],
    [0x20, mode & 7, none],
  ] as const;
  const bytes = Buffer.alloc(4 + 8 * entries.length);
  bytes.writeUInt32LE(2, 0);
  for (const [i, [tag, rights, id]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + 8 * i);
    bytes.writeUInt16LE(rights, 6 + 8 * i);
    bytes.writeUInt32LE(id, 8 + 8 * i);
  }
  return bytes;
}

function edit(top: Buffer, dice: Dice, options: RandomOptions): void {
  const isRootHere = isRoot && !options.unprivileged;
  const directory = dice.pick(directoriesOf(top));
  const there = readdirSync(directory, { encoding: 'buffer' }).sort(Buffer.compare);
  if (there.length === 0 || dice.once(4)) {
    make(top, dice, options);
    return;
  }
  const path = under(directory, dice.pick(there));
  const stat = lstatSync(path);
  switch (dice.roll(8)) {
    case 0:
      rmSync(path, { recursive: true });
      break;
    case 1: {
      // Another kind of thing in its place.
      rmSync(path, { recursive: true });
      dice.pick([
        () => mkdirSync(path),
        () => writeFileSync(path, content(dice)),
        () => symlinkSync(dice.pick(linkTexts), path),
        () => {
          mkdirSync(path);
          writeFileSync(under(path, dice.pick(names)), content(dice));
        },
      ])();
      break;
    }
    case 2: {
      const to = under(dice.pick(directoriesOf(top)), dice.pick(names));
      if (lstatSync(to, { throwIfNoEntry: false }) || to.includes(text(path, '/'))) return;
      renameSync(path, to);
      break;
    }
    case 3:
      // A name of several becomes a file of its own.
      if (!stat.isFile() || stat.nlink < 2) return;
      unlinkSync(path);
      writeFileSync(path, content(dice));
      break;
    case 4:
      if (stat.isFile()) appendFileSync(path, 'more');
      break;
    case 5:
      if (stat.isFile()) writeFileSync(path, content(dice));
      break;
    default:
      dress(path, dice, isRootHere);
  }
}
