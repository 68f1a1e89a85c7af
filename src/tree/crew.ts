// Worker threads that do jobs, a batch at a time. They share the process's descriptors, so that the roots are opened once;
// told to stop, they clean up behind themselves before they say so.

import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { Job, Report, Setup } from './job.js';

export interface CrewSettings {
  setup: Setup;
  /** 32-bit words: stop, and one a worker: is it busy? */
  shared: SharedArrayBuffer;
  /** One 64-bit word: bytes of large files moved so far, by all workers. */
  moved: SharedArrayBuffer;
  index: number;
  /** Batches of jobs come and their reports go here. */
  port: MessagePort;
}

type Answer = (reports: Report[] | Error) => void;

/** Words of the shared memory. */
export const stopWord = 0;
export const firstBusyWord = 1;

/** How long a stopping process waits for its workers to clean up (milliseconds). */
const patience = 5000;

export class Crew {
  readonly size: number;
  readonly #workers: { worker: Worker; port: MessagePort; inFlight: Answer[] }[] = [];
  readonly #shared: Int32Array;
  readonly #moved = new SharedArrayBuffer(8);

  constructor(size: number, setup: Setup) {
    this.size = size;
    const shared = new SharedArrayBuffer(4 * (firstBusyWord + size));
    this.#shared = new Int32Array(shared);
    for (let index = 0; index < size; index++) {
      const file = new URL('./tree-worker.js', import.meta.url);
      const { port1: port, port2 } = new MessageChannel();
      const workerData: CrewSettings = { setup, shared, moved: this.#moved, index, port: port2 };
      const worker = new Worker(file, { workerData, transferList: [port2], trackUnmanagedFds: false });
      const member = { worker, port, inFlight: [] as Answer[] };
      port.on('message', (reports: Report[]) => member.inFlight.shift()?.(reports));
      worker.on('error', (error) => {
        for (const done of member.inFlight.splice(0)) done(error as Error);
      });
      this.#workers.push(member);
    }
  }

  /** The member with the least to do, if one has fewer than `most` batches. */
  free(most: number): number | undefined {
    let best: number | undefined;
    let least = most;
    for (const [i, { inFlight }] of this.#workers.entries()) {
      if (inFlight.length >= least) continue;
      least = inFlight.length;
      best = i;
    }
    return best;
  }

  give(index: number, jobs: Job[], done: Answer): void {
    const member = this.#workers[index]!;
    member.inFlight.push(done);
    member.port.postMessage(jobs);
  }

  /**
   * For a process that dies of a signal: returns when each has removed its temp files, or is too slow. What they have done, and
   * nobody has heard of yet, is told first.
   */
  stopNow(): void {
    Atomics.store(this.#shared, stopWord, 1);
    const end = Date.now() + patience;
    for (let index = 0; index < this.size; index++) {
      while (Atomics.load(this.#shared, firstBusyWord + index) === 1 && Date.now() < end)
        Atomics.wait(this.#shared, firstBusyWord + index, 1, end - Date.now());
    }
    for (const { port, inFlight } of this.#workers)
      for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port))
        inFlight.shift()?.(next.message as Report[]);
  }

  /** Bytes of large files that are on their way, or there. */
  get moved(): number {
    return Number(Atomics.load(new BigInt64Array(this.#moved), 0));
  }

  async end(): Promise<void> {
    for (const { port } of this.#workers) port.close();
    await Promise.all(this.#workers.map(({ worker }) => worker.terminate()));
  }
}
