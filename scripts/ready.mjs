// Makes a fresh clone ready, and does nothing where it is: node_modules from the lock file, dist/ from src/.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const quiet = process.argv.includes('--quiet');
const say = (text) => quiet || console.error(`sluice: ${text}`);

/** Output goes to stderr: stdout belongs to the command that is about to run. */
function run(command, args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) {
    console.error(`sluice: ${command} ${args.join(' ')} failed`);
    process.exit(1);
  }
}

const lock = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex');
const lockStamp = join(root, 'node_modules/.sluice-lock');
if (!(existsSync(lockStamp) && readFileSync(lockStamp, 'utf8') === lock)) {
  say('installing what package-lock.json names');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  writeFileSync(lockStamp, lock);
}

/** What dist/ was made from: every source with its size and time. */
function sources(dir) {
  return readdirSync(join(root, dir), { recursive: true })
    .map((name) => join(dir, String(name)))
    .sort()
    .map((name) => [name, statSync(join(root, name))])
    .filter(([, stat]) => stat.isFile())
    .map(([name, stat]) => `${name} ${stat.size} ${stat.mtimeMs}`);
}
const made = createHash('sha256')
  .update([lock, ...sources('src'), ...sources('scripts'), readFileSync(join(root, 'package.json'))].join('\n'))
  .digest('hex');
const buildStamp = join(root, 'dist/.stamp');
if (!(existsSync(buildStamp) && readFileSync(buildStamp, 'utf8') === made)) {
  say('building dist/');
  run(process.execPath, ['scripts/build.mjs', '--js']);
  writeFileSync(buildStamp, made);
  // Every command has run once: its compiled code is kept (src/cli/load.cjs).
  const scratch = mkdtempSync(join(tmpdir(), 'sluice-ready-'));
  writeFileSync(join(scratch, 'f'), 'warm\n');
  mkdirSync(join(scratch, 'd'));
  for (const job of [
    '--help',
    'copy f g',
    'atomic-write g',
    'tail f',
    'inspect f',
    'sync d e',
    'flush f',
    'bench --help',
    'completion bash',
    'complete',
  ])
    spawnSync(process.execPath, [join(root, 'bin/sluice.js'), ...job.split(' ')], { cwd: scratch, input: 'warm\n' });
  rmSync(scratch, { recursive: true });
}
