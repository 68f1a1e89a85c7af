// Replays one trace of README.md on a library, and says where it first differs.
import { closeSync, fstatSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ScriptedRaw, ShortRaw, type TraceRaw } from './raws.js';

/** Whatever has the names of SPEC 8. */
// biome-ignore lint/suspicious/noExplicitAny: a trace calls what it likes
export type Library = any;

export interface Op {
  op: string;
  args?: unknown[];
  on?: string;
  save?: string;
  result?: unknown;
  error?: { code: string | null; start?: number; end?: number; charactersWritten?: number };
}

// biome-ignore lint/suspicious/noExplicitAny: the stack is a tree of plain JSON
export type Node = any;

export interface Trace {
  name: string;
  stack: Node;
  initial: string | null;
  ops: Op[];
  final?: string | null;
}

const encode = (value: unknown): unknown =>
  value instanceof Uint8Array
    ? { b64: Buffer.from(value).toString('base64') }
    : Array.isArray(value)
      ? value.map(encode)
      : (value ?? null);

const bytes = (b64: string): Buffer => Buffer.from(b64, 'base64');

const uncompared = new Set(['flush', 'close', 'reconfigure', 'release', 'dispose']);

class World {
  readonly dir = mkdtempSync(join(tmpdir(), 'sluice-trace-'));
  readonly path = join(this.dir, 'file');
  fd: number | null = null;
  // biome-ignore lint/suspicious/noExplicitAny: layers of many kinds
  readonly layers = new Map<string, any>();
  readonly cookies = new Map<number, unknown>();
  /** Buffers that reads gave, and what was in them: they never change. */
  readonly given: [Uint8Array, Buffer][] = [];
  readonly lib: Library;
  readonly trace: Trace;

  constructor(lib: Library, trace: Trace) {
    this.lib = lib;
    this.trace = trace;
    if (trace.stack.file === 'directory') mkdirSync(this.path);
    else if (trace.initial !== null) writeFileSync(this.path, bytes(trace.initial));
  }

  make(node: Node, at: string): unknown {
    const layer = this.layer(node, at);
    this.layers.set(at, layer);
    return layer;
  }

  layer(node: Node, at: string): unknown {
    const { lib } = this;
    const inner = (key: string): unknown => this.make(node[key], at ? `${at}.${key}` : key);
    const size = 'bufferSize' in node ? [node.bufferSize] : [];
    const kind: string = node.kind;
    switch (kind) {
      case 'open':
      case 'FileIO': {
        const options = node.options && { ...node.options };
        if (options?.opener) options.opener = (path: string, flags: number) => openSync(path, flags, 0o666);
        const target = this.target(node);
        if (kind === 'open') return options ? lib.open(target, node.mode, options) : lib.open(target, node.mode);
        return new lib.FileIO(target, node.mode, ...(options ? [options] : []));
      }
      case 'BufferedReader':
      case 'BufferedWriter':
      case 'BufferedRandom':
        return new lib[kind](inner('raw'), ...size);
      case 'BufferedRWPair':
        return new lib[kind](inner('reader'), inner('writer'), ...size);
      case 'BytesIO':
        return 'data' in node ? new lib[kind](bytes(node.data.b64)) : new lib[kind]();
      case 'TextIOWrapper':
        return new lib[kind](inner('buffer'), node.options ?? {});
      case 'ScriptedRaw':
        return new ScriptedRaw(node.reads, node.writes);
      case 'ShortRaw':
        return new ShortRaw(bytes(node.data.b64), node.maxRead, node.maxWrite);
    }
    throw new Error(`no such layer: ${kind}`);
  }

  target(node: Node): unknown {
    switch (node.file) {
      case 'bytes':
        return Buffer.from(this.path);
      case 'url':
        return pathToFileURL(this.path);
      case 'fd':
        this.fd = openSync(this.path, 'r+');
        return this.fd;
      case 'badfd':
        return 999_999;
    }
    return this.path;
  }

  content(): unknown {
    try {
      return { b64: readFileSync(this.path).toString('base64') };
    } catch {
      return null;
    }
  }

  call(op: Op): unknown {
    const { op: name } = op;
    const args = op.args ?? [];
    if (name === '@file') return this.content();
    if (name === '@fdOpen') {
      try {
        fstatSync(this.fd!);
        return true;
      } catch {
        return false;
      }
    }
    const on = this.layers.get(op.on ?? '');
    if (name === '@raw') return encode((on as TraceRaw).data);
    if (name === '@class') return on instanceof this.lib[on.constructor.name] ? on.constructor.name : null;
    if (name === '@bytes') return encode(on);
    if (name === '@set') {
      on[args[0] as number] = args[1];
      return null;
    }
    if (name === 'get') return encode(on[args[0] as string]);
    if (name === 'dispose') return on[Symbol.dispose]();
    if (name === 'readInto' || name === 'readInto1') {
      const size = args[0] as number;
      const memory = new Uint8Array(size + 2).fill(0x5a);
      const count = on[name](memory.subarray(1, size + 1)) as number | null;
      if (memory[0] !== 0x5a || memory[size + 1] !== 0x5a || (count !== null && memory.at(count + 1) !== 0x5a))
        throw new Error(`${name} touched what is outside its view, or behind what it read`);
      return count === null ? null : { count, b64: Buffer.from(memory.subarray(1, count + 1)).toString('base64') };
    }
    if (name === 'iterate') {
      const iterator = on[Symbol.iterator]();
      const items: unknown[] = [];
      for (let i = 0; i < (args[0] as number); i++) {
        const { done, value } = iterator.next();
        if (done) break;
        items.push(this.keep(value));
      }
      return encode(items);
    }
    const given = args.map((arg) => this.argument(arg));
    const value = on[name](...given);
    for (const arg of given) if (arg instanceof Uint8Array) arg.fill(0xee); // it has been taken: what it becomes is no matter
    if (op.save !== undefined) {
      this.layers.set(op.save, value);
      return null;
    }
    const cookie = cookieOf(op);
    if (cookie !== undefined) {
      if (typeof value !== 'number' && typeof value !== 'bigint') throw new Error(`no cookie: ${String(value)}`);
      this.cookies.set(cookie, value);
      return op.result;
    }
    if (name !== 'peek') this.keep(value);
    return encode(value);
  }

  keep(value: unknown): unknown {
    for (const item of Array.isArray(value) ? value : [value])
      if (item instanceof Uint8Array) this.given.push([item, Buffer.from(item)]);
    return value;
  }

  argument(arg: unknown): unknown {
    if (typeof arg !== 'object' || arg === null) return arg;
    if ('b64' in arg) return bytes(arg.b64 as string);
    if ('cookie' in arg) return this.cookies.get(arg.cookie as number);
    return arg;
  }

  finish(): string | null {
    for (const [key, layer] of this.layers) if (key !== '' && layer instanceof Uint8Array) (layer as Node).release?.();
    const paths = [...this.layers.keys()].sort((a, b) => a.split('.').length - b.split('.').length || (a < b ? -1 : 1));
    for (const key of paths)
      try {
        this.layers.get(key).close();
      } catch {}
    if (this.fd !== null)
      try {
        closeSync(this.fd);
      } catch {}
    const final = this.content() as { b64: string } | null;
    if (final !== null) return final.b64;
    for (const raw of this.layers.values())
      if (raw instanceof ShortRaw || (raw instanceof ScriptedRaw && taken(raw))) return raw.data.toString('base64');
    return null;
  }
}

const taken = (raw: ScriptedRaw): boolean => {
  raw.closed = false;
  return raw.writable();
};

const cookieOf = (op: Op): number | undefined =>
  typeof op.result === 'object' && op.result !== null && 'cookie' in op.result
    ? (op.result.cookie as number)
    : undefined;

function sameOutcome(op: Op, got: { result?: unknown; error?: unknown }): boolean {
  if (op.error !== undefined) {
    if (got.error === undefined) return false;
    const error = got.error as Node;
    if (op.error.code !== null && error.code !== op.error.code) return false;
    return (['start', 'end', 'charactersWritten'] as const).every(
      (key) => op.error![key] === undefined || op.error![key] === error[key],
    );
  }
  if (got.error !== undefined) return false;
  if (uncompared.has(op.op) || op.save !== undefined) return true;
  if (op.op === 'peek') {
    const [a, b] = [bytes((op.result as Node).b64), bytes((got.result as Node).b64)];
    const short = Math.min(a.length, b.length);
    return a.length > 0 === b.length > 0 && a.subarray(0, short).equals(b.subarray(0, short));
  }
  return JSON.stringify(op.result ?? null) === JSON.stringify(got.result ?? null);
}

const told = (got: { result?: unknown; error?: unknown }): string =>
  got.error === undefined
    ? JSON.stringify(got.result)
    : `${(got.error as Error).stack ?? String(got.error)} ${JSON.stringify(got.error)}`;

/** null = as recorded; else what differs first. */
export function replay(lib: Library, trace: Trace): string | null {
  const world = new World(lib, trace);
  try {
    let got: { result?: unknown; error?: unknown } = {};
    try {
      world.make(trace.stack, '');
    } catch (error) {
      got = { error };
    }
    const first = trace.ops[0];
    if (first?.op === 'construct') {
      if (!sameOutcome(first, got)) return `construct: ${told(got)}, not ${JSON.stringify(first.error)}`;
    } else {
      if (got.error !== undefined) return `the stack could not be built: ${told(got)}`;
      for (const [i, op] of trace.ops.entries()) {
        try {
          got = { result: world.call(op) };
        } catch (error) {
          got = { error };
        }
        if (!sameOutcome(op, got)) return `op ${i} ${JSON.stringify(op)}: got ${told(got)}`;
      }
    }
    const final = world.finish();
    if ('final' in trace && final !== trace.final) return `final: ${final}, not ${trace.final}`;
    for (const [value, was] of world.given)
      if (!was.equals(value)) return `a Buffer that was given out changed: ${was}`;
    return null;
  } finally {
    rmSync(world.dir, { recursive: true, force: true });
  }
}
