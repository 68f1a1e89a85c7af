// `--exclude` and `--include`: rules in the order they were given, of which the first that matches decides. They are rsync's,
// and mean what they mean to it.
//
// A pattern without a slash is for the name alone, at any depth. One with a slash, or with `**`, is for the path: from the root where
// it begins with a slash, else its end. One that ends in a slash is for directories. `*`, `?` and `[…]` stop at slashes, `**` does not;
// so `x/**` is for all that is in x, and `x/***` for x too. A backslash takes the meaning from the next character, in patterns with a wildcard.

import type { GlobRule } from './rules.js';

export interface CompiledRule {
  include: boolean;
  matches(path: string, name: string, isDirectory: boolean): boolean;
}

export function compileRule({ include, pattern }: GlobRule): CompiledRule {
  const directoriesOnly = pattern.length > 1 && pattern.endsWith('/');
  const whole = directoriesOnly ? pattern.slice(0, -1) : pattern;
  const anchored = whole.startsWith('/');
  const glob = anchored ? whole.slice(1) : whole;
  const ofName = !whole.includes('/') && !whole.includes('**');
  const withContents = whole.endsWith('/***');
  // The path begins with a slash here: `**` in the first place takes it, too.
  const before = ofName ? '' : anchored ? '/' : glob.startsWith('**') ? '' : '(?:.*/)';
  const regex = new RegExp(`^${before}${/[*?[]/.test(glob) ? expression(glob) : literal(glob)}$`, 'us');
  return {
    include,
    matches(path, name, isDirectory) {
      if (directoriesOnly && !isDirectory) return false;
      if (ofName) return regex.test(name);
      return regex.test(isDirectory && withContents ? `/${path}/` : `/${path}`);
    },
  };
}

const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/gu, '\\$&');

/** A glob as a regular expression. */
function expression(glob: string): string {
  let text = '';
  for (let i = 0; i < glob.length; ) {
    const [piece] = /^(?:\*+|\?|\\.|\[[!^]?\]?(?:\[:\w+:\]|\\.|[^\]\\])*\]|.)/su.exec(glob.slice(i))!;
    i += piece.length;
    if (piece.startsWith('*')) text += piece.length > 1 ? '.*' : '[^/]*';
    else if (piece === '?') text += '[^/]';
    else if (piece.length > 1 && piece.startsWith('[')) text += characterClass(piece.slice(1, -1));
    else text += literal(piece.length > 1 && piece.startsWith('\\') ? piece.slice(1) : piece);
  }
  return text;
}

const named: Record<string, string> = {
  alpha: '\\p{L}',
  digit: '0-9',
  alnum: '\\p{L}0-9',
  upper: '\\p{Lu}',
  lower: '\\p{Ll}',
  space: '\\s',
  blank: ' \\t',
  punct: '!-\\/:-@\\[-`\\{-~',
  xdigit: '0-9A-Fa-f',
  cntrl: '\\x00-\\x1f\\x7f',
  print: ' -~\\u00a0-\\u{10ffff}',
  graph: '!-~\\u00a1-\\u{10ffff}',
};

/** What stands between brackets; it never matches a slash. */
function characterClass(inner: string): string {
  const negated = /^[!^]/.test(inner);
  const parts = (negated ? inner.slice(1) : inner).match(/\[:\w+:\]|\\?.(?:-\\?.)?/gsu) ?? [];
  const one = (character: string) => literal(character.replace(/^\\(.)$/su, '$1')).replace(/^-$/, '\\-');
  const set = parts.map((part) => {
    const name = /^\[:(\w+):\]$/.exec(part)?.[1];
    if (name !== undefined) return named[name] ?? '';
    const range = /^(\\?.)-(\\?.)$/su.exec(part);
    if (!range) return one(part);
    const [from, to] = [range[1]!, range[2]!].map((each) => each.replace(/^\\(.)$/su, '$1'));
    return from!.codePointAt(0)! <= to!.codePointAt(0)! ? `${one(from!)}-${one(to!)}` : '';
  });
  return negated ? `[^/${set.join('')}]` : `(?!/)[${set.join('')}]`;
}
