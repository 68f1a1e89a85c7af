// Publishes what the tag says: `node scripts/release.mjs` in CI, on a tag `v1.2.3`. With --dry-run, everything but publishing.
// npm signs the provenance (which commit, which workflow) with the identity that CI gives it; nothing secret is kept here.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const dry = process.argv.includes('--dry-run');
const unknown = process.argv.slice(2).find((argument) => argument !== '--dry-run');
const { name, version, repository } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const git = (...args) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();

function refuse(why) {
  console.error(`release: ${why}`);
  process.exit(1);
}
function run(command, ...args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) refuse(`${command} ${args.join(' ')} failed`);
}

if (unknown !== undefined) refuse(`there is no ${unknown}, only --dry-run`);
if (git('status', '--porcelain') !== '') refuse('the work tree has changes that are not committed');
if (!git('tag', '--points-at', 'HEAD').split('\n').includes(`v${version}`) && !dry)
  refuse(`HEAD has no tag v${version}, which is package.json's version`);
const entry = new RegExp(`^## ${version.replaceAll('.', '\\.')}(.*)$`, 'm').exec(
  readFileSync(join(root, 'CHANGELOG.md'), 'utf8'),
);
if (!entry) refuse(`CHANGELOG.md has no entry for ${version}`);
if (/unreleased/.test(entry[1]) && !dry) refuse(`CHANGELOG.md says that ${version} is unreleased`);
if (!dry && !process.env.ACTIONS_ID_TOKEN_REQUEST_URL && !process.env.SIGSTORE_ID_TOKEN)
  refuse('no identity for provenance: releases are made by CI');

if (!repository && !dry) refuse("package.json names no repository, which the registry compares with the provenance's");

run('npm', 'ci', '--no-audit', '--no-fund', '--loglevel=error');
run('npm', 'run', 'check');
run('npm', 'test');
const tag = version.includes('-') ? 'next' : 'latest';
if (dry) run('npm', 'publish', '--dry-run', '--tag', tag);
else run('npm', 'publish', '--provenance', '--access', 'public', '--tag', tag);
console.error(`release: ${name}@${version} ${dry ? 'would be' : 'is'} published as ${tag}`);
