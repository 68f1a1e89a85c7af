// Line ends, line lengths and bytes that text does not have, counted at the speed of memory: WebAssembly with SIMD
// (text-scan.wat), which needs no compiler where sluice is installed.

import { code } from './text-scan-code.js';

/** Lengths and offsets in bytes. `lf` and `cr` count those of CRLF too. */
export interface ScanCounts {
  lf: number;
  cr: number;
  crlf: number;
  nul: number;
  /** C0 controls (and DEL) that text does not have. */
  control: number;
  /** Bytes (wide encodings: units) from 0x80 up. */
  high: number;
  /** Lines that have ended. */
  lines: number;
  /** Bytes in the line that has not. */
  current: number;
  longest: number;
  /** Its number, from 1. */
  longestLine: number;
  /** Of the wide encodings: offset of the first invalid unit, -1 if there is none. */
  invalid: number;
  /** A high surrogate at the very end. */
  openSurrogate: boolean;
}

interface Functions {
  memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  reset(): void;
  bytes(at: number, length: number): void;
  wide(at: number, length: number, width: number, big: number): void;
}

type Globals = Record<Counter | 'afterCR' | 'seen' | 'invalid', { value: bigint }> & { surrogate: { value: number } };
type Exports = Functions & Globals;

/** The part of the global that is used here: Node's types leave it to those of browsers. */
declare const WebAssembly: {
  Module: new (code: Uint8Array) => object;
  Instance: new (module: object) => { exports: Exports };
};

type Counter = 'lf' | 'cr' | 'crlf' | 'nul' | 'control' | 'high' | 'lines' | 'current' | 'longest' | 'longestLine';

/** Room before the data, for what a caller keeps of the piece before. */
const margin = 64;

let instance: Exports | undefined;

/** One scan at a time: all share one memory. */
export class TextScan {
  readonly #wasm: Exports;
  /** Where to put the bytes of the next piece. */
  readonly room: Buffer;
  readonly #memory: ArrayBuffer;

  /** Pieces of at most `size` bytes. */
  constructor(size: number) {
    instance ??= new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(code, 'base64'))).exports;
    this.#wasm = instance;
    const needed = Math.ceil((margin + size + 64) / 65536) - instance.memory.buffer.byteLength / 65536;
    if (needed > 0) instance.memory.grow(needed);
    this.#memory = instance.memory.buffer;
    this.room = Buffer.from(this.#memory, margin, size);
    instance.reset();
  }

  /** `room` with up to 64 bytes before it. */
  roomFrom(before: number, length: number): Buffer {
    return Buffer.from(this.#memory, margin - before, before + length);
  }

  /** The first `length` bytes that come (a BOM) are no part of the first line. */
  leaveOut(length: number): void {
    this.#wasm.current.value = BigInt(-length);
  }

  /** Count the first `length` bytes of `room`: bytes of an encoding whose LF and CR are single bytes. */
  bytes(length: number): void {
    this.#wasm.bytes(margin, length);
  }

  /** Count the first `length` bytes of `room` as UTF-16 or UTF-32: whole units. */
  wide(length: number, width: 2 | 4, big: boolean): void {
    this.#wasm.wide(margin, length, width, big ? 1 : 0);
  }

  /** Count `length` zero bytes that nobody needs to see: a hole. */
  zeros(length: number, width: 1 | 2 | 4 = 1): void {
    this.#add('nul', length / width);
    this.#add('current', length);
    this.#wasm.afterCR.value = 0n;
    if (this.#wasm.surrogate.value !== 0) {
      this.#wasm.surrogate.value = 0;
      if (this.#wasm.invalid.value < 0n) this.#wasm.invalid.value = this.#wasm.seen.value - 2n;
    }
    this.#wasm.seen.value += BigInt(length);
  }

  /** Bytes from 0x80 up so far, without the cost of all counts. */
  get high(): number {
    return this.#get('high');
  }

  /** Line feeds so far. */
  get lf(): number {
    return this.#get('lf');
  }

  /** Bytes in the longest line that has ended. */
  get longest(): number {
    return this.#get('longest');
  }

  counts(): ScanCounts {
    const names: Counter[] = [
      ...(['lf', 'cr', 'crlf', 'nul', 'control', 'high', 'lines', 'current', 'longest', 'longestLine'] as const),
    ];
    const counts = Object.fromEntries(names.map((name) => [name, this.#get(name)])) as Record<Counter, number>;
    return {
      ...counts,
      invalid: Number(this.#wasm.invalid.value),
      openSurrogate: this.#wasm.surrogate.value !== 0,
    };
  }

  #get(name: Counter): number {
    return Number(this.#wasm[name].value);
  }

  #add(name: Counter, count: number): void {
    this.#wasm[name].value += BigInt(Math.floor(count));
  }
}
