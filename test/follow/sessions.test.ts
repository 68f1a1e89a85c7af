import { appendFileSync, closeSync, ftruncateSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Sessions } from '../../src/follow/sessions.js';
import { native } from '../../src/io/native.js';
import { isRoot, temporary } from '../helpers/sluice.js';

/** What is done to a file, after a look that left nothing unread, that only a rewriting without loss can be. */
const innocent: Record<string, (path: string) => void> = {
  'written anew at once': (path) => writeFileSync(path, 'new\n'),
  'written anew in pieces': (path) => {
    const fd = openSync(path, 'w');
    for (let i = 0; i < 5; i++) writeSync(fd, `${i}\n`);
    closeSync(fd);
  },
  'being written anew': (path) => void writeSync(openSync(path, 'w'), 'new\n'),
  'made empty': (path) => writeFileSync(path, ''),
  'truncated by a program of its own': (path) => truncateSync(path, 0),
};

const suspicious: Record<string, (path: string, writer: number) => void> = {
  'a line, and then written anew': (path) => {
    appendFileSync(path, 'unread\n');
    writeFileSync(path, 'new\n');
  },
  'a line, and then truncated': (path) => {
    appendFileSync(path, 'unread\n');
    truncateSync(path, 0);
  },
  'written anew twice': (path) => {
    writeFileSync(path, 'unread\n');
    writeFileSync(path, 'new\n');
  },
  'a line of somebody who came before, and then written anew': (path, writer) => {
    writeSync(writer, 'unread\n');
    writeFileSync(path, 'new\n');
  },
};

function watched(): { path: string; fd: number; sessions: Sessions } {
  const path = join(temporary(), 'file');
  writeFileSync(path, 'old\n');
  const fd = openSync(path, 'r');
  const sessions = Sessions.of(fd)!;
  sessions.beforeLook();
  sessions.clean();
  return { path, fd, sessions };
}

// Whether a file is open for writing can be asked by its owner, and by root.
describe.skipIf(native() === null || !isRoot)('a truncation is known to have destroyed nothing unread', () => {
  it.each(Object.keys(innocent))('when the file was %s', (what) => {
    const { path, sessions } = watched();
    innocent[what]!(path);
    expect(sessions.wereOneRewriting).toBe(true);
    sessions.close();
  });

  it.each(Object.keys(suspicious))('not when it was %s', (what) => {
    const { path, sessions } = watched();
    const writer = openSync(path, 'a');
    sessions.beforeLook();
    sessions.clean();
    suspicious[what]!(path, writer);
    expect(sessions.wereOneRewriting).toBe(false);
    closeSync(writer);
    sessions.close();
  });

  it('not as long as somebody has it open for writing, and again when nobody has', () => {
    const { path, sessions } = watched();
    const look = () => {
      sessions.beforeLook();
      sessions.clean();
    };
    const writer = openSync(path, 'r+');
    writeSync(writer, 'unread\n');
    look();
    ftruncateSync(writer, 0);
    expect(sessions.wereOneRewriting).toBe(false);
    look();
    closeSync(openSync(path, 'r')); // A reader that goes is not the writer that goes.
    look();
    writeFileSync(path, 'new\n');
    expect(sessions.wereOneRewriting).toBe(false);
    look();
    closeSync(writer);
    look();
    writeFileSync(path, 'new\n');
    expect(sessions.wereOneRewriting).toBe(true);
    sessions.close();
  });

  it('when a look comes after it was opened and before it was truncated', () => {
    const { path, sessions } = watched();
    const writer = openSync(path, 'r+');
    sessions.beforeLook();
    sessions.clean();
    ftruncateSync(writer, 0);
    writeSync(writer, 'new\n');
    expect(sessions.wereOneRewriting).toBe(true);
    sessions.beforeLook();
    sessions.clean();
    writeSync(writer, 'unread\n');
    ftruncateSync(writer, 0);
    expect(sessions.wereOneRewriting).toBe(false);
    closeSync(writer);
    sessions.close();
  });

  it('for two names of one file too, and when one of them is no longer followed', () => {
    const { path, fd, sessions } = watched();
    const other = Sessions.of(fd)!;
    other.close();
    writeFileSync(path, 'new\n');
    expect(sessions.wereOneRewriting).toBe(true);
    sessions.close();
  });

  it('not after more than can be kept track of', () => {
    const { path, sessions } = watched();
    for (let i = 0; i < 100; i++) appendFileSync(path, 'x\n');
    expect(sessions.wereOneRewriting).toBe(false);
    sessions.beforeLook();
    sessions.clean();
    writeFileSync(path, 'new\n');
    expect(sessions.wereOneRewriting).toBe(true);
    sessions.close();
  });
});
