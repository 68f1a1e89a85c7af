// Runs the whole suite, twice: with native calls and, for the tests where it can matter, without (SLUICE_NATIVE=0).
// Arguments go to vitest, and make it one run. The last line is the sum: `N passed, N failed, N skipped`.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'sluice-test-report-'));
const given = process.argv.slice(2);
const vitest = join(root, 'node_modules/vitest/vitest.mjs');
const sum = { passed: 0, failed: 0, skipped: 0 };

/** Folders whose tests meet native calls; the rest gives the same either way. */
const portable = ['test/io', 'test/e2e', 'test/tree', 'test/follow', 'test/probe'];
/** Tests in them that meet none, or that switch them off themselves: once is enough. */
const alike = [
  ...['bench', 'command-line', 'completion', 'copy-bad-luck', 'library', 'manual', 'progress', 'readme', 'recipes'],
  ...['tail', 'tail-generated', 'no-deadlock', 'inspect-stack', 'atomic-write-text'],
].map((name) => `test/e2e/${name}.test.ts`);

function run(label, filters, excluded, env) {
  const report = join(scratch, `${label}.json`);
  const { status } = spawnSync(
    process.execPath,
    [
      vitest,
      'run',
      '--passWithNoTests',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...filters,
      ...excluded.flatMap((file) => ['--exclude', file]),
    ],
    { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } },
  );
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTotalTestSuites, success } = JSON.parse(
      readFileSync(report, 'utf8'),
    );
    sum.passed += numPassedTests;
    sum.failed += numFailedTests;
    sum.skipped += numPendingTests;
    if (!success && numFailedTests === 0 && numTotalTestSuites > 0) sum.failed += 1; // a file that did not load
  } catch {
    sum.failed += 1;
  }
  if (status !== 0 && sum.failed === 0) sum.failed += 1;
}

try {
  run('native', given, [], {});
  if (given.length === 0) run('portable', portable, alike, { SLUICE_NATIVE: '0' });
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`\n${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exitCode = sum.failed === 0 ? 0 : 1;
