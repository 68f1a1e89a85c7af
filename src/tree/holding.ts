// Directories kept open for as long as one file takes: the trees close those that were not used lately.

import type { Way } from './copy-entry.js';
import { places } from './place.js';

export async function holding<T>(way: Way, work: (held: Way) => Promise<T>): Promise<T> {
  const source = places().openPlace(way.source, '.', false);
  try {
    const target = places().openPlace(way.target, '.', false);
    try {
      return await work({
        source: { fd: source.fd, path: way.source.path },
        target: { fd: target.fd, path: way.target.path },
      });
    } finally {
      places().close(target);
    }
  } finally {
    places().close(source);
  }
}
