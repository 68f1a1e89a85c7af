// One entry looked at, on both sides: what is to be done with it and, where that is a matter of a moment, done; else it is
// reported for later.

import { failure, SluiceError } from '../io/failure.js';
import { sameContent } from './compare.js';
import type { Failed } from './copy-entry.js';
import type { Entrance } from './entrance.js';
import { describe, type Facts, type Kind } from './facts.js';
import type { Scope } from './filter.js';
import { type Hands, Stopped } from './hands.js';
import { holding } from './holding.js';
import type { Later, Report, Setup, SurveyJob } from './job.js';
import { places } from './place.js';
import { largeFile, type Placing } from './placing.js';
import { below } from './tree.js';
import { type Look, verdictOn } from './verdict.js';

export class Deciding {
  readonly #setup: Setup;
  readonly #hands: Hands;
  readonly #look: Look;
  readonly #entrance: Entrance;
  readonly #placing: Placing;

  constructor(setup: Setup, hands: Hands, look: Look, entrance: Entrance, placing: Placing) {
    this.#setup = setup;
    this.#hands = hands;
    this.#look = look;
    this.#entrance = entrance;
    this.#placing = placing;
  }

  /** One entry that was listed as `kind`. `kept` gets its name unless the filters leave it out. A promise where it takes longer. */
  entry(
    job: SurveyJob,
    name: string,
    kind: Kind,
    scope: Scope,
    kept: string[] | null,
    report: Report,
  ): Promise<void> | undefined {
    const { path: directory, target } = job;
    const { rules } = this.#setup;
    const { seen } = this.#hands;
    const path = below(directory, name);
    let source: Facts | null;
    let there: Facts | null;
    try {
      source = places().stat(this.#look.source.at(directory), name, rules.follow);
      // A link that leads nowhere, or an entry that is gone since it was listed.
      if (!source) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT', errno: -2, syscall: 'stat' });
    } catch (error) {
      kept?.push(name);
      if (!scope.excludes(name, kind === 'directory')) noteFailure(report, error, path, 'source');
      return undefined;
    }
    if (scope.excludes(name, source.kind === 'directory')) return undefined;
    kept?.push(name);
    if (!this.#takes(source, path, report)) return undefined;
    try {
      there = target && this.#look.there ? places().stat(this.#look.there.at(directory), name) : null;
      seen?.('source', path, source);
      if (there) seen?.('destination', path, there);
      if (source.kind === 'directory') {
        this.#foundDirectory(job, name, source, there, report);
        return undefined;
      }
      return this.#decide(job, name, source, there, report);
    } catch (error) {
      noteFailure(report, error, path, 'destination');
      return undefined;
    }
  }

  /** What cannot be copied, or is not to be, is told of and left out. */
  #takes({ kind }: Facts, path: string, report: Report): boolean {
    if (kind === 'socket' || kind === 'unknown') {
      report.leftOut.push({ path, message: `is ${describe[kind]}, which cannot be copied; left out` });
      return false;
    }
    if ((kind === 'character' || kind === 'block') && !this.#setup.rules.devices) {
      report.leftOut.push({ path, message: `is ${describe[kind]}; left out`, code: 'ERR_DEVICE' });
      return false;
    }
    return true;
  }

  #foundDirectory(job: SurveyJob, name: string, source: Facts, there: Facts | null, report: Report): void {
    if (there && there.kind !== 'directory' && this.#setup.rules.style.name === 'copy')
      throw new SluiceError(`is ${describe[there.kind]}, and cannot be replaced by a directory`, {
        code: 'ENOTDIR',
        state: 'it was left as it is',
      });
    const instead = there && there.kind !== 'directory' ? there : null;
    if (!there || instead) this.#openForChange(job, report);
    report.directories.push({ name, source, target: instead ? null : there, instead });
  }

  #decide(
    job: SurveyJob,
    name: string,
    source: Facts,
    target: Facts | null,
    report: Report,
  ): Promise<void> | undefined {
    const { path: directory } = job;
    const { rules } = this.#setup;
    const { style } = rules;
    const verdict = verdictOn(this.#look, directory, name, source, target);
    if (target?.kind === 'directory' && !this.#isEmpty(below(directory, name))) {
      if (!rules.replaceDirectories)
        throw new SluiceError(
          `is a directory with contents, in the place of ${describe[source.kind]}; --delete replaces it`,
          { code: 'ENOTEMPTY', state: 'it was left as it is' },
        );
      report.occupied.push({ name, source, target, verdict });
      return undefined;
    }
    if (
      style.name === 'sync' &&
      style.compare.checksum &&
      source.kind === 'file' &&
      target &&
      verdict?.action !== 'update' &&
      verdict?.action !== 'link'
    )
      return this.#compare(job, { name, source, target, verdict }, report);
    return this.#settle(job, { name, source, target, verdict }, report);
  }

  async #compare(job: SurveyJob, later: Later, report: Report): Promise<void> {
    const { path: directory } = job;
    const { name, verdict } = later;
    try {
      // Held: what else is looked at meanwhile may close them.
      const way = { source: this.#look.source.at(directory), target: this.#look.there!.at(directory) };
      const same = await holding(way, async (held) => {
        const steps = sameContent(held.source, held.target, name, this.#setup.rules.follow);
        for (let step = steps.next(); ; step = steps.next()) {
          if (step.done) return step.value;
          await this.#hands.pace();
        }
      });
      const settled = same ? verdict : { action: 'update' as const, reason: 'content' };
      await this.#settle(job, { ...later, verdict: settled }, report);
    } catch (error) {
      noteFailure(report, error, below(directory, name), 'destination');
    }
  }

  /** The directory that is being surveyed is going to change. */
  #openForChange({ path, target }: SurveyJob, report: Report): void {
    if (target && !report.opened) report.opened = this.#entrance.openUp(path, target, 0o700);
  }

  /** Names of one file stay together, or part, by what the whole walk sees of them. */
  #hasOtherNames({ source, target, verdict }: Later): boolean {
    const { links, style } = this.#setup.rules;
    const others = target !== null && target.kind !== 'directory' && target.nlink > 1;
    return links ? source.nlink > 1 || others : others && style.name === 'sync' && verdict !== null;
  }

  /** It is known what is to be done: now, later, or nothing. */
  #settle(job: SurveyJob, later: Later, report: Report): Promise<void> | undefined {
    const { path: directory } = job;
    const { anew, target: made } = this.#setup;
    const { name, source, target, verdict } = later;
    if (this.#hasOtherNames(later)) {
      report.linked.push(later);
      return undefined;
    }
    if (!verdict) {
      report.same++;
      return anew ? this.#placing.carry(directory, name, source, report) : undefined;
    }
    if (verdict.action !== 'metadata' && verdict.action !== 'skip') this.#openForChange(job, report);
    const moves = verdict.action === 'create' || verdict.action === 'update';
    if (made && moves && source.kind === 'file' && source.size >= largeFile) {
      report.large.push(later);
      return undefined;
    }
    return this.#placing.place(directory, { name, source, target, ...verdict }, report);
  }

  #isEmpty(path: string): boolean {
    let empty = true;
    places().list(this.#look.there!.at(path), () => {
      empty = false;
    });
    return empty;
  }
}

/** Something could not be looked at, or is not to be. */
export function noteFailure(report: Report, error: unknown, path: string, side: Failed['side']): void {
  if (error instanceof Stopped) throw error;
  const { message, code, syscall, state } = failure(error);
  const left = side === 'source' ? 'nothing was copied from it' : 'it was left as it is';
  report.failed.push({ path, failed: { message, code, syscall, side, state: state ?? left } });
}
