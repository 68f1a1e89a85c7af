// No more is read than there is room for: a source that has nothing for as long as the output is full.

import type { Source } from '../io/raw.js';

export interface Room {
  readonly full: boolean;
  /** Settles once it is not; rejects if it will never be. */
  ready(): Promise<void>;
}

export function paced(source: Source, room: Room): Source {
  return {
    readInto: (view) => (room.full ? null : source.readInto(view)),
    ready: () => (room.full ? room.ready() : (source.ready?.() ?? Promise.resolve())),
  };
}
