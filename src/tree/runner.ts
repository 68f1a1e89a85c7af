// A job done, in whichever thread: the entries of a directory looked at and, where that is a matter of a moment, put in place at
// once. What takes longer, and what only the whole walk can decide, is reported back.

import { fchmodSync } from 'node:fs';
import { failure, isSystemError, SluiceError } from '../io/failure.js';
import type { PlainFiles, SmallWish } from '../io/native/plain-files.js';
import { native } from '../io/native.js';
import { tempBase } from '../io/temp-name.js';
import { whileUnfinished } from '../io/unfinished.js';
import { readExtended } from '../io/xattrs.js';
import type { Verdict, Work } from './action.js';
import { sameContent } from './compare.js';
import {
  copyEntry,
  copyLarge,
  copyOpen,
  type Done,
  type Failed,
  failedAs,
  isSmall,
  openFacts,
  openSource,
  remove,
  smallFile,
  type Way,
} from './copy-entry.js';
import { type Keep, modeOf } from './dress.js';
import { describe, type Facts, type Kind } from './facts.js';
import { type Scope, Scopes } from './filter.js';
import { linkEntry, refusesLinks } from './hard-links.js';
import { holding } from './holding.js';
import {
  addTold,
  emptyReport,
  type Job,
  type Later,
  type Part,
  type Report,
  type Setup,
  type Side,
  type SurveyJob,
} from './job.js';
import { NewDirectory } from './new-directory.js';
import { openPart } from './part.js';
import { type Place, places } from './place.js';
import { below, nameOf, parentOf, Tree } from './tree.js';
import { directoryVerdict, type Look, verdictOn } from './verdict.js';

/** What the surroundings of a runner give it. */
export interface Hands {
  /** Asked before each entry. A promise to wait for gives others a turn; it throws where the work is to stop. */
  pace(): Promise<unknown> | undefined;
  /** Bytes of a large file that went their way; may throw to stop. */
  onBytes(count: number): void;
  /** Takes the place of the engine's own way of copying a file: for what is asked of it besides. */
  single?: ((way: Way, path: string) => Promise<Done>) | undefined;
  /** Every entry that was looked at: for digests of a state. */
  seen?: ((side: 'source' | 'destination', path: string, facts: Facts) => void) | undefined;
}

export interface RunnerTrees {
  source: Tree;
  target: Tree | null;
  there: Tree | null;
  reference?: Tree | undefined;
}

/** A thread's own, by descriptors that are not its own. */
function openTrees({ source, target, there, reference, rules }: Setup): RunnerTrees {
  const open = (side: Side, follow = false) => new Tree(side.path, follow, side);
  const own = target && open(target);
  return {
    source: open(source, rules.follow),
    target: own,
    // The same place has the same directories open.
    there: there && (there.fd === target?.fd ? own : open(there)),
    reference: reference ? open(reference) : undefined,
  };
}

/** From this size on a file is a job of its own (bytes). */
const largeFile = 4 << 20;

export class Runner {
  readonly #setup: Setup;
  readonly #hands: Hands;
  readonly #source: Tree;
  readonly #target: Tree | null;
  readonly #look: Look;
  readonly #scopes: Scopes;
  readonly #buffer = Buffer.allocUnsafeSlow(smallFile + 1);
  readonly #rootDevice: number;
  /** The directory that is being surveyed. */
  #surveyed: SurveyJob | null = null;

  constructor(setup: Setup, hands: Hands, trees: RunnerTrees = openTrees(setup)) {
    this.#setup = setup;
    this.#hands = hands;
    this.#source = trees.source;
    this.#target = trees.target;
    const { source, rules } = setup;
    this.#look = { source: trees.source, there: trees.there, reference: trees.reference ?? null, rules };
    this.#scopes = new Scopes(rules.filter, this.#source);
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
        this.#surveyed = null;
        for (const work of job.works) {
          await this.#hands.pace();
          await this.#place(job.path, work, report);
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

  /** A temp file that nobody is to have. */
  remove(directory: string, temp: string): void {
    if (this.#target) remove(this.#target.at(directory), temp);
  }

  async #survey(job: SurveyJob, report: Report): Promise<void> {
    const { path } = job;
    if (job.part) {
      await this.#entries(job, job.part, null, report);
      return;
    }
    if (!this.#judge(job, report)) return;
    report.opened = this.openUp(path, job.target, 0o500);
    const other = this.#setup.rules.oneFileSystem && job.source.dev !== this.#rootDevice;
    const listed = other ? null : this.#list(job, report);
    const made = this.#enter(job, listed?.[0], report);
    if (made === null || !listed) return;
    const [first, ...rest] = listed;
    report.rest = rest;
    if (made === 'at once') {
      await this.#entries(job, first, null, report);
      return;
    }
    try {
      await this.#entries(job, first, newFiles(this.#setup.entry.keep, this.#target!.at(path)), report);
      made.commit();
    } catch (error) {
      made.remove();
      if (error instanceof Stopped) throw error;
      Object.assign(report, emptyReport(), { entered: false, failed: [{ path, failed: failedAs(error) }] });
    }
  }

  /** One after the other. `fresh`: the directory is new, and nobody knows it yet. */
  async #entries(job: SurveyJob, part: Part, fresh: SmallWish | null, report: Report): Promise<void> {
    const { path } = job;
    const { rules } = this.#setup;
    const scope = this.#scopes.at(path);
    // Nothing is there, and nobody asks beforehand: what the entry is will be seen when it is open.
    const { seen, single } = this.#hands;
    const unseen = !job.target && this.#target !== null && !seen && !single && !this.#look.reference;
    const kept: string[] | null = part.there ? [] : null;
    this.#surveyed = job;
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
      } else if (!unseen || kind !== 'file') slow = this.#entry(job, name, kind, scope, kept, report);
      else {
        const size =
          plain && wish
            ? plain.copy(this.#source.at(path).fd, this.#target!.at(path).fd, name, this.#buffer, wish)
            : -1;
        if (size >= 0) report.told.push(name, 'create', 'new', 'file', size, 'readinto', false);
        else slow = this.#unseen(path, name, report);
      }
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

  /** What is to be done with the directory itself. */
  #judge({ path, source, target, instead }: SurveyJob, report: Report): boolean {
    try {
      if (instead) report.own = { action: 'update', reason: 'kind' };
      else if (!target) report.own = { action: 'create', reason: 'new' };
      else report.own = directoryVerdict(this.#look, path, source, target);
      return true;
    } catch (error) {
      this.#fail(error, path, 'source', report);
      report.entered = false;
      return false;
    }
  }

  /** Make the directory, or see that we can work in it; null if neither. One that is not to be had at once has its name later. */
  #enter(job: SurveyJob, first: Part | undefined, report: Report): NewDirectory | 'at once' | null {
    const { path, source, target, instead } = job;
    const { entry, anew } = this.#setup;
    const { keep } = entry;
    if (!this.#target) return 'at once';
    try {
      if (path === '' || (target && !anew)) return 'at once';
      const at = this.#target.at(parentOf(path));
      if (instead && !anew) places().unlink(at, nameOf(path));
      // Closed to others while it is to be dressed; else as it will be, but that we may write in it.
      const mode = keep.mode || keep.owner || keep.xattrs ? 0o700 : modeOf(source, null, keep) | 0o700;
      if (!target && first && this.#isWorthIt(first)) return new NewDirectory(this.#target, path, mode);
      places().makeDirectory(at, nameOf(path), mode);
      return 'at once';
    } catch (error) {
      report.own = null;
      report.failed.push({ path, failed: failedAs(error) });
      report.entered = false;
      return null;
    }
  }

  /** Are there files enough that are made in fewer calls in a directory of nobody's? */
  #isWorthIt({ names, kinds }: Part): boolean {
    const { entry, rules } = this.#setup;
    const { keep, stage, sparse, reflink } = entry;
    const { seen, single } = this.#hands;
    const byItself = stage || seen || single || rules.follow || this.#look.reference !== null;
    const plain = sparse !== 'always' && reflink !== 'always' && keep.mode === keep.times;
    return !byItself && plain && names.length - kinds.size >= 4 && native() !== null;
  }

  /** A directory of ours that keeps us out, from reading or from changing it, is opened for the time of the work. True if it was. */
  openUp(path: string, there: Facts | null, needed: 0o500 | 0o700): boolean {
    const { entry, anew } = this.#setup;
    const { uid } = entry.keep;
    if (!there || !this.#target || anew || uid === 0 || there.uid !== uid || (there.mode & needed) === needed)
      return false;
    const mode = there.mode | 0o700;
    try {
      if (path === '') fchmodSync(this.#target.root.fd, mode);
      else places().changeMode(this.#target.at(parentOf(path)), nameOf(path), mode);
      return true;
    } catch {
      return false; // Each of its entries will say so.
    }
  }

  #list({ path, target }: SurveyJob, report: Report) {
    try {
      const extras = this.#setup.rules.extras && target !== null;
      const { parts, source, destination } = openPart(
        this.#source.at(path),
        extras ? () => this.#look.there!.at(path) : null,
        (error) => this.#fail(error, path, 'destination', report),
      );
      report.source += source;
      report.destination += destination;
      return parts;
    } catch (error) {
      this.#fail(error, path, 'source', report);
      return null;
    }
  }

  /** A file that nothing is known of but that it is to be new. */
  #unseen(directory: string, name: string, report: Report): Promise<void> | undefined {
    const { entry, rules } = this.#setup;
    try {
      const way = this.#way(directory);
      const fd = openSource(way, name, entry);
      let work: Work;
      try {
        const source = openFacts(fd);
        work = { name, action: 'create', reason: 'new', source, target: null };
        const later = { name, source, target: null, verdict: created };
        if (rules.links && source.nlink > 1) {
          report.linked.push(later);
          return undefined;
        }
        if (source.size >= largeFile) {
          report.large.push(later);
          return undefined;
        }
        const done = isSmall(source, entry) ? copyOpen(fd, source, way, work, entry, this.#buffer) : null;
        if (done) {
          this.#done(below(directory, name), work, done, report);
          return undefined;
        }
      } finally {
        places().closeFile(fd);
      }
      return this.#place(directory, work, report);
    } catch (error) {
      report.failed.push({ path: below(directory, name), failed: failedAs(error) });
      return undefined;
    }
  }

  #entry(
    { path: directory, target }: SurveyJob,
    name: string,
    kind: Kind,
    scope: Scope,
    kept: string[] | null,
    report: Report,
  ): Promise<void> | undefined {
    const { rules } = this.#setup;
    const { seen } = this.#hands;
    const path = below(directory, name);
    let source: Facts | null;
    let there: Facts | null;
    try {
      source = places().stat(this.#source.at(directory), name, rules.follow);
      // A link that leads nowhere, or an entry that is gone since it was listed.
      if (!source) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT', errno: -2, syscall: 'stat' });
    } catch (error) {
      kept?.push(name);
      if (!scope.excludes(name, kind === 'directory')) this.#fail(error, path, 'source', report);
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
        this.#foundDirectory(name, source, there, report);
        return undefined;
      }
      return this.#decide(directory, name, source, there, report);
    } catch (error) {
      this.#fail(error, path, 'destination', report);
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

  #foundDirectory(name: string, source: Facts, there: Facts | null, report: Report): void {
    if (there && there.kind !== 'directory' && this.#setup.rules.style.name === 'copy')
      throw new SluiceError(`is ${describe[there.kind]}, and cannot be replaced by a directory`, {
        code: 'ENOTDIR',
        state: 'it was left as it is',
      });
    const instead = there && there.kind !== 'directory' ? there : null;
    if (!there || instead) this.#openForChange(report);
    report.directories.push({ name, source, target: instead ? null : there, instead });
  }

  #decide(
    directory: string,
    name: string,
    source: Facts,
    target: Facts | null,
    report: Report,
  ): Promise<void> | undefined {
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
      return this.#compare(directory, name, source, target, verdict, report);
    return this.#settle(directory, { name, source, target, verdict }, report);
  }

  async #compare(
    directory: string,
    name: string,
    source: Facts,
    target: Facts,
    verdict: Verdict | null,
    report: Report,
  ): Promise<void> {
    try {
      // Held: what else is looked at meanwhile may close them.
      const way = { source: this.#source.at(directory), target: this.#look.there!.at(directory) };
      const same = await holding(way, async (held) => {
        const steps = sameContent(held.source, held.target, name, this.#setup.rules.follow);
        for (let step = steps.next(); ; step = steps.next()) {
          if (step.done) return step.value;
          await this.#hands.pace();
        }
      });
      const settled = same ? verdict : { action: 'update' as const, reason: 'content' };
      await this.#settle(directory, { name, source, target, verdict: settled }, report);
    } catch (error) {
      this.#fail(error, below(directory, name), 'destination', report);
    }
  }

  /** The directory that is being surveyed is going to change. */
  #openForChange(report: Report): void {
    const job = this.#surveyed;
    if (job?.target && !report.opened) report.opened = this.openUp(job.path, job.target, 0o700);
  }

  /** It is known what is to be done: now, later, or nothing. */
  #settle(directory: string, later: Later, report: Report): Promise<void> | undefined {
    const { rules, anew } = this.#setup;
    const { name, source, target, verdict } = later;
    if (rules.links && (source.nlink > 1 || (target !== null && target.nlink > 1)) && source.kind !== 'directory') {
      report.linked.push(later);
      return undefined;
    }
    if (!verdict) {
      report.same++;
      return anew ? this.#carry(directory, name, source, report) : undefined;
    }
    if (verdict.action !== 'metadata' && verdict.action !== 'skip') this.#openForChange(report);
    const moves = verdict.action === 'create' || verdict.action === 'update';
    if (this.#target && moves && source.kind === 'file' && source.size >= largeFile) {
      report.large.push(later);
      return undefined;
    }
    return this.#place(directory, { name, source, target, ...verdict }, report);
  }

  /** What is the same in the old tree is in the new one by another name; a copy, where that cannot be. */
  #carry(directory: string, name: string, source: Facts, report: Report): Promise<void> | undefined {
    if (!this.#target || !this.#look.there) return undefined;
    const path = below(directory, name);
    try {
      linkEntry(this.#look.there, path, this.#target, path);
      return undefined;
    } catch (error) {
      if (!refusesLinks(error)) throw error;
      return this.#place(directory, { name, action: 'create', reason: 'same', source, target: null }, report);
    }
  }

  /** Put it in place, or say that it would be. */
  #place(directory: string, work: Work, report: Report): Promise<void> | undefined {
    if (!this.#target) {
      this.#foretell(work, report);
      return undefined;
    }
    const { entry, anew } = this.#setup;
    const { name, action, source } = work;
    const path = below(directory, name);
    try {
      if (action === 'skip') {
        addTold(report.told, work, name, { bytes: 0, method: 'metadata', lost: [], skipped: true });
        return undefined;
      }
      // In a new tree nothing is there to be updated.
      const own: Work = anew ? { ...work, action: action === 'link' ? 'link' : 'create', target: null } : work;
      if (action === 'link') {
        this.#done(path, work, linkEntry(this.#look.reference!, path, this.#target, path), report);
        return undefined;
      }
      const way = this.#way(directory);
      const { single } = this.#hands;
      if (single && source.kind === 'file' && action !== 'metadata')
        return this.#finish(
          path,
          work,
          holding(way, (held) => single(held, path)),
          report,
        );
      const done = copyEntry(way, own, entry, this.#buffer);
      if (done) {
        this.#done(path, work, done, report);
        return undefined;
      }
      const onBytes = (count: number) => {
        this.#hands.onBytes(count);
        report.moved += count;
      };
      return this.#finish(
        path,
        work,
        holding(way, (held) => copyLarge(held, own, entry, onBytes)),
        report,
      );
    } catch (error) {
      report.failed.push({ path, failed: failedAs(error) });
      return undefined;
    }
  }

  async #finish(path: string, work: Work, doing: Promise<Done>, report: Report): Promise<void> {
    try {
      this.#done(path, work, await doing, report);
    } catch (error) {
      if (error instanceof Stopped) throw error;
      report.failed.push({ path, failed: failedAs(error) });
    }
  }

  #foretell(work: Work, report: Report): void {
    const { action, source } = work;
    const bytes = source.kind === 'file' && action !== 'link' && action !== 'metadata' ? source.size : 0;
    addTold(report.told, work, work.name, {
      bytes,
      method: 'metadata',
      lost: [],
      ...(action === 'skip' && { skipped: true }),
    });
  }

  #done(path: string, work: Work, done: Done, report: Report): void {
    report.changed = true;
    if (done.staged !== undefined) report.staged.push({ at: report.told.length, work, temp: done.staged });
    if (done.warning !== undefined) report.warned.push({ path, message: done.warning });
    for (const what of done.lost) report.lost.push(what);
    addTold(report.told, work, work.name, done);
  }

  #way(directory: string): Way {
    return { source: this.#source.at(directory), target: this.#target!.at(directory) };
  }

  #isEmpty(path: string): boolean {
    let empty = true;
    places().list(this.#look.there!.at(path), () => {
      empty = false;
    });
    return empty;
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
        if (!isSystemError(error, 'ENOENT')) this.#fail(error, below(path, name), 'destination', report);
      }
    }
  }

  /** Something could not be looked at, or is not to be. */
  #fail(error: unknown, path: string, side: Failed['side'], report: Report): void {
    if (error instanceof Stopped) throw error;
    const { message, code, syscall, state } = failure(error);
    const left = side === 'source' ? 'nothing was copied from it' : 'it was left as it is';
    report.failed.push({ path, failed: { message, code, syscall, side, state: state ?? left } });
  }
}

/** How files are made in this new directory without being asked one by one; null: as elsewhere. */
function newFiles(keep: Keep, { fd }: Place): SmallWish | null {
  const { uid, gid } = places().statOpen(fd);
  const asks = keep.acl || keep.xattrs;
  // A default ACL is in every file that is made here, and would have to be taken off.
  if (asks && readExtended(fd)?.xattrs.size !== 0) return null;
  return { keep: keep.mode, owner: keep.owner ? { uid, gid } : null, xattrs: asks, links: false };
}

/** Thrown by hands that are told to stop. */
export class Stopped extends Error {}

const created = { action: 'create', reason: 'new' } as const;
