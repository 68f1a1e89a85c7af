// The position in a text stream: where in the bytes a decoder can start anew, in which state, and how far it goes from
// there. Packed into one number, a plain one where the bytes say it all.
import { invalidArgument } from './errors.js';

export interface Cookie {
  /** Bytes from the start of the file. */
  start: number;
  flags: number;
  /** Bytes to decode from there, in one piece. */
  feed: number;
  /** UTF-16 code units of the result that lie before the position. */
  skip: number;
  /** Were these the last bytes of the file? */
  eof: boolean;
}

export function packCookie({ start, flags, feed, skip, eof }: Cookie): number | bigint {
  if (flags === 0 && feed === 0 && skip === 0 && !eof) return start;
  return (
    BigInt(start) | (BigInt(flags) << 64n) | (BigInt(feed) << 96n) | (BigInt(skip) << 128n) | (BigInt(eof) << 160n)
  );
}

export function unpackCookie(cookie: number | bigint): Cookie {
  if (typeof cookie === 'number') return { start: cookie, flags: 0, feed: 0, skip: 0, eof: false };
  const part = (at: bigint, bits: number): number => Number(BigInt.asUintN(bits, cookie >> at));
  const result = { start: part(0n, 64), flags: part(64n, 32), feed: part(96n, 32), skip: part(128n, 32) };
  if (cookie >> 161n !== 0n || !Number.isSafeInteger(result.start)) throw invalidArgument('no position of this stream');
  return { ...result, eof: part(160n, 1) === 1 };
}
