// XXH64 in WebAssembly (xxh64.wat), for the checksum that closes a zstd frame.

import { code } from './xxh64-code.js';

interface Exports {
  memory: { readonly buffer: ArrayBuffer };
  checksum(length: number): number;
}

/** The part of the global that is used here: Node's types leave it to those of browsers. */
declare const WebAssembly: {
  Module: new (code: Uint8Array) => object;
  Instance: new (module: object) => { exports: Exports };
};

/** 4 MiB of memory, and the low half of the hash of its first `length` bytes, signed. */
export function hashedMemory(): { memory: Buffer; checksum(length: number): number } {
  const { memory, checksum } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(code, 'base64'))).exports;
  return { memory: Buffer.from(memory.buffer), checksum };
}
