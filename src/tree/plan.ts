// The plan: both trees walked side by side, in one fixed order, and what is to be done about each entry. `copy` and `sync`
// are two sets of rules for one walk. Nothing is written here, and nothing is kept but the directories on the way down.

import { isSystemError, SluiceError } from '../io/failure.js';
import { tempBase } from '../io/temp-name.js';
import { type Action, Node, type Step } from './action.js';
import { type CompareSettings, type Difference, difference, sameContent } from './compare.js';
import { describe, type Facts, mtimeNs, sameFile } from './facts.js';
import type { Scope } from './filter.js';
import { places } from './place.js';
import { below, type Tree } from './tree.js';

export interface PlanSettings {
  /** copy: everything is made anew; sync: what differs. */
  rules: { style: 'copy'; noClobber: boolean; update: boolean } | { style: 'sync'; compare: CompareSettings };
  /** Symlinks in the source stand for what they lead to. */
  follow: boolean;
  /** Names of one file stay names of one file. */
  links: boolean;
  devices: boolean;
  oneFileSystem: boolean;
  scope: Scope;
  /** A directory with contents may go where the source has something else. */
  replaceDirectories: boolean;
  /** Look for what only the destination has. */
  extras: boolean;
  /** Say what is the same, too. */
  same: boolean;
  /** An earlier tree: files that are the same there are linked from there. */
  reference?: Tree | undefined;
  /** The target's root was only just made. */
  freshRoot: boolean;
}

/** What the walk has to say beside its steps. */
export interface PlanEvents {
  fail(error: unknown, side: 'source' | 'destination', path: string): void;
  warn(message: string, path: string, code?: string): void;
  /** An entry that only the destination has. `excluded`: the filters keep it. `temp`: a temp file's name. */
  extra(node: Node, name: string, facts: Facts, kind: 'plain' | 'excluded' | 'temp', scope: Scope): void;
  /** A directory with contents where the source has something else: the step is possible once it's gone. */
  occupied(node: Node, name: string, facts: Facts, step: Step & { do: 'entry' }, scope: Scope): void;
  /** An entry that was looked at: for digests of a state. */
  seen?: ((side: 'source' | 'destination', path: string, facts: Facts) => void) | undefined;
  /** Entries seen, for guards that are shares of them. */
  count(side: 'source' | 'destination', entries: number): void;
}

/** The first name met of a file with several. */
interface LinkGroup {
  path: string;
  /** Its inode in the destination where that stays as it is. */
  target: string | null;
}

interface Frame {
  node: Node;
  scope: Scope;
  directories: { name: string; facts: Facts }[];
  next: number;
}

const identity = ({ dev, ino }: Facts): string => `${dev}:${ino}`;

export function* plan(
  source: Tree,
  target: Tree | null,
  settings: PlanSettings,
  events: PlanEvents,
): Generator<Step, void, boolean | undefined> {
  const { follow, rules, scope } = settings;
  const groups = new Map<string, LinkGroup>();
  /** Which source file stands behind an inode of the destination that has several names. */
  const behind = new Map<string, string>();
  /** Inodes of the destination that lose a name, and how many they had. */
  const parting = new Map<string, number>();
  const late: Step[] = [];
  /** Of several names each, with a directory in its place that has to go first. */
  const blocked: Action[] = [];
  const rootFacts = places().statOpen(source.root.fd);
  const targetFacts = target ? places().statOpen(target.root.fd) : null;

  const root = new Node('', null, rootFacts, settings.freshRoot ? null : targetFacts);
  const stack: Frame[] = [];
  yield* enter(root, scope);
  while (stack.length > 0) {
    const frame = stack.at(-1)!;
    const directory = frame.directories[frame.next++];
    if (!directory) {
      stack.pop();
      yield { do: 'leave', node: frame.node };
      continue;
    }
    const { name, facts } = directory;
    yield* openDirectory(frame, name, facts);
  }
  // Of names of one file that are in no one's way any is the first; of those that had to wait, the others are links to it.
  for (const action of blocked) {
    const group = groups.get(identity(action.source!));
    if (group) Object.assign(action, { action: 'link', bytes: 0, to: group.path });
    else groups.set(identity(action.source!), { path: action.path, target: null });
  }
  // Links come last: by then what they lead to is in place.
  for (const step of late) yield step;

  /** One directory: met, entered, its entries walked; those that are directories wait in its frame. */
  function* enter(node: Node, inner: Scope, instead: Facts | null = null): Generator<Step, void, boolean | undefined> {
    let action: Action | null;
    try {
      action = directoryAction(node, instead);
    } catch (error) {
      events.fail(error, 'source', node.path);
      yield { do: 'leave', node };
      return;
    }
    if (!(yield { do: 'enter', node, action })) {
      yield { do: 'leave', node };
      return;
    }
    const frame: Frame = { node, scope: inner, directories: [], next: 0 };
    if (settings.oneFileSystem && node.source.dev !== rootFacts.dev) {
      yield { do: 'leave', node };
      return;
    }
    const names = listed(source, node.path, 'source');
    if (names === null) {
      yield { do: 'leave', node };
      return;
    }
    events.count('source', names.length);
    const kept: string[] | null = settings.extras && node.target ? [] : null;
    for (const name of names) yield* entry(frame, name, kept);
    if (kept) findExtras(frame, kept);
    stack.push(frame);
  }

  /** `instead`: what is in the directory's place and is none. */
  function directoryAction(node: Node, instead: Facts | null): Action | null {
    const { path, source: facts, target: there } = node;
    const action = (verb: Action['action'], reason: string): Action => {
      node.touched = true;
      return { action: verb, path, reason, bytes: 0, source: facts, target: there ?? instead };
    };
    if (instead) return action('update', 'kind');
    if (!there) return action('create', 'new');
    if (rules.style === 'copy') {
      node.touched = true;
      return null;
    }
    const differs = difference(facts, there, rootOrSelf(node), rules.compare);
    return differs ? action(differs.action, differs.reason) : null;
  }

  /** Where a directory's own attributes are found: opened only if they are looked at. */
  function rootOrSelf({ path }: Node) {
    return {
      get source() {
        return source.at(path);
      },
      get target() {
        return target!.at(path);
      },
      name: '.',
    };
  }

  function listed(tree: Tree, path: string, side: 'source' | 'destination'): string[] | null {
    const names: string[] = [];
    try {
      places().list(tree.at(path), (name) => names.push(name));
    } catch (error) {
      events.fail(error, side, path);
      return null;
    }
    return names.sort();
  }

  function* entry(
    { node, scope: here, directories }: Frame,
    name: string,
    kept: string[] | null,
  ): Generator<Step, void> {
    const path = below(node.path, name);
    let facts: Facts | null;
    try {
      facts = places().stat(source.at(node.path), name, follow);
      // A link that leads nowhere, or an entry that is gone since it was listed.
      if (!facts) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT', errno: -2, syscall: 'stat' });
    } catch (error) {
      kept?.push(name);
      events.fail(error, 'source', path);
      return;
    }
    if (here.excludes(name, facts.kind === 'directory')) return;
    kept?.push(name);
    if (facts.kind === 'directory') {
      directories.push({ name, facts });
      return;
    }
    if (facts.kind === 'socket' || facts.kind === 'unknown') {
      events.warn(`is ${describe[facts.kind]}, which cannot be copied; left out`, path);
      return;
    }
    if ((facts.kind === 'character' || facts.kind === 'block') && !settings.devices) {
      events.warn(`is ${describe[facts.kind]}; left out`, path, 'ERR_DEVICE');
      return;
    }
    try {
      const there = node.target && target ? places().stat(target.at(node.path), name) : null;
      events.seen?.('source', path, facts);
      if (there) events.seen?.('destination', path, there);
      const step = yield* decide(node, name, path, facts, there, here);
      if (step?.do === 'entry' && step.action.to !== undefined) {
        node.pending++;
        late.push({ ...step, late: true });
      } else if (step) yield step;
    } catch (error) {
      events.fail(error, 'destination', path);
    }
  }

  function* decide(
    node: Node,
    name: string,
    path: string,
    facts: Facts,
    there: Facts | null,
    here: Scope,
  ): Generator<Step, Step | null> {
    const made = (action: Action['action'], reason: string, to?: string): Step => {
      if (there && there.nlink > 1 && action !== 'metadata') parting.set(identity(there), namesOf(there));
      const bytes = facts.kind === 'file' && action !== 'link' && action !== 'metadata' ? facts.size : 0;
      const step = { action, path, reason, bytes, source: facts, target: there, ...(to !== undefined && { to }) };
      return { do: 'entry', node, action: step };
    };
    const group = settings.links && facts.nlink > 1 ? groups.get(identity(facts)) : undefined;
    if (there && sameFile(facts, there) && rules.style === 'copy')
      throw new SluiceError('source and destination are the same file', { path, state: 'it was left as it is' });
    if (there && rules.style === 'copy') {
      if (there.kind === 'directory')
        throw new SluiceError(`is a directory, and cannot be replaced by ${describe[facts.kind]}`, {
          code: 'EISDIR',
          path: target!.shown(path),
          state: 'it was left as it is',
        });
      if (rules.noClobber) return made('skip', 'exists');
      if (rules.update && mtimeNs(facts) <= mtimeNs(there)) return made('skip', 'is not older than the source');
    }
    if (there?.kind === 'directory' && rules.style === 'sync' && !isEmpty(path)) {
      if (!settings.replaceDirectories) {
        throw new SluiceError(
          `is a directory with contents, in the place of ${describe[facts.kind]}; --delete replaces it`,
          {
            code: 'ENOTEMPTY',
            path: target!.shown(path),
            state: 'it was left as it is',
          },
        );
      }
      const step = made('update', 'kind') as Step & { do: 'entry' };
      if (settings.links && facts.nlink > 1) blocked.push(step.action);
      events.occupied(node, name, there, step, here);
      return null;
    }
    if (group) {
      if (there && group.target === identity(there)) return { do: 'same', node, path, source: facts };
      return made('link', there ? 'hard link' : 'new', group.path);
    }
    const differs = apart(yield* differsFrom(node, name, facts, there), facts, there);
    if (settings.links && facts.nlink > 1)
      groups.set(identity(facts), {
        path,
        // Where a whole new tree is built, one with new metadata is another file.
        target: !differs || (differs.action === 'metadata' && !settings.same) ? identity(there!) : null,
      });
    if (
      settings.reference &&
      facts.kind === 'file' &&
      differs &&
      differs.action !== 'metadata' &&
      sameInReference(node, name, facts)
    )
      return made('link', differs.reason);
    if (!differs) return settings.same ? { do: 'same', node, path, source: facts } : null;
    return made(differs.action, differs.reason);
  }

  /** As many as it had before any of them was given to another file. */
  function namesOf(there: Facts): number {
    return parting.get(identity(there)) ?? there.nlink;
  }

  /** A file's other names may be a snapshot's, or stand for other files of the source: it is not changed in place. */
  function apart(differs: Difference | null, facts: Facts, there: Facts | null): Difference | null {
    if (differs?.action !== 'metadata' || namesOf(there!) === (settings.links ? facts.nlink : 1)) return differs;
    return { action: 'update', reason: differs.reason };
  }

  function isEmpty(path: string): boolean {
    let empty = true;
    places().list(target!.at(path), () => {
      empty = false;
    });
    return empty;
  }

  function* differsFrom(
    node: Node,
    name: string,
    facts: Facts,
    there: Facts | null,
  ): Generator<Step, Difference | null> {
    if (!there) return { action: 'create', reason: 'new' };
    if (there.kind !== facts.kind) return { action: 'update', reason: 'kind' };
    if (rules.style === 'copy') return { action: 'update', reason: 'exists' };
    if (settings.links) {
      // Once met it counts, though it may have one name only by now: others were replaced meanwhile.
      const other = behind.get(identity(there));
      if (other === undefined && there.nlink > 1) behind.set(identity(there), identity(facts));
      // One file in the destination, two in the source.
      if (other !== undefined && other !== identity(facts)) return { action: 'update', reason: 'hard link' };
    }
    const at = { source: source.at(node.path), target: target!.at(node.path), name };
    const differs = difference(facts, there, at, rules.compare);
    if (!rules.compare.checksum || facts.kind !== 'file' || differs?.action === 'update') return differs;
    const comparison = sameContent(at.source, at.target, name, follow);
    for (;;) {
      const { done, value } = comparison.next();
      if (done) return value ? differs : { action: 'update', reason: 'content' };
      yield { do: 'pause' };
    }
  }

  function sameInReference(node: Node, name: string, facts: Facts): boolean {
    if (rules.style !== 'sync') return false;
    try {
      const at = { source: source.at(node.path), target: settings.reference!.at(node.path), name };
      const there = places().stat(at.target, name);
      return there?.kind === 'file' && difference(facts, there, at, { ...rules.compare, checksum: false }) === null;
    } catch {
      return false; // No such directory there.
    }
  }

  function* openDirectory(frame: Frame, name: string, facts: Facts): Generator<Step, void, boolean | undefined> {
    const { node } = frame;
    const path = below(node.path, name);
    if (targetFacts && sameFile(facts, targetFacts)) {
      events.warn('is the destination itself; left out', path);
      return;
    }
    if (follow) {
      for (let above: Node | null = node; above; above = above.parent)
        if (sameFile(above.source, facts)) {
          events.fail(
            new SluiceError('is a symlink to a directory it lies in', { code: 'ELOOP', path }),
            'source',
            path,
          );
          return;
        }
    }
    let there: Facts | null = null;
    try {
      there = node.target && target ? places().stat(target.at(node.path), name) : null;
      if (there && there.kind !== 'directory' && rules.style === 'copy')
        throw new SluiceError(`is ${describe[there.kind]}, and cannot be replaced by a directory`, {
          code: 'ENOTDIR',
          path: target!.shown(path),
          state: 'it was left as it is',
        });
    } catch (error) {
      events.fail(error, 'destination', path);
      return;
    }
    events.seen?.('source', path, facts);
    if (there) events.seen?.('destination', path, there);
    const instead = there && there.kind !== 'directory' ? there : null;
    yield* enter(new Node(path, node, facts, instead ? null : there), frame.scope.enter(name, source), instead);
  }

  /** Both lists are sorted. */
  function findExtras({ node, scope: here }: Frame, kept: string[]): void {
    const names = listed(target!, node.path, 'destination');
    if (names === null) return;
    events.count('destination', names.length);
    let i = 0;
    for (const name of names) {
      while (i < kept.length && kept[i]! < name) i++;
      if (kept[i] === name) continue;
      try {
        const facts = places().stat(target!.at(node.path), name);
        if (!facts) continue;
        events.seen?.('destination', below(node.path, name), facts);
        const temp = facts.kind !== 'directory' && tempBase(name) !== undefined;
        const excluded = here.excludes(name, facts.kind === 'directory');
        events.extra(node, name, facts, temp ? 'temp' : excluded ? 'excluded' : 'plain', here);
      } catch (error) {
        if (!isSystemError(error, 'ENOENT')) events.fail(error, 'destination', below(node.path, name));
      }
    }
  }
}
