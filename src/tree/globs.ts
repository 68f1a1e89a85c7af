// `--exclude` and `--include`: rules in the order they were given, of which the first that matches decides (rsync's way).
//
// A pattern without a slash is for the name alone, at any depth. One with a slash is for the path: from the root where
// it begins with a slash, else at any depth. One that ends in a slash is for directories. `*`, `?` and `[…]` stop at slashes, `**` does not.

import picomatch from 'picomatch';
import type { GlobRule } from './rules.js';

export interface CompiledRule {
  include: boolean;
  matches(path: string, name: string, isDirectory: boolean): boolean;
}

export function compileRule({ include, pattern }: GlobRule): CompiledRule {
  const directoriesOnly = pattern.length > 1 && pattern.endsWith('/');
  const body = directoriesOnly ? pattern.replace(/\/+$/, '') : pattern;
  const test = matcher(body.startsWith('/') ? body.slice(1) : body);
  const anywhere = body.startsWith('/') || !body.includes('/') ? undefined : matcher(`**/${body}`);
  const byName = !body.includes('/') && !body.includes('**');
  return {
    include,
    matches: (path, name, isDirectory) =>
      (isDirectory || !directoriesOnly) && (test(byName ? name : path) || (anywhere?.(path) ?? false)),
  };
}

function matcher(glob: string): (text: string) => boolean {
  return picomatch(literal(glob), { dot: true, nonegate: true, noextglob: true, keepQuotes: true, nocase: false });
}

/** Characters that mean something to picomatch, and nothing in a glob of a shell, stand for themselves. */
function literal(glob: string): string {
  let text = '';
  let inClass = false;
  for (let i = 0; i < glob.length; i++) {
    const character = glob[i]!;
    if (character === '\\' && i + 1 < glob.length) {
      text += character + glob[++i]!;
      continue;
    }
    if (character === '[' && glob[i + 1] === '!') {
      text += '[^';
      i++;
      inClass = true;
      continue;
    }
    if (character === '[') inClass = true;
    else if (character === ']') inClass = false;
    text += !inClass && /[()|$^+!@"]/.test(character) ? `\\${character}` : character;
  }
  return text;
}
