import { describe, expect, it } from 'vitest';
import { escapeForTerminal, wantsColor } from '../../src/cli/terminal.js';

describe('colour', () => {
  const none = 99; // no such descriptor, so no terminal
  it.each([
    ['always', { NO_COLOR: '1' }, true],
    ['never', { FORCE_COLOR: '1' }, false],
    [undefined, { NO_COLOR: '1', FORCE_COLOR: '1' }, false],
    [undefined, { NO_COLOR: '', FORCE_COLOR: '1' }, true],
    [undefined, { FORCE_COLOR: '0' }, false],
    [undefined, { FORCE_COLOR: '1', TERM: 'dumb' }, true],
    ['auto', {}, false],
  ] as const)('flag %s, environment %j: %s', (flag, env, wanted) => {
    expect(wantsColor(none, flag, env)).toBe(wanted);
  });
});

it('a name can neither move the cursor nor reorder what is read', () => {
  expect(escapeForTerminal('a\x1b[2Jb\nc\u202ed\x9b\x7f')).toBe('a\\x1b[2Jb\\nc\\u{202e}d\\x9b\\x7f');
  expect(escapeForTerminal('größe 😀')).toBe('größe 😀');
  expect(escapeForTerminal('x\udcff')).toBe('x\\xff');
});
