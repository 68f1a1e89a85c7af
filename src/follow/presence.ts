// Does a name lead to anything? Told when it has led nowhere for a moment, and when it leads somewhere again.

/** A name that is gone for less than this is about to lead to a new file. */
const goneAfter = 100;

export class Presence {
  readonly #tell: (change: { type: 'appeared' } | { type: 'gone'; reason: string }) => void;
  /** It leads nowhere, since then. */
  #missingSince: number | undefined;
  #saidGone = false;

  constructor(tell: (change: { type: 'appeared' } | { type: 'gone'; reason: string }) => void) {
    this.#tell = tell;
  }

  /** It leads nowhere, and that was known before it was followed. */
  neverFound(): void {
    this.#missingSince = Number.NEGATIVE_INFINITY;
    this.#saidGone = true;
  }

  found(): void {
    if (this.#saidGone) this.#tell({ type: 'appeared' });
    this.#missingSince = undefined;
    this.#saidGone = false;
  }

  missing(reason: string): void {
    const now = performance.now();
    this.#missingSince ??= now;
    if (this.#saidGone || now - this.#missingSince < goneAfter) return;
    this.#saidGone = true;
    this.#tell({ type: 'gone', reason });
  }

  /** It has been missing for so long that this was told. */
  get isGone(): boolean {
    return this.#saidGone;
  }

  /** Milliseconds until it is worth looking again though nothing tells of a change. */
  get nextLook(): number | undefined {
    return this.#missingSince !== undefined && !this.#saidGone ? goneAfter / 2 : undefined;
  }
}
