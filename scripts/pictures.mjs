// Makes the pictures of docs/pictures again, each from a real run: node scripts/pictures.mjs [NAME...]
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const pictures = {
  /** What the pipe meter says of a grep that sits on its output. */
  verdict: {
    setup: `service() {
  for i in $(seq 600); do echo "2026-11-27T10:15:$((i % 50 + 10)) GET /orders/$((i * 7919 % 4096)) 200"; sleep 0.005; done
}`,
    command: 'service | grep GET | sluice inspect - | cat > requests.log',
  },
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !Object.hasOwn(pictures, name));
if (unknown.length > 0) {
  console.error(`no such picture: ${unknown.join(', ')}; there are ${Object.keys(pictures).join(', ')}`);
  process.exit(2);
}
const place = new URL('../docs/pictures/', import.meta.url);
mkdirSync(place, { recursive: true });
for (const name of asked.length > 0 ? asked : Object.keys(pictures)) {
  const { setup = '', columns = 80, command } = pictures[name];
  const script = fileURLToPath(new URL('picture.mjs', import.meta.url));
  const args = [script, '--setup', setup, '--columns', String(columns), command];
  const { status, stdout } = spawnSync(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  if (status !== 0) process.exit(1);
  writeFileSync(new URL(`${name}.svg`, place), stdout);
}
