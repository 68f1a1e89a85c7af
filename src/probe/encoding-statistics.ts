// Which legacy encoding bytes look like: by chardet. Loaded by import() where it is needed, which is seldom; the package itself
// is not, since a bundle gives the import() of a CommonJS package without its named exports.

import { analyse } from 'chardet';
import { findCodec } from '../io/codecs.js';
import { widerCharset } from '../io/narrow-charsets.js';
import type { Evidence } from './encoding.js';

/** Less is what it says of any bytes at all. */
const leastConfidence = 22;

/** Of bytes that are not UTF-8. UTF-16 and UTF-32 are not for statistics to find: they need whole units, all valid. */
export const guessed = (sample: Buffer): Evidence['guess'] =>
  best(sample, (name) => !/^(ascii|utf|iso-2022)/.test(name), leastConfidence);

/** Of ASCII bytes with escape sequences. */
export const guessedByEscapes = (sample: Buffer): Evidence['guess'] =>
  best(sample, (name) => name.startsWith('iso-2022'), 60);

function best(sample: Buffer, fits: (name: string) => boolean, least: number): Evidence['guess'] {
  for (const { name, confidence } of analyse(sample)) {
    const known = name.toLowerCase();
    if (fits(known))
      return confidence < least ? undefined : { name: fitting(known, sample), confidence, bytes: sample.length };
  }
  return undefined;
}

/** The charset of that name, or the wider one that often goes by it (Windows' for Shift_JIS) if only that has all of the sample. */
function fitting(name: string, sample: Buffer): string {
  const takes = (each: string): boolean => {
    try {
      findCodec(each).decoder('strict').decode(sample, false);
      return true;
    } catch {
      return false; // damaged, or unknown here
    }
  };
  const wider = widerCharset(name);
  return wider !== undefined && !takes(name) && takes(wider) ? wider : name;
}
