// From an old tree into the one that is to take its place: what stays without being in the source. Files by hard link.

import type { Extra } from './delete.js';
import { dressOpen, type Keep } from './dress.js';
import type { Facts } from './facts.js';
import type { Node } from './node.js';
import { places } from './place.js';
import { below, nameOf, parentOf, type Tree } from './tree.js';

/** `gone` are paths that do not stay, though a directory above them is among the extras. Gives the directories that got something. */
export function carryTree(
  from: Tree,
  to: Tree,
  extras: Extra[],
  gone: ReadonlySet<string>,
  fail: (error: unknown, path: string) => void,
): Node[] {
  const uid = process.geteuid?.() ?? 0;
  const keep: Keep = { mode: true, acl: true, owner: uid === 0, times: true, xattrs: true, umask: 0o077, uid };
  const nodes = new Set<Node>();
  for (const { node, name, facts } of extras) {
    const path = below(node.path, name);
    if (gone.has(path)) continue;
    carry(path, facts);
    nodes.add(node);
  }
  return [...nodes];

  function carry(path: string, facts: Facts): void {
    const name = nameOf(path);
    try {
      if (facts.kind !== 'directory') {
        places().link(from.at(parentOf(path)), name, to.at(parentOf(path)), name);
        return;
      }
      places().makeDirectory(to.at(parentOf(path)), name, 0o700);
      const names: string[] = [];
      places().list(from.at(path), (each) => names.push(each));
      for (const each of names.sort()) {
        const inner = below(path, each);
        const there = gone.has(inner) ? null : places().stat(from.at(path), each);
        if (there) carry(inner, there);
      }
      const way = { source: from.at(path), target: to.at(path) };
      dressOpen(way.target.fd, facts, null, { source: way.source.fd, replaced: null }, way, keep);
    } catch (error) {
      fail(error, path);
    }
  }
}
