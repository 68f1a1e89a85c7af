import { expect, it } from 'vitest';
import { hasStrace, strace } from './strace.js';

it.skipIf(!hasStrace)('strace records calls, puts errors in their place, and passes on how the program ended', () => {
  const cat = strace('cat', ['/etc/passwd'], { trace: 'openat', paths: ['/etc/passwd'] });
  expect(cat.calls.filter((call) => call.startsWith('openat('))).toHaveLength(1);
  expect(cat.status).toBe(0);
  const failed = strace('cat', ['/etc/passwd'], { trace: 'read', inject: ['read:error=EIO'], paths: ['/etc/passwd'] });
  expect(failed.stderr).toContain('Input/output error');
  expect(failed.calls.join('\n')).toContain('EIO (Input/output error) (INJECTED)');
  const killed = strace('sh', ['-c', 'kill -TERM $$']);
  expect(killed.signal).toBe('SIGTERM');
});
