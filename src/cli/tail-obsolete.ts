// The forms that GNU's tail had before its options: `-5`, `+5`, `-5cf`, `-c+3` …

/** Options that GNU's tail does not have, and that may stand before the obsolete form. */
const ours = new Set(['--debug', '--json']);

/**
 * The obsolete form as options: a sign, a number if there is one, then b, c or l, then f, and at most one file. Everything else
 * stays as it is.
 */
export function prepare(argv: string[]): string[] {
  const before = argv.findIndex((argument) => !ours.has(argument));
  const rest = argv.slice(Math.max(0, before));
  return [...argv.slice(0, Math.max(0, before)), ...(obsolete(rest) ?? rest)];
}

function obsolete(argv: string[]): string[] | undefined {
  const [first, second] = argv;
  if (first === undefined) return undefined;
  const alone = argv.length === 1 || (argv.length === 2 && !/^-./s.test(second!));
  if (!alone && !(argv.length <= 3 && second === '--')) return undefined;
  const match = /^([-+])(\d*)([bcl]?)(f?)$/.exec(first);
  if (!match) return undefined;
  const [, sign, digits, kind, follow] = match;
  // POSIX 1003.1-2001 alone has no `+5`, and older ones have `-c` without a number.
  const version = Number(process.env['_POSIX2_VERSION'] || 200809);
  const old = version < 200112;
  if (sign === '+' && !old && version < 200809) return undefined;
  if (sign === '-' && !old && (first === '-' || first === '-c')) return undefined;
  const number = digits === '' ? (kind === 'b' ? '5120' : '10') : kind === 'b' ? `${digits}b` : digits;
  const unit = kind === 'b' || kind === 'c' ? '-c' : '-n';
  return [`${unit}${sign === '+' ? '+' : ''}${number}`, ...(follow ? ['-f'] : []), ...argv.slice(1)];
}
