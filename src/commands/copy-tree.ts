// `sluice copy -r`: one directory onto another, by the engine in src/tree. What single files can have asked of them beside
// (digests, verification, rewriting in place, …) is done by `copy-file.ts`, file by file, through the engine's open directories.

import { dirname } from 'node:path';
import { fsyncDirectory, storageOf } from '../io/durability.js';
import { failure, SluiceError } from '../io/failure.js';
import { realPath } from '../io/path.js';
import type { Action } from '../tree/action.js';
import type { Done, EntrySettings, Way } from '../tree/copy-entry.js';
import { Engine } from '../tree/engine.js';
import type { EngineEvents } from '../tree/engine-face.js';
import { isNamedLater } from '../tree/entrance.js';
import type { Rules } from '../tree/job.js';
import { places } from '../tree/place.js';
import { nameOf, Tree } from '../tree/tree.js';
import type { Context } from './context.js';
import type { CopyOptions, Job, Run } from './copy.js';
import { copyFile } from './copy-file.js';
import { openTarget, refuseIntoItself } from './copy-tree-target.js';

/** Copy the directory `job.source`, whose links are followed as asked, so that `job.destination` is the like of it. */
export async function copyTree(job: Job, run: Run): Promise<void> {
  const { options } = run;
  refuseIntoItself(job.source, job.destination);
  if (options.durable === 'strict' && storageOf(dirname(job.destination)) !== 'durable')
    throw new SluiceError('durability cannot be promised on this file system', {
      path: job.destination,
      state: 'nothing was copied into it',
    });
  const source = new Tree(job.source, options.followLinks === 'always');
  try {
    const opened = openTarget(
      job,
      options,
      source,
      !asksMore(options) && isNamedLater(entrySettings(options), options.followLinks === 'always'),
    );
    const { root, fresh } = opened;
    const target = root && new Tree(job.destination, false, root);
    try {
      const engine: Engine = new Engine(
        { source, target: options.dryRun ? null : target, there: target },
        {
          rules: rulesOf(options, source),
          entry: entrySettings(options),
          jobs: options.jobs,
          freshRoot: fresh,
          single: target && asksMore(options) ? oneByOne(source, target, run) : undefined,
        },
        eventsOf(job, run, source, target ?? source, (failed, path): SluiceError => engine.located(failed, path)),
      );
      await engine.run();
      if (options.durable !== 'none' && !options.dryRun)
        await makeDurable(engine, job.destination, fresh !== false, run);
    } finally {
      target?.close();
      opened.close();
    }
  } finally {
    source.close();
  }
}

function eventsOf(job: Job, run: Run, source: Tree, target: Tree, located: Engine['located']): EngineEvents {
  const { options, context, totals, onBytes } = run;
  let moved = 0;
  return {
    done(action, done) {
      if (options.dryRun) foretell(action, job, run);
      else tell(action, done, source, target, context, run);
    },
    failed(failed, path) {
      totals.errors++;
      context.fail(located(failed, path));
    },
    warned: (message, path) => context.warn(message, { path: source.shown(path) }),
    leftOut(message, path, code) {
      context.warn(message, { path: source.shown(path), ...(code !== undefined && { code }) });
      if (code === 'ERR_DEVICE') totals.lost.set('device', (totals.lost.get('device') ?? 0) + 1);
    },
    lost: (what) => void totals.lost.set(what, (totals.lost.get(what) ?? 0) + 1),
    progress({ bytes, ...others }) {
      const count = bytes - moved;
      moved = bytes;
      return onBytes(count, others);
    },
    extra() {},
    occupied() {},
    count() {},
  };
}

/** The names in every directory that was made or changed, and the root's own, reach stable storage. */
async function makeDurable(engine: Engine, destination: string, fresh: boolean, run: Run): Promise<void> {
  const { context, totals } = run;
  const unconfirmed = ({ message, code = 'ERR_DURABILITY', path, state }: SluiceError) => {
    totals.unconfirmed++;
    context.warn(`${message} — ${state}`, { code, ...(path !== undefined && { path }) });
  };
  await engine.syncDirectories(unconfirmed);
  const parent = dirname(destination);
  if (fresh)
    await fsyncDirectory(parent).catch((error) =>
      unconfirmed(failure(error, { path: parent, state: 'its names may not survive a power cut' })),
    );
  if (storageOf(destination) === 'volatile')
    context.warn('volatile: this file system keeps nothing over a power cut', {
      path: destination,
      code: 'ERR_VOLATILE',
    });
}

function rulesOf(options: CopyOptions, source: Tree): Rules {
  const { noClobber, update, preserve, followLinks, filter } = options;
  return {
    style: { name: 'copy', noClobber, update },
    follow: followLinks === 'always',
    links: preserve.has('links'),
    devices: options.devices && process.geteuid?.() === 0,
    oneFileSystem: options.oneFileSystem,
    replaceDirectories: false,
    extras: false,
    filter: {
      rules: filter.rules,
      git: filter.gitignore ? realPath(source.path) : undefined,
    },
  };
}

function entrySettings(options: CopyOptions): EntrySettings {
  const { preserve, noClobber, sparse, reflink, allowChanged } = options;
  return {
    keep: {
      mode: preserve.has('mode'),
      acl: preserve.has('mode'),
      owner: preserve.has('ownership'),
      times: preserve.has('timestamps'),
      xattrs: preserve.has('xattr'),
      umask: process.umask(),
      uid: process.geteuid?.() ?? 0,
    },
    follow: options.followLinks === 'always',
    noClobber,
    sparse,
    reflink,
    allowChanged,
    stage: options.durable !== 'none',
  };
}

/** Is there more to do to a file than the engine does? */
const asksMore = (options: CopyOptions): boolean =>
  options.verify ||
  options.checksum !== undefined ||
  options.backup !== undefined ||
  options.inPlace ||
  options.resume ||
  options.conversion !== undefined ||
  options.bufferSize !== undefined ||
  options.limitRate !== undefined;

/** Files by `copyFile`, through directories that are held open, under the names that the user knows. */
function oneByOne(source: Tree, target: Tree, run: Run): (way: Way, path: string) => Promise<Done> {
  return async (way, path) => {
    const name = nameOf(path);
    const from = places().pathOf(way.source, name);
    const shown = { source: source.shown(path), destination: target.shown(path) };
    const { context } = run;
    const renaming: Context = {
      record: (record) => context.record(record),
      print: (line) => context.print(line),
      warn: (message, details) =>
        context.warn(message, { ...details, path: details?.path === from ? shown.source : shown.destination }),
      fail: (error) => context.fail(error),
      debug: (text) => context.debug(text),
      progress: (state) => context.progress(state),
    };
    const job: Job = { source: from, destination: places().pathOf(way.target, name), stat: null, shown };
    try {
      await copyFile(job, { ...run, context: renaming });
    } catch (error) {
      if (error instanceof SluiceError && error.path === from) Object.assign(error, { ofSource: true });
      throw error;
    }
    return told;
  };
}

/** What `copyFile` has told of already. */
const told: Done = { bytes: 0, method: 'told', lost: [] };

function tell(
  { action, path, kind, reason }: Action,
  { bytes, method, skipped }: Parameters<EngineEvents['done']>[1],
  from: Tree,
  to: Tree,
  context: Context,
  { totals }: Run,
): void {
  if (kind === 'directory') {
    totals.directories++;
    return;
  }
  if (method === told.method) return;
  const names = { source: from.shown(path), destination: to.shown(path) };
  if (skipped) {
    totals.skipped++;
    context.record({ type: 'skipped', ...names, reason: action === 'skip' ? reason : 'exists' });
    return;
  }
  if (kind === 'symlink') totals.symlinks++;
  else totals.files++;
  totals.bytes += bytes;
  context.record({ type: 'copied', ...names, bytes, method });
}

function foretell({ action, path, kind, bytes }: Action, { source, destination }: Job, { context, totals }: Run): void {
  const shown = (root: string) => (path === '' ? root : root.endsWith('/') ? root + path : `${root}/${path}`);
  if (action === 'skip') totals.skipped++;
  else if (kind === 'directory') totals.directories++;
  else if (kind === 'symlink') totals.symlinks++;
  else totals.files++;
  context.record({
    type: 'action',
    action,
    source: shown(source),
    destination: shown(destination),
    ...(kind === 'file' && { bytes }),
  });
}
