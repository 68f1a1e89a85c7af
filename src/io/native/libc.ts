// libc seen from TypeScript: functions looked up on first use, errno kept, errors in Node's shape.
//
// Two things hold that are not obvious. Variadic functions (open, ioctl, fcntl, syscall) are declared with fixed integer
// arguments: on Linux x64 and arm64 both go into the same registers (System V and AAPCS64 psABI; Apple's arm64 differs), and
// koffi calls them faster so, and asynchronously at all. Struct layouts are used only where all of Linux shares them
// (statx, dirent64, pollfd, timespec of 2 × int64); struct stat, which differs, never.

import { systemError } from './system-error.js';

type Argument = number | bigint | Uint8Array | null;

/** A C function. A 64-bit result is a bigint only beyond 2^53, which no offset or count of a real file reaches. */
export interface CFunction {
  (...args: Argument[]): number;
  async(...args: [...Argument[], (error: unknown, result: number) => void]): void;
}

type CType = 'int' | 'uint' | 'int64' | 'uint64' | 'void *' | 'str';

/** `syscall` is the number by which a function is called that this libc has no wrapper for. */
export interface Signature {
  result?: CType;
  args: readonly CType[];
  syscall?: { x64: number; arm64: number };
}

/** The part of koffi that is used here. */
export interface Koffi {
  load(path: string | null): { func(name: string, result: string, args: string[]): CFunction };
  errno(): number;
}

export class Libc {
  readonly #koffi: Koffi;
  /** Arguments of calls on threads: their buffers must outlive the call. */
  readonly #inFlight = new Set<readonly Argument[]>();
  readonly #library: ReturnType<Koffi['load']>;

  constructor(koffi: Koffi, library: string | null = null) {
    this.#koffi = koffi;
    // null is the process itself: it has its libc loaded, whatever that is and wherever it lies.
    this.#library = koffi.load(library);
  }

  /** The functions of another library, which the system's loader finds by its name; throws where there is none. */
  library(name: string): Libc {
    return new Libc(this.#koffi, name);
  }

  /** These functions, by name: each is looked up when first read, and a plain property from then on. */
  functions<Name extends string>(table: Readonly<Record<Name, Signature>>): Readonly<Record<Name, CFunction>> {
    const functions = {} as Record<Name, CFunction>;
    for (const name of Object.keys(table) as Name[]) {
      Object.defineProperty(functions, name, {
        configurable: true,
        enumerable: true,
        get: () => {
          const value = this.#lookUp(name, table[name]);
          Object.defineProperty(functions, name, { value, enumerable: true });
          return value;
        },
      });
    }
    return functions;
  }

  /** The error of the call that has just returned -1. Nothing may come between the two. */
  error(syscall: string, path?: string | Uint8Array | null, destination?: string | Uint8Array): NodeJS.ErrnoException {
    return systemError(this.#koffi.errno(), syscall, path, destination);
  }

  /** errno of the call that has just returned -1. Nothing may come between the two. */
  errno(): number {
    return this.#koffi.errno();
  }

  /**
   * The call on a thread of libuv's pool (there are four, shared with `fs`): its result, and errno where that is -1.
   * It cannot be cancelled, and an ended program waits for it.
   */
  onThread(call: CFunction, ...args: Argument[]): Promise<{ result: number; errno: number }> {
    return new Promise((resolve, reject) => {
      this.#inFlight.add(args);
      call.async(...args, (error, result) => {
        // koffi restores the thread's errno for as long as this callback runs.
        const errno = result === -1 ? this.#koffi.errno() : 0;
        this.#inFlight.delete(args);
        if (error) reject(error);
        else resolve({ result, errno });
      });
    });
  }

  #lookUp(name: string, { result = 'int', args, syscall }: Signature): CFunction {
    try {
      return this.#library.func(name, result, [...args]);
    } catch (error) {
      const number = syscall?.[process.arch as 'x64' | 'arm64'];
      if (number === undefined) throw error;
      // int arguments widened: the kernel looks at all of a register for what it declares long.
      const types = args.map((type) => (type === 'int' ? 'int64' : type === 'uint' ? 'uint64' : type));
      const call = this.#library.func('syscall', 'int64', ['int64', ...types]);
      const bound = (...values: Argument[]) => call(number, ...values);
      const later: CFunction['async'] = (...values) => call.async(...([number, ...values] as typeof values));
      return Object.assign(bound, { async: later });
    }
  }
}
