// What a `sync` did, or would do: told action by action, counted, and summed up at the end.

import type { Loss } from '../io/attributes.js';
import { storageOf } from '../io/durability.js';
import { failure, SluiceError } from '../io/failure.js';
import type { Action } from '../tree/action.js';
import type { Context, Outcome } from './context.js';
import { lossMessage } from './losses.js';
import { isCheck, type Purpose, type SyncOptions } from './sync-options.js';

export class Tally {
  readonly #options: SyncOptions;
  readonly #purpose: Purpose;
  readonly #context: Context;
  readonly #started = process.uptime();
  readonly #lost = new Map<Loss, number>();
  readonly #totals = {
    created: 0,
    updated: 0,
    metadata: 0,
    linked: 0,
    deleted: 0,
    files: 0,
    directories: 0,
    symlinks: 0,
    skipped: 0,
    bytes: 0,
    errors: 0,
  };
  #unconfirmed = 0;

  constructor(options: SyncOptions, purpose: Purpose, context: Context) {
    this.#options = options;
    this.#purpose = purpose;
    this.#context = context;
  }

  get errors(): number {
    return this.#totals.errors;
  }

  tell(action: Action): void {
    const totals = this.#totals;
    const { action: verb, path, reason, bytes, to } = action;
    if (verb === 'create') totals.created++;
    else if (verb === 'update') totals.updated++;
    else if (verb === 'metadata') totals.metadata++;
    else if (verb === 'link') totals.linked++;
    else if (verb === 'delete') totals.deleted++;
    const kind = verb === 'create' || verb === 'update' ? action.kind : undefined;
    if (kind === 'directory') totals.directories++;
    else if (kind === 'symlink') totals.symlinks++;
    else if (kind !== undefined) totals.files++;
    totals.bytes += bytes;
    if (this.#purpose.do === 'tell') this.#purpose.planned?.(action);
    this.#context.record({
      type: 'action',
      action: verb,
      path: path || '.',
      reason,
      bytes,
      ...(to !== undefined && { to }),
    });
  }

  /** One entry failed; the others go on. */
  fail(error: unknown, path: string, state?: string): void {
    this.#totals.errors++;
    const { message, code, syscall, state: own } = failure(error);
    const told = state ?? own;
    this.#context.fail(
      new SluiceError(message, {
        ...(code !== undefined && { code }),
        ...(syscall !== undefined && { syscall }),
        path,
        ...(told !== undefined && { state: told }),
      }),
    );
  }

  leaveOut(message: string, path: string, code: string | undefined): void {
    this.#context.warn(message, { path, ...(code !== undefined && { code }) });
    this.#totals.skipped++;
    if (code === 'ERR_DEVICE') this.lose('device');
  }

  lose(what: Loss): void {
    this.#lost.set(what, (this.#lost.get(what) ?? 0) + 1);
  }

  /** A directory whose names may not survive a power cut. */
  unconfirm({ message, code = 'ERR_DURABILITY', path, state }: SluiceError): void {
    this.#unconfirmed++;
    this.#context.warn(`${message} — ${state}`, { code, ...(path !== undefined && { path }) });
  }

  /** The summary. `refused`: a guard kept something from being done. */
  end(entries: number, refused: boolean): Outcome {
    this.#tellLosses();
    const totals = this.#totals;
    const { do: purpose } = this.#purpose;
    this.#context.record({
      type: 'summary',
      ...totals,
      entries,
      dryRun: purpose === 'tell',
      ...(this.#options.durable !== 'none' &&
        purpose === 'run' && { durability: storageOf(this.#options.destination) }),
      elapsedMs: Math.round((process.uptime() - this.#started) * 1000),
    });
    if (totals.errors > 0) return 'failed';
    if (refused) return 'refused';
    const { created, updated, metadata, linked, deleted } = totals;
    if (isCheck(this.#purpose)) return created + updated + metadata + linked + deleted > 0 ? 'refused' : 'done';
    return this.#unconfirmed > 0 ? 'undurable' : 'done';
  }

  #tellLosses(): void {
    if (this.#lost.size === 0) return;
    const message = lossMessage(this.#lost);
    if (!this.#options.strict) this.#context.warn(message, { code: 'ERR_LOSS' });
    else {
      this.#totals.errors++;
      this.#context.fail(new SluiceError(message, { code: 'ERR_LOSS' }));
    }
  }
}
