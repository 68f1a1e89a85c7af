// The position in a text stream: where in the bytes a decoder can start anew, in which state, and how far it goes from
// there. Packed into one number, a plain one where the bytes say it all.
import type { IncrementalDecoder } from './decoders.js';
import { invalidArgument, UnsupportedOperation } from './errors.js';

const empty: Buffer = Buffer.alloc(0);

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

/** The decoder as it was at `place`. At a stream's very start that is as new: some then expect a byte order mark. */
export function setDecoder(decoder: IncrementalDecoder, place: Cookie): void {
  if (place.start === 0 && place.flags === 0) decoder.reset();
  else decoder.setState({ pending: empty, flags: place.flags });
}

/**
 * The position `skip` code units into the text of `input`, which began at `cookie`; its bytes are guessed to be the first
 * `guess`. Leaves the decoder anywhere. The search is CPython's, and so are its answers.
 */
export function locate(
  decoder: IncrementalDecoder,
  cookie: Cookie,
  input: Uint8Array,
  skip: number,
  guess: number,
): Cookie {
  // A start near the position at which the decoder holds nothing.
  let bytes = guess;
  let back = 1;
  while (bytes > 0) {
    setDecoder(decoder, cookie);
    const decoded = decoder.decode(input.subarray(0, bytes), false).length;
    if (decoded <= skip) {
      const state = decoder.getState();
      if (state.pending.length === 0) {
        cookie.flags = state.flags;
        skip -= decoded;
        break;
      }
      bytes -= state.pending.length;
      back = 1;
    } else {
      bytes -= back;
      back *= 2;
    }
  }
  if (bytes <= 0) {
    bytes = 0;
    setDecoder(decoder, cookie);
  }
  cookie.start += bytes;
  cookie.skip = skip;
  if (skip === 0) return cookie;
  // Then byte by byte, as close as it gets.
  let decoded = 0;
  let at = bytes;
  for (; at < input.length; at++) {
    decoded += decoder.decode(input.subarray(at, at + 1), false).length;
    cookie.feed += 1;
    const state = decoder.getState();
    if (state.pending.length === 0 && decoded <= skip) {
      cookie.start += cookie.feed;
      skip -= decoded;
      cookie.flags = state.flags;
      cookie.feed = 0;
      decoded = 0;
    }
    if (decoded >= skip) break;
  }
  if (at === input.length) {
    decoded += decoder.decode(empty, true).length;
    cookie.eof = true;
    if (decoded < skip) throw new UnsupportedOperation("can't reconstruct logical file position");
  }
  cookie.skip = skip;
  return cookie;
}
