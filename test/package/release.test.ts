// The release script, in a repository of its own and with an npm that only notes what it is asked for.

import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { command, root, temporary } from '../helpers/sluice.js';

let cwd: string;
let asked: string;
const git = (...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.org', ...args], { cwd, stdio: 'pipe' });

const released = '## 1.2.3, 2026-11-27\n';
function commit(version: string, changes: string, more = {}): void {
  writeFileSync(join(cwd, 'package.json'), JSON.stringify({ name: 'thing', version, ...more }));
  writeFileSync(join(cwd, 'CHANGELOG.md'), `# Changes\n\n${changes}`);
  git('add', '.');
  git('commit', '-qm', 'x');
}
beforeEach(() => {
  cwd = join(temporary(), 'repository');
  asked = join(cwd, '../asked');
  mkdirSync(join(cwd, 'scripts'), { recursive: true });
  cpSync(join(root, 'scripts/release.mjs'), join(cwd, 'scripts/release.mjs'));
  mkdirSync(join(cwd, '../bin'));
  writeFileSync(join(cwd, '../bin/npm'), `#!/bin/sh\necho "$*" >> '${asked}'\n[ "$1" != "$FAILS" ]\n`);
  chmodSync(join(cwd, '../bin/npm'), 0o755);
  writeFileSync(asked, '');
  git('init', '-q');
});
const release = (args: string[], env = {}) =>
  command(process.execPath, ['scripts/release.mjs', ...args], {
    cwd,
    env: {
      PATH: `${join(cwd, '../bin')}:${process.env['PATH']}`,
      ACTIONS_ID_TOKEN_REQUEST_URL: undefined,
      SIGSTORE_ID_TOKEN: undefined,
      ...env,
    },
  });
const steps = () => readFileSync(asked, 'utf8').trim().split('\n');
const identity = { SIGSTORE_ID_TOKEN: 'x' };
const repository = { repository: 'https://example.org/thing' };

describe('scripts/release.mjs', () => {
  it('--dry-run does everything but publish', async () => {
    commit('1.2.3', '## 1.2.3 (unreleased)\n');
    const { status, stderr } = await release(['--dry-run']);
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.stringMatching(/^release: thing@1.2.3 would be published as latest$/m),
    });
    expect(steps()).toEqual([expect.stringMatching(/^ci /), 'run check', 'test', 'publish --dry-run --tag latest']);
  });
  it('publishes with provenance what is tagged', async () => {
    commit('1.2.3-rc.1', '## 1.2.3-rc.1\n', repository);
    git('tag', 'v1.2.3-rc.1');
    expect((await release([], identity)).status).toBe(0);
    expect(steps().at(-1)).toBe('publish --provenance --access public --tag next');
  });
  it.each(['ci', 'run', 'test'])('publishes nothing when npm %s fails', async (step) => {
    commit('1.2.3', released, repository);
    git('tag', 'v1.2.3');
    const { status, stderr } = await release([], { ...identity, FAILS: step });
    expect(status).toBe(1);
    expect(stderr).toContain(`release: npm ${step}`);
    expect(steps().some((line) => line.startsWith('publish'))).toBe(false);
  });
  it.each([
    ['no tag', released, repository, undefined, identity, 'HEAD has no tag v1.2.3'],
    ['no entry in CHANGELOG.md', '## 1.2.2\n', repository, 'v1.2.3', identity, 'has no entry for 1.2.3'],
    ['an unreleased entry', '## 1.2.3 (unreleased)\n', repository, 'v1.2.3', identity, 'is unreleased'],
    ['no identity', released, repository, 'v1.2.3', {}, 'no identity for provenance'],
    ['no repository', released, {}, 'v1.2.3', identity, 'names no repository'],
  ])('refuses what has %s, and runs nothing', async (_, changes, more, tag, env, message) => {
    commit('1.2.3', changes, more);
    if (tag) git('tag', tag);
    const { status, stderr } = await release([], env);
    expect(stderr).toContain(message);
    expect(status).toBe(1);
    expect(steps()).toEqual(['']);
  });
  it('refuses changes that are not committed, and options that there are not', async () => {
    commit('1.2.3', released);
    expect((await release(['--dryrun'])).stderr).toContain('there is no --dryrun');
    writeFileSync(join(cwd, 'new'), '');
    expect((await release(['--dry-run'])).stderr).toContain('not committed');
    expect(steps()).toEqual(['']);
  });
});
