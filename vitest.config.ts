import { readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

const { version } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8'));

export default defineConfig({
  define: { SLUICE_VERSION: JSON.stringify(version) },
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // What a developer's shell may carry must not change a result.
    env: { NO_COLOR: '', FORCE_COLOR: '', SLUICE_BUFFERING: '', SLUICE_UNBUFFERED: '', NODE_EXTRA_CA_CERTS: '' },
  },
});
