// A job done, in whichever thread: the entries of a directory looked at and, where that is a matter of a moment, put in place at
// once. What takes longer, and what only the whole walk can decide, is reported back.

import { isSystemError } from '../io/failure.js';
import type { PlainFiles } from '../io/native/plain-files.js';
import { native } from '../io/native.js';
import { tempBase } from '../io/temp-name.js';
import { whileUnfinished } from '../io/unfinished.js';
import { failedAs, remove } from './copy-entry.js';
import { Deciding, noteFailure } from './deciding.js';
import { Entrance, newFiles } from './entrance.js';
import { type Scope, Scopes } from './filter.js';
import { type Hands, openTrees, Stopped, type Trees } from './hands.js';
import { emptyReport, type Job, type Part, type Report, type Setup, type SurveyJob } from './job.js';
import { NewDirectory, type Within } from './new-directory.js';
import { openPart } from './part.js';
import { places } from './place.js';
import { Placing } from './placing.js';
import { below, nameOf, parentOf, type Tree } from './tree.js';
import type { Look } from './verdict.js';

export class Runner {
  readonly #setup: Setup;
  readonly #hands: Hands;
  readonly #source: Tree;
  readonly #target: Tree | null;
  readonly #look: Look;
  readonly #scopes: Scopes;
  readonly #entrance: Entrance;
  readonly #placing: Placing;
  readonly #rootDevice: number;
  readonly #deciding: Deciding;

  constructor(setup: Setup, hands: Hands, trees: Trees = openTrees(setup)) {
    this.#setup = setup;
    this.#hands = hands;
    this.#source = trees.source;
    this.#target = trees.target;
    const { source, rules } = setup;
    this.#look = { source: trees.source, there: trees.there, reference: trees.reference ?? null, rules };
    this.#scopes = new Scopes(rules.filter, this.#source);
    this.#entrance = new Entrance(setup, hands, trees.target, this.#look);
    this.#placing = new Placing(setup, hands, trees);
    this.#deciding = new Deciding(setup, hands, this.#look, this.#entrance, this.#placing);
    this.#rootDevice = places().statOpen(source.fd).dev;
  }

  /** Never throws but what `pace` and `onBytes` throw; then what is staged is gone again. */
  async run(job: Job): Promise<Report> {
    const report = emptyReport();
    const unstage = () => {
      for (const { temp } of report.staged) this.remove(job.path, temp);
    };
    const finished = whileUnfinished(unstage);
    try {
      if (job.do === 'survey') await this.#survey(job, report);
      else {
        for (const work of job.works) {
          await this.#hands.pace();
          await this.#placing.place(job.path, work, report);
        }
      }
      return report;
    } catch (error) {
      unstage();
      throw error;
    } finally {
      finished();
    }
  }

  /** See `Entrance`. */
  openUp(...[path, there, needed]: Parameters<Entrance['openUp']>): boolean {
    return this.#entrance.openUp(path, there, needed);
  }

  /** A temp file that nobody is to have. */
  remove(directory: string, temp: string): void {
    if (this.#target) remove(this.#target.at(directory), temp);
  }

  /** A temp directory that nobody is to have. */
  removeWithin(path: string, within: Within): void {
    const made = new NewDirectory(() => this.#target!.at(parentOf(path)), nameOf(path), within);
    made.remove();
    places().close(made.place);
  }

  async #survey(job: SurveyJob, report: Report): Promise<void> {
    const { path } = job;
    if (job.part) {
      await this.#part(job, job.part, report);
      return;
    }
    report.within = job.within;
    try {
      report.own = this.#entrance.verdict(job);
    } catch (error) {
      noteFailure(report, error, path, 'source');
      report.entered = false;
      return;
    }
    report.opened = this.openUp(path, job.target, 0o500);
    const other = this.#setup.rules.oneFileSystem && job.source.dev !== this.#rootDevice;
    const listed = other ? null : this.#list(job, report);
    let made: NewDirectory | null;
    try {
      made = this.#entrance.make(job, listed?.[0]);
    } catch (error) {
      Object.assign(report, { own: null, entered: false });
      report.failed.push({ path, failed: failedAs(error) });
      return;
    }
    if (!listed) return;
    const [first, ...rest] = listed;
    report.rest = rest;
    if (!made) {
      await this.#entries(job, first, report);
      return;
    }
    const target = this.#target!;
    target.hold(path, made.place);
    try {
      await this.#entries({ ...job, within: made.within }, first, report);
      if (rest.length === 0) {
        made.commit();
        target.release(path);
      } else {
        target.take(path);
        report.within = made.handOver();
      }
    } catch (error) {
      target.take(path);
      made.remove();
      places().close(made.place);
      if (error instanceof Stopped) throw error;
      Object.assign(report, emptyReport(), { entered: false, failed: [{ path, failed: failedAs(error) }] });
    }
  }

  /** Consecutive entries, in a directory that may have no name yet. */
  async #part(job: SurveyJob, part: Part, report: Report): Promise<void> {
    const { path, within } = job;
    if (!within || path === '') return await this.#entries(job, part, report);
    this.#target!.hold(path, { fd: within.fd, path });
    try {
      await this.#entries(job, part, report);
    } finally {
      this.#target!.take(path);
    }
  }

  /** One after the other. */
  async #entries(job: SurveyJob, part: Part, report: Report): Promise<void> {
    const { path } = job;
    const { rules, entry } = this.#setup;
    // Nobody knows the directory yet: files are whole when it gets its name.
    const fresh = job.within && newFiles(entry.keep, this.#target!.at(path));
    const scope = this.#scopes.at(path);
    // Nothing is there, and nobody asks beforehand: what the entry is will be seen when it is open.
    const { seen, single } = this.#hands;
    const unseen = !job.target && this.#target !== null && !seen && !single && !this.#look.reference;
    const kept: string[] | null = part.there ? [] : null;
    const wish = fresh && { ...fresh, links: rules.links };
    const plain = native()?.plainFiles;
    const alike = plain && this.#mayBeAlike(job);
    for (const name of part.names) {
      const turn = this.#hands.pace();
      if (turn) await turn;
      const kind = part.kinds.size === 0 ? 'file' : (part.kinds.get(name) ?? 'file');
      let slow: Promise<void> | undefined;
      if (kind === 'file' && scope.excludes(name, false)) continue;
      if (alike && kind === 'file' && alike(plain, name)) {
        kept?.push(name);
        report.same++;
      } else if (!unseen || kind !== 'file') slow = this.#deciding.entry(job, name, kind, scope, kept, report);
      else if (wish) slow = this.#placing.fresh(path, name, wish, report);
      else slow = this.#placing.unseen(path, name, report);
      if (slow) await slow;
    }
    if (part.there) this.#findExtras(path, part.there, kept!, scope, report);
  }

  /** A look that finds most files to be the same; undefined where there is more to it than what it looks at. */
  #mayBeAlike({ path, target }: SurveyJob): ((plain: PlainFiles, name: string) => boolean) | undefined {
    const { rules, anew } = this.#setup;
    const { style, follow, links } = rules;
    const there = this.#look.there;
    if (!target || !there || anew || follow || this.#hands.seen || style.name !== 'sync') return undefined;
    const { checksum, xattrs, owners } = style.compare;
    if (checksum || xattrs) return undefined;
    return (plain, name) => plain.areAlike(this.#source.at(path).fd, there.at(path).fd, name, owners, links);
  }

  #list({ path, target }: SurveyJob, report: Report) {
    try {
      const extras = this.#setup.rules.extras && target !== null;
      const { parts, source, destination } = openPart(
        this.#source.at(path),
        extras ? () => this.#look.there!.at(path) : null,
        (error) => noteFailure(report, error, path, 'destination'),
      );
      report.source += source;
      report.destination += destination;
      return parts;
    } catch (error) {
      noteFailure(report, error, path, 'source');
      return null;
    }
  }

  /** Both lists are sorted. */
  #findExtras(path: string, names: string[], kept: string[], scope: Scope, report: Report): void {
    let i = 0;
    for (const name of names) {
      while (i < kept.length && kept[i]! < name) i++;
      if (kept[i] === name) continue;
      try {
        const facts = places().stat(this.#look.there!.at(path), name);
        if (!facts) continue;
        this.#hands.seen?.('destination', below(path, name), facts);
        const temp = tempBase(name) !== undefined;
        const excluded = scope.excludes(name, facts.kind === 'directory');
        report.extras.push({ name, facts, why: temp ? 'temp' : excluded ? 'excluded' : 'plain' });
      } catch (error) {
        if (!isSystemError(error, 'ENOENT')) noteFailure(report, error, below(path, name), 'destination');
      }
    }
  }
}
