// An error that says what, where, and the state things are left in.

import { getSystemErrorMap } from 'node:util';
import { unnamed } from './native/system-error.js';
import { decodePath } from './path.js';

export interface FailureDetails {
  /** The system's error name (`ENOSPC`), or one of ours (`ERR_…`). */
  code?: string;
  syscall?: string;
  path?: string;
  /** What is on disk now: 'destination left as it was'. */
  state?: string;
  cause?: unknown;
}

/** `message` is the what, without path, code or state: `full()` puts them together. */
export class SluiceError extends Error {
  readonly code: string | undefined;
  readonly syscall: string | undefined;
  readonly path: string | undefined;
  readonly state: string | undefined;

  constructor(message: string, details: FailureDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'SluiceError';
    this.code = details.code;
    this.syscall = details.syscall;
    this.path = details.path;
    this.state = details.state;
  }
}

interface SystemError extends Error {
  code: string;
  errno?: number;
  syscall?: string;
  path?: unknown;
}

/** Did the system say no, with this error (any, if none is named)? */
export function isSystemError(error: unknown, ...codes: string[]): error is SystemError {
  if (!(error instanceof Error) || typeof (error as Partial<SystemError>).code !== 'string') return false;
  const { code } = error as SystemError;
  return codes.length === 0 ? /^E[A-Z0-9]+$/.test(code) : codes.includes(code);
}

/** The text of an errno, as in strerror(3): 'no space left on device'. */
export function systemMessage(error: SystemError): string {
  const known = error.errno === undefined ? undefined : getSystemErrorMap().get(error.errno)?.[1];
  return known ?? more.get(error.code) ?? error.message.replace(/^[A-Z0-9_]+: /, '').replace(/, \w+( '.*)?$/s, '');
}

/** Errors that libuv has no name for. */
const more = new Map([
  ['EDQUOT', 'disk quota exceeded'],
  ['ENODATA', 'no data available'],
  ['ESTALE', 'stale file handle'],
]);

/**
 * The error that a user is to see for `error`: details given here win over those that the system's error carries.
 * A SluiceError stays what it is, and gets the state where it had none.
 */
export function failure(error: unknown, details: FailureDetails = {}): SluiceError {
  name(error);
  if (error instanceof SluiceError) {
    if (error.state !== undefined || details.state === undefined) return error;
    const { code, syscall, path } = error;
    return new SluiceError(error.message, { ...defined({ code, syscall, path }), state: details.state, cause: error });
  }
  if (isSystemError(error)) {
    const { code, syscall } = error;
    const path = pathOf(error);
    return new SluiceError(systemMessage(error), { ...defined({ code, syscall, path }), ...details, cause: error });
  }
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error ? (error as Partial<SystemError>).code : undefined;
  return new SluiceError(message, { ...defined({ code }), ...details, cause: error });
}

/** libuv has no name for some errors of Linux, and Node calls them `Unknown system error -122`. */
function name(error: unknown): void {
  if (!(error instanceof Error) || !('errno' in error) || !('code' in error)) return;
  if (typeof error.code !== 'string' || error.code.startsWith('E')) return;
  const [code] = unnamed.get(-Number(error.errno)) ?? [];
  if (code !== undefined) error.code = code;
}

/** The path that Node names. */
function pathOf({ path }: SystemError): string | undefined {
  return typeof path === 'string' ? path : path instanceof Uint8Array ? decodePath(path) : undefined;
}

function defined(details: {
  code?: string | undefined;
  syscall?: string | undefined;
  path?: string | undefined;
}): FailureDetails {
  return Object.fromEntries(Object.entries(details).filter(([, value]) => value !== undefined));
}
