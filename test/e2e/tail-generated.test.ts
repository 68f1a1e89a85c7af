// Commands that nobody would think of, generated: each is run with GNU's tail and with ours, in one directory.

import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { command, shell, temporary } from '../helpers/sluice.js';

const hasGnuTail = /GNU coreutils/.test(spawnSync('tail', ['--version']).stdout?.toString() ?? '');

const sizes = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc
    .tuple(fc.constantFrom(512, 1024, 4096, 8192, 65536, 262_144), fc.integer({ min: -1, max: 1 }))
    .map(([size, more]) => size + more),
);
const units = fc.constantFrom('\n', 'a\n', '\r\n', '\0', 'xyz\0', '\xff\xfe\n', `${'y'.repeat(80)}\n`, '\n\n\0\n', 'z');
const content = fc
  .tuple(sizes, units, fc.boolean())
  .map(([size, unit, rest]) => Buffer.concat([Buffer.alloc(size, unit, 'latin1'), Buffer.from(rest ? 'rest' : '')]));

const number = fc
  .tuple(
    fc.constantFrom('', '', '', '+', '-'),
    fc.oneof(
      { weight: 2, arbitrary: fc.constantFrom('0', '1', '2', '3', '10', '100', '512', '8193', '65536', '010') },
      fc.constantFrom(
        ...['1b', '2k', '1K', '1KiB', '1kB', '1KB', '1m', '1G', '1E', 'K', 'kB', ' 3', '18446744073709551615'],
        ...['', 'x', '1Q', '1KIB', '0x10', '1.5', '3 ', '++3', '--3', '5c', '18446744073709551616', '1bB', '1D'],
      ),
    ),
  )
  .map(([sign, digits]) => sign + digits);

const option = fc.oneof(
  fc.tuple(fc.constantFrom('-n', '-c', '-qn', '-zc', '--lines=', '--bytes='), number).map((parts) => [parts.join('')]),
  fc.tuple(fc.constantFrom('-n', '-c', '--lines', '--bytes'), number).map((parts) => [...parts]),
  fc.constantFrom('-q', '-v', '-z', '--silent', '--quiet', '--verbose', '--zero-terminated', '--').map((one) => [one]),
  fc
    .constantFrom(
      '-s1',
      '-s0',
      '-s1e-1',
      '-s0x1',
      '-sinf',
      '-sx',
      '-s-1',
      '--pid=0',
      '--pid= +1',
      '--pid=-1',
      '--pid=x',
    )
    .map((one) => [one]),
  fc
    .constantFrom(...['-5', '+5', '-5c', '+5c', '-2b', '+2b', '-3l', '-l', '-b', '+c', '+', '-c5', '-5q', '-0', '-c+3'])
    .map((one) => [one]),
);
const name = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('one', 'two') },
  fc.constantFrom('-', 'nope', 'dir', 'dangling', 'loop', '', './-dash', 'new\nline', '/dev/null', 'one/x'),
);
const given = fc.record({
  args: fc
    .tuple(fc.array(option, { maxLength: 3 }), fc.array(name, { maxLength: 3 }), fc.boolean())
    .map(([options, names, after]) => (after ? [...names, ...options.flat()] : [...options.flat(), ...names])),
  input: fc.constantFrom('cat in | ', 'head -c 3 in | ', '{ head -c 2 >/dev/null; ', '{ '),
});
type Given = typeof given extends fc.Arbitrary<infer T> ? T : never;

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/** The command, its status, and what it left of its input, between marks. */
function line({ args, input }: Given, i: number): string {
  const call = `tail ${args.map(quoted).join(' ')} 2>err${i}`;
  const status = `echo; echo "status $?"; grep -c 'tail: ' err${i}`;
  return input.startsWith('{') ? `${input}${call}; ${status}; wc -c; } < in` : `${input}${call}; ${status}`;
}

/** GNU's exit status for a usage error is 1, ours 2: which of the commands were such? */
const usage = /^tail: (invalid (number|PID)|option used in invalid)|^Try /m;

it.skipIf(!hasGnuTail)(
  "prints what GNU's tail prints, and ends as it ends, whatever the arguments",
  async () => {
    await fc.assert(
      fc.asyncProperty(
        content,
        content,
        content,
        fc.array(given, { minLength: 8, maxLength: 12 }),
        async (a, b, c, all) => {
          const home = temporary();
          for (const [file, bytes] of Object.entries({ one: a, two: b, in: c, '-dash': a, 'new\nline': b }))
            writeFileSync(join(home, file), bytes);
          mkdirSync(join(home, 'dir'));
          symlinkSync('nope', join(home, 'dangling'));
          symlinkSync('loop', join(home, 'loop'));
          const lines = all.map(line);
          const run = (text: string, of: typeof shell) => of(`${text}\ntrue`, { cwd: home, env: { LC_ALL: 'C' } });
          const gnu = await run(
            lines.map((each, i) => `${each}; grep -qE ${quoted(usage.source)} err${i} && echo usage`).join('\n'),
            (text, options) => command('/bin/bash', ['-c', text], options),
          );
          const ours = await run(
            lines.map((each, i) => `${each}; grep -q "^Try 'sluice tail --help'" err${i} && echo usage`).join('\n'),
            (text, options) => shell(`tail() { sluice tail "$@"; }\n${text}`, options),
          );
          // A usage error's status is 2 here.
          const expected = gnu.out.replace(/status 1\n(\d+\n(?:\d+\n)?usage)/g, 'status 2\n$1');
          expect(ours.out, lines.join('\n')).toBe(expected);
        },
      ),
      { numRuns: 4, endOnFailure: true },
    );
  },
  240_000,
);
