// What a file is opened by: its name, a mode, and who opens it.

import { constants } from 'node:fs';
import { invalidArgument } from './errors.js';

/** What can be opened: a path (bytes that are not UTF-8 as lone surrogates, see path.ts), its bytes, a file URL, a descriptor. */
export type FileName = string | Buffer | URL | number;

export interface FileOptions {
  /** false: `close()` leaves the descriptor open. Only for a descriptor that was handed in. Default true. */
  closefd?: boolean;
  /** Opens in our place: gets the name as given and the flags of open(2), gives a descriptor. */
  opener?: ((path: string | Buffer | URL, flags: number) => number) | null | undefined;
}

export interface Access {
  readable: boolean;
  writable: boolean;
  created: boolean;
  appending: boolean;
  flags: number;
}

/** The flags of open(2) for a raw mode: one of `r w x a`, at most one `+`, any `b`. Throws `ERR_INVALID_ARG_VALUE`. */
export function parseRawMode(mode: string): Access {
  if (typeof mode !== 'string') throw invalidArgument('mode must be a string');
  const kinds = mode.replace(/[b+]/g, '');
  if (/[^rwxab+]/.test(mode)) throw invalidArgument(`invalid mode: ${mode}`);
  if (kinds.length !== 1 || mode.split('+').length > 2)
    throw invalidArgument('must have exactly one of create/read/write/append mode and at most one plus');
  const plus = mode.includes('+');
  const readable = kinds === 'r' || plus;
  const writable = kinds !== 'r' || plus;
  const { O_RDWR, O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_TRUNC, O_APPEND } = constants;
  const how = { r: 0, w: O_CREAT | O_TRUNC, x: O_CREAT | O_EXCL, a: O_CREAT | O_APPEND }[
    kinds as 'r' | 'w' | 'x' | 'a'
  ];
  const flags = how | (plus ? O_RDWR : readable ? O_RDONLY : O_WRONLY);
  return { readable, writable, created: kinds === 'x', appending: kinds === 'a', flags };
}

/** Checks what `FileIO` is given, before anything is opened. */
export function checkFileArguments(file: FileName, options: FileOptions): void {
  if (options.opener !== undefined && options.opener !== null && typeof options.opener !== 'function')
    throw invalidArgument('opener must be a function');
  if (typeof file === 'number') {
    if (!Number.isInteger(file)) throw invalidArgument('a descriptor is a whole number');
    if (file < 0) throw invalidArgument('negative file descriptor');
    return;
  }
  if (typeof file !== 'string' && !Buffer.isBuffer(file) && !(file instanceof URL))
    throw invalidArgument('file must be a path (string, Buffer or URL) or a descriptor');
  if (!(options.closefd ?? true)) throw invalidArgument('cannot use closefd=false with a file name');
}

/** The descriptor that `opener` gives. */
export function openedBy(
  opener: NonNullable<FileOptions['opener']>,
  file: string | Buffer | URL,
  flags: number,
): number {
  const fd = opener(file, flags);
  if (!Number.isInteger(fd)) throw invalidArgument('expected a descriptor from opener');
  if (fd < 0) throw invalidArgument(`opener returned ${fd}`);
  return fd;
}
