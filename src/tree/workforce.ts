// Other threads, once there is enough to do for them: given jobs as they have time, and waited for.

import { failedAs } from './copy-entry.js';
import { Crew } from './crew.js';
import { emptyReport, type Job, type Report, type Setup } from './job.js';
import type { Order, Orders } from './orders.js';

/** Batches a thread may have: one at work, one so that it need not wait for us. */
const inHand = 2;

export class Workforce {
  readonly #others: number;
  readonly #setup: Setup;
  readonly #orders: Orders;
  readonly #received: (order: Order, report: Report) => void;
  #crew: Crew | null = null;
  #inFlight = 0;
  #stopping = false;
  #broken: { error: unknown } | null = null;
  #wake: (() => void) | null = null;

  /** `others`: threads besides this one, at most. */
  constructor(others: number, setup: Setup, orders: Orders, received: (order: Order, report: Report) => void) {
    this.#others = others;
    this.#setup = setup;
    this.#orders = orders;
    this.#received = received;
  }

  /** They get what there is. Throws what went wrong when news of theirs came in. */
  feed(): void {
    if (this.#broken) throw this.#broken.error;
    if (!this.#crew) {
      if (this.#others < 1 || !this.#orders.worthCrew) return;
      this.#crew = new Crew(this.#others, this.#setup);
    }
    for (let member = this.#crew.free(inHand); member !== undefined; member = this.#crew.free(inHand)) {
      const batch = this.#orders.batch();
      if (batch.length === 0) return;
      this.#inFlight += batch.length;
      const given = batch.map(({ job }) => job);
      this.#crew.give(member, given, (reports) => {
        this.#inFlight -= batch.length;
        for (const [i, order] of batch.entries())
          this.#hear(order, reports instanceof Error ? failedReport(order.job, reports) : reports[i]!);
        if (this.#stopping) return;
        if (!this.#broken) this.feed();
        this.wake();
      });
    }
  }

  /** Nobody waits for a message's end: an error is kept until somebody asks. */
  #hear(order: Order, report: Report): void {
    try {
      this.#received(order, report);
    } catch (error) {
      this.#broken ??= { error };
    }
  }

  /** Are they at work? */
  get busy(): boolean {
    return this.#inFlight > 0;
  }

  /** Until there is news from them, or `wake` is called. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  wake(): void {
    this.#wake?.();
  }

  /** Bytes of large files that they have moved. */
  get moved(): number {
    return this.#crew?.moved ?? 0;
  }

  /** For a process that dies of a signal; what they have done by now is heard of. */
  stopNow(): void {
    this.#stopping = true;
    this.#crew?.stopNow();
  }

  async end(): Promise<void> {
    await this.#crew?.end();
    this.#crew = null;
  }
}

/** Of a thread that broke down. */
function failedReport({ path }: Job, error: Error): Report {
  return { ...emptyReport(), entered: false, failed: [{ path, failed: failedAs(error) }] };
}
