// The counting thread of `census.ts`.

import { parentPort, workerData } from 'node:worker_threads';
import type { Count } from './census.js';
import { Scopes } from './filter.js';
import type { Rules, Side } from './job.js';
import { places } from './place.js';
import { below, Tree } from './tree.js';

const { source, rules } = workerData as { source: Side; rules: Rules };
const tree = new Tree(source.path, rules.follow, source);
const scopes = new Scopes(rules.filter, tree);
const device = places().statOpen(source.fd).dev;
const count: Count = { files: 0, bytes: 0 };
const waiting = [''];
/** With links followed, a tree may lead back into itself. */
const met = new Set<string>();

for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
  const scope = scopes.at(path);
  const names: string[] = [];
  try {
    places().list(tree.at(path), (name) => names.push(name));
    for (const name of names) {
      const facts = places().stat(tree.at(path), name, rules.follow);
      if (!facts || scope.excludes(name, facts.kind === 'directory')) continue;
      if (facts.kind !== 'directory') {
        if (facts.kind === 'socket' || facts.kind === 'unknown') continue;
        count.files++;
        if (facts.kind === 'file') count.bytes += facts.size;
        continue;
      }
      if (rules.oneFileSystem && facts.dev !== device) continue;
      if (rules.follow) {
        const identity = `${facts.dev}:${facts.ino}`;
        if (met.has(identity)) continue;
        met.add(identity);
      }
      waiting.push(below(path, name));
    }
  } catch {
    // What cannot be read is not counted.
  }
}
tree.close();
parentPort!.postMessage(count);
