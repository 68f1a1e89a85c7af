// Every command line in the README runs, as it stands there, in a directory with the files that it speaks of.

import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isRoot, root, shell, temporary } from '../helpers/sluice.js';

const readme = readFileSync(join(root, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, text]) => text!);

/** The transcript's commands, each with what it is said to print. */
const transcript = [.../```console\n([\s\S]*?)```/.exec(readme)![1]!.matchAll(/^\$ (.*)\n((?:(?!\$ ).*\n)*)/gm)].map(
  ([, line, output]) => ({ line: line!.replace(/ {2,}#.*/, ''), output: output! }),
);

/** Outside help that a reader has and a test must not call for: the network, another host, the suite itself. */
const surroundings = `
set -e -o pipefail
npm() {
  case "$1 $2 $3" in
    'install -g sluice') [ -f "$ROOT/package.json" ] ;;
    'start -- '*) (cd "$ROOT" && shift 2 && sluice "$@") ;;
    'test  ' | 'run check '* | 'run bench '*) [ -n "$(node -p "require('$ROOT/package.json').scripts['$1'.replace('run', '$2')]")" ] ;;
    *) echo "README: npm $* is not known to the test" >&2; return 1 ;;
  esac
}
npx() { [ "$1" = sluice ] && shift && sluice "$@"; }
curl() { printf 'a download\\n'; }
ssh() { shift; bash -c "$*"; }
make() { echo built; }
service() { for i in 1 2 3; do echo "line $i"; done; echo 'listening on 8080'; }
`;

describe('README', () => {
  it('has command lines', () => {
    expect(blocks.length).toBeGreaterThan(2);
    expect(transcript).toHaveLength(3);
  });

  it.each(blocks.map((text, i) => [i + 1, text.trim().split('\n')[0], text]))(
    'block %i runs: %s …',
    { timeout: 60_000 },
    async (_, __, text) => {
      const cwd = temporary();
      for (const name of ['usb', 'backup', 'photos', 'site', 'site/img', 'www', 'logs']) mkdirSync(join(cwd, name));
      for (const name of ['disk.img', 'big.iso', 'photos/1.jpg', 'site/index.html', 'site/img/a.png'])
        writeFileSync(join(cwd, name), name.repeat(5000));
      writeFileSync(join(cwd, 'notes.txt'), 'one\r\ntwo\r\n');
      writeFileSync(join(cwd, 'latin1.txt'), Buffer.from('gr\xf6\xdfe\n', 'latin1'));
      writeFileSync(join(cwd, 'config.json'), '{"port": 8080}\n');
      writeFileSync(join(cwd, 'app.log'), Array.from({ length: 500 }, (_, i) => `line ${i}\n`).join(''));
      const { status, stderr, out } = await shell(surroundings + text, { cwd, env: { ROOT: root } });
      expect({ status, stderr, out }).toMatchObject({ status: 0 });
    },
  );

  it.skipIf(!isRoot)('the transcript is true (needs root to mount a full disk)', async () => {
    const cwd = temporary();
    for (const name of ['usb', 'full']) mkdirSync(join(cwd, name));
    writeFileSync(join(cwd, 'disk.img'), Buffer.alloc(300_000, 'disk'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k', 'tmpfs', join(cwd, 'full')]);
    try {
      for (const { line, output } of transcript) {
        const { out, stderr } = await shell(line.replaceAll('/mnt/', `${cwd}/`), { cwd });
        const said = (out + stderr).replaceAll(`${cwd}/`, '/mnt/');
        expect(said, line).toBe(output);
      }
    } finally {
      execFileSync('umount', [join(cwd, 'full')]);
    }
  });

  it('shows pictures that are there, and small', () => {
    const pictures = [...readme.matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map(([, path]) => join(root, path!));
    expect(pictures).toHaveLength(3);
    for (const path of pictures) {
      const svg = readFileSync(path, 'utf8');
      expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg".*<\/svg>\n?$/s);
      expect(svg.length).toBeLessThan(20_000);
    }
  });

  it('names every exit code and every command', () => {
    for (const name of ['completion', 'copy', 'atomic-write', 'tail', 'inspect', 'sync', 'flush', 'bench'])
      expect(readme).toContain(`| \`${name}\``);
    for (const code of [0, 1, 2, 3, 4, 141]) expect(readme).toMatch(new RegExp(`^\\| ${code} +\\|`, 'm'));
  });
});
