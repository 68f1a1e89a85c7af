// Everything that can be said of the code without running it: types, lint, unused code, the package's shape.
// Independent checks run side by side; each prints only when it fails.
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name) => join(root, 'node_modules/.bin', name);
const env = { ...process.env, NODE_EXTRA_CA_CERTS: undefined };

const run = (name, command, args) =>
  new Promise((resolve) => {
    const chunks = [];
    const child = spawn(command, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => chunks.push(chunk));
    child.on('error', (error) => chunks.push(Buffer.from(String(error))));
    child.on('close', (code) => {
      console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${name}`);
      if (code !== 0) console.log(Buffer.concat(chunks).toString());
      resolve(code === 0);
    });
  });

async function packageLint() {
  const packed = spawnSync(
    'npm',
    ['pack', '--json', '--loglevel=error', '--pack-destination', join(root, 'node_modules/.cache')],
    { cwd: root, env },
  );
  if (packed.status !== 0) {
    console.log(`FAIL npm pack\n${packed.stderr}`);
    return false;
  }
  const dir = join(root, 'node_modules/.cache');
  const tarballs = readdirSync(dir).filter((name) => /^sluice-.*\.tgz$/.test(name));
  const tarball = join(dir, tarballs[0]);
  const results = [
    await run('publint', bin('publint'), ['run', tarball, '--strict']),
    await run('attw', bin('attw'), [tarball, '--profile', 'esm-only', '--no-emoji']),
  ];
  for (const name of tarballs) rmSync(join(dir, name));
  return results.every(Boolean);
}

const results = await Promise.all([
  run('types', bin('tsc'), ['--pretty', 'false']),
  run('lint', bin('biome'), ['check', '--error-on-warnings']),
  run('unused code', bin('knip'), ['--no-progress']),
  packageLint(),
]);
process.exitCode = results.every(Boolean) ? 0 : 1;
