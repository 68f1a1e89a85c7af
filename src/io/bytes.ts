// The buffer protocol: whatever holds bytes, seen as a Uint8Array over the same memory. Nothing here copies.
import { invalidArgument } from './errors.js';

/** Bytes that can be read into or written from without a copy: a view, a bare ArrayBuffer, or a ByteBuffer. */
export type Bytes = ArrayBufferView | ArrayBufferLike | { view(): Uint8Array };

/** The bytes of `source`, sharing its memory. Text and numbers are refused, as Python refuses them. */
export function bytesOf(source: Bytes): Uint8Array {
  if (source instanceof Uint8Array) return source;
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (source instanceof ArrayBuffer || source instanceof SharedArrayBuffer) return new Uint8Array(source);
  if (typeof source === 'object' && source !== null && typeof source.view === 'function') return source.view();
  throw invalidArgument(`a bytes-like object is required, not ${typeof source}`);
}
