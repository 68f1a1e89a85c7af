// What could not be kept, counted and said.

import type { Loss } from '../io/attributes.js';

export function lossMessage(lost: ReadonlyMap<Loss, number>): string {
  const list = [...lost].map(([what, count]) => `${count} ${what}${count === 1 ? '' : 's'}`);
  return `kept everything but: ${list.join(', ')}`;
}
