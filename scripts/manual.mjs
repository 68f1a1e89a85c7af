// Writes man/: a page for sluice and one for each command, from the definitions that --help is made of.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const bundle = join(root, `node_modules/.cache/manual.${process.pid}`);

await build({
  absWorkingDir: root,
  entryPoints: ['src/cli/manual.ts'],
  bundle: true,
  packages: 'external',
  platform: 'node',
  target: 'node20.12',
  format: 'esm',
  splitting: true, // what the definitions load lazily stays unloaded
  outdir: bundle,
  outExtension: { '.js': '.mjs' },
  define: { SLUICE_VERSION: JSON.stringify(version) },
  logLevel: 'warning',
});
try {
  const { manualPages } = await import(pathToFileURL(join(bundle, 'manual.mjs')));
  rmSync(join(root, 'man'), { recursive: true, force: true });
  mkdirSync(join(root, 'man'));
  for (const [name, page] of await manualPages()) writeFileSync(join(root, 'man', name), page);
} finally {
  rmSync(bundle, { recursive: true, force: true });
}
