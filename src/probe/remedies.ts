// What is known of well-known programs: how they buffer what they write to a pipe, and how to have their lines at once.

import { basename } from 'node:path';

export interface Remedy {
  /** The program, as people call it. */
  program: string;
  /** What to write instead; null: there's no need, or no way, and `note` says why. */
  fix: string | null;
  note?: string;
  /** The block it fills before it writes, as long as nobody changes that; null: none. */
  block: number | null;
  /** It passes on what it reads as it reads it: look at what writes to it. */
  passes?: boolean;
  /** It cannot write before it has read all. */
  needsAll?: boolean;
}

const stdio = (program: string, fix?: string): Remedy => ({
  program,
  fix: fix ?? `stdbuf -oL ${program}`,
  block: 4096,
});

const table: [RegExp, (name: string, args: string[]) => Remedy][] = [
  [/^(e|f|z|p)?grep$/, (name) => stdio(name, `${name} --line-buffered`)],
  [/^rg$/, () => ({ program: 'rg', fix: 'rg --line-buffered', block: 65536 })],
  [/^g?sed$/, (name) => stdio(name, `${name} -u`)],
  [/^mawk$/, () => ({ program: 'mawk', fix: 'mawk -W interactive', block: 4096 })],
  [/^gawk$/, () => stdio('gawk', 'stdbuf -oL gawk (or fflush() after print)')],
  [/^awk$/, () => stdio('awk', 'fflush() after print (mawk: -W interactive; gawk: stdbuf -oL)')],
  [
    /^perl[\d.]*$/,
    () => ({ program: 'perl', fix: "$| = 1 in the program (perl -e 'BEGIN { $| = 1 } …')", block: 8192 }),
  ],
  [/^(python|pypy)[\d.]*$/, (name) => ({ program: name, fix: `${name} -u (or PYTHONUNBUFFERED=1)`, block: 8192 })],
  [/^ruby[\d.]*$/, () => ({ program: 'ruby', fix: '$stdout.sync = true in the program', block: 8192 })],
  [/^(node|nodejs|bun|deno)$/, (name) => ({ program: name, fix: null, note: `${name} writes at once`, block: null })],
  [/^jq$/, () => stdio('jq', 'jq --unbuffered')],
  [/^tcpdump$/, () => stdio('tcpdump', 'tcpdump -l')],
  [/^curl$/, () => ({ program: 'curl', fix: 'curl -N', block: 16384 })],
  [/^(ts|unbuffer)$/, (name) => ({ program: name, fix: null, block: null, note: `${name} writes at once` })],
  [
    /^(cat|tee|pv|socat|nc|ncat|sluice)$/,
    (program) => ({
      program,
      fix: null,
      block: null,
      passes: true,
      note: `${program} passes on what it reads as it reads it: look at what writes to it`,
    }),
  ],
  [
    /^(sort|tac|shuf|tsort)$/,
    (program) => ({
      program,
      fix: null,
      note: `${program} must read all before it can write`,
      block: 4096,
      needsAll: true,
    }),
  ],
  [
    /^(ba|da|z|k|a)?sh$/,
    (program) => ({ program, fix: null, note: 'a shell writes each echo or printf at once', block: null }),
  ],
  [
    /^(tr|cut|uniq|nl|fold|expand|unexpand|paste|join|comm|column|od|xxd|hexdump|strings|fmt|rev|head|tail|wc|numfmt|printf|seq|yes|find|ls|ps|iconv|diff)$/,
    (program) => stdio(program),
  ],
];

/** By the name of the program that arguments start; undefined: nothing is known of it. */
export function remedyFor(args: string[], comm: string): Remedy | undefined {
  for (const name of [basename(args[0] ?? '').replace(/^-/, ''), comm]) {
    const found = table.find(([pattern]) => pattern.test(name));
    if (found) return found[1](name, args);
  }
  return undefined;
}

/** The fix for a program of which nothing is known: it helps those that are written in C and dynamically linked. */
export const anyRemedy = (program: string): string => `stdbuf -oL ${program}`;
