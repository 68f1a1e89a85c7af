// A directory entered: what is to be done with it itself, done, so that its entries can be.

import { fchmodSync } from 'node:fs';
import { isSystemError } from '../io/failure.js';
import type { SmallWish } from '../io/native/plain-files.js';
import { native } from '../io/native.js';
import { readExtended } from '../io/xattrs.js';
import type { Verdict } from './action.js';
import type { EntrySettings } from './copy-entry.js';
import type { Keep } from './dress.js';
import type { Facts } from './facts.js';
import type { Hands } from './hands.js';
import type { Part, Setup, SurveyJob } from './job.js';
import { NewDirectory } from './new-directory.js';
import { newDirectoryMode } from './new-mode.js';
import { type Place, places } from './place.js';
import { nameOf, parentOf, type Tree } from './tree.js';
import { directoryVerdict, type Look } from './verdict.js';

export class Entrance {
  readonly #setup: Setup;
  readonly #hands: Hands;
  readonly #target: Tree | null;
  readonly #look: Look;

  constructor(setup: Setup, hands: Hands, target: Tree | null, look: Look) {
    this.#setup = setup;
    this.#hands = hands;
    this.#target = target;
    this.#look = look;
  }

  /** What is to be done with the directory itself; null = nothing. */
  verdict({ path, source, target, instead }: SurveyJob): Verdict | null {
    if (instead) return { action: 'update', reason: 'kind' };
    return target ? directoryVerdict(this.#look, path, source, target) : { action: 'create', reason: 'new' };
  }

  /** Make the directory, if it is not there; throws where that fails. One that is given back has its name only once it is committed. */
  make({ path, source, target, instead }: SurveyJob, first: Part | undefined): NewDirectory | null {
    const { entry, anew } = this.#setup;
    const { keep } = entry;
    if (!this.#target || path === '' || (target && !anew)) return null;
    const at = this.#target.at(parentOf(path));
    if (instead && !anew) places().unlink(at, nameOf(path));
    // Closed to others while it is to be dressed; else as it will be, but that we may write in it.
    const mode = keep.mode || keep.owner || keep.xattrs ? 0o700 : newDirectoryMode(source.mode, keep.umask);
    // Where something else was, its place is empty for a moment only.
    const above = () => this.#target!.at(parentOf(path));
    if (!target && !instead && first && this.#isWorthIt(first)) return NewDirectory.make(above, nameOf(path), mode);
    makeOrFind(at, nameOf(path), mode);
    return null;
  }

  /** Are there files enough that are made in fewer calls in a directory of nobody's? */
  #isWorthIt({ names, kinds }: Part): boolean {
    const { entry, rules } = this.#setup;
    const { seen, single } = this.#hands;
    const byItself = seen || single || this.#look.reference !== null;
    return !byItself && names.length - kinds.size >= 4 && isNamedLater(entry, rules.follow);
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
}

/** May a new directory go without its name until its files are whole? They are made in fewer calls then, and all go if it comes to nothing. */
export function isNamedLater({ keep, stage, sparse, reflink }: EntrySettings, follow: boolean): boolean {
  const plain = sparse !== 'always' && reflink !== 'always' && keep.mode === keep.times;
  return plain && !stage && !follow && native() !== null;
}

/** A directory that somebody else has made under this name meanwhile is as good; anything else there is an error. */
export function makeOrFind(at: Place, name: string, mode: number): void {
  try {
    places().makeDirectory(at, name, mode);
  } catch (error) {
    if (!isSystemError(error, 'EEXIST') || places().stat(at, name)?.kind !== 'directory') throw error;
  }
}

/** How files are made in this new directory without being asked one by one; null: as elsewhere. */
export function newFiles(keep: Keep, { fd }: Place): SmallWish | null {
  const { uid, gid } = places().statOpen(fd);
  const asks = keep.acl || keep.xattrs;
  // A default ACL is in every file that is made here, and would have to be taken off.
  if (asks && readExtended(fd)?.xattrs.size !== 0) return null;
  return { keep: keep.mode, owner: keep.owner ? { uid, gid } : null, xattrs: asks, links: false };
}
