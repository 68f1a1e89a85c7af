// What a text layer is told, and what it stands on.
import type { ErrorMode } from './codec-errors.js';
import { invalidArgument } from './errors.js';

/** How a newline is read and written: null = all kinds are `\n`; '' = all kinds, as they are; else only this one. */
export type Newline = null | '' | '\n' | '\r' | '\r\n';

export interface TextOptions {
  /** Default utf-8. */
  encoding?: string | null | undefined;
  /** What to do with bytes that are no text, and text that has no bytes. Default strict: an error. */
  errors?: ErrorMode | null | undefined;
  newline?: Newline | undefined;
  /** Flush whenever a newline is written. */
  lineBuffering?: boolean | undefined;
  /** Hand what is written to the layer below at once. */
  writeThrough?: boolean | undefined;
}

/** What a text layer stands on: a buffered layer, a BytesIO, or any object with their methods. */
export interface BufferLike {
  read?(size?: number): Uint8Array | null;
  read1?(size: number): Uint8Array | null;
  /** Gives how much of `data` it took: what it leaves is offered again. null = it would block; nothing = all. */
  write?(data: Uint8Array): number | null;
  seek?(offset: number, whence?: number): number;
  tell?(): number;
  truncate?(size?: number | null): number;
  flush?(): void;
  close(): void;
  readonly closed: boolean;
  fileno?(): number;
  isatty?(): boolean;
  readable?(): boolean;
  writable?(): boolean;
  seekable?(): boolean;
  readonly name?: string | Buffer | number | undefined;
}

/** Characters and bytes that are handled at a time: as in CPython, so that its positions are ours. */
export const CHUNK = 8192;

/** Checks a `newline` option: throws `ERR_INVALID_ARG_VALUE`. */
export function checkNewline(newline: unknown): Newline {
  if (newline === undefined || newline === null) return null;
  if (newline === '' || newline === '\n' || newline === '\r' || newline === '\r\n') return newline;
  throw invalidArgument(`illegal newline value: ${JSON.stringify(newline)}`);
}
