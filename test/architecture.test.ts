// The house's rules that no type can hold.

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from './helpers/sluice.js';

const src = join(root, 'src');
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => ({ name, text: readFileSync(join(src, name), 'utf8') }));

/** Lower floors may not import higher ones; tree, follow and probe stand side by side. */
const floors: Record<string, string[]> = {
  io: ['io'],
  tree: ['io', 'tree'],
  follow: ['io', 'follow'],
  probe: ['io', 'probe'],
  commands: ['io', 'tree', 'follow', 'probe', 'commands'],
  cli: ['io', 'tree', 'follow', 'probe', 'commands', 'cli'],
};

describe('architecture', () => {
  it('imports go one way: cli → commands → tree, follow, probe → io', () => {
    const wrong: string[] = [];
    for (const { name, text } of files) {
      const floor = name.split('/')[0]!;
      const allowed = floors[floor];
      if (!allowed) continue; // index.ts, the library's face
      for (const [, target] of text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
        const other = relative(src, resolve(src, name, '..', target!)).split('/')[0]!;
        if (!allowed.includes(other)) wrong.push(`${name} imports ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('only cli knows commander, chalk and cli-progress', () => {
    const wrong = files.filter(
      ({ name, text }) => !name.startsWith('cli/') && /from '(commander|chalk|cli-progress)'/.test(text),
    );
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  it('nothing touches process.stdin, process.stdout, process.stderr, console or process.exit', () => {
    const forbidden = /\bprocess\s*(?:\.|\[['"])\s*(?:stdin|stdout|stderr|exit\b)|\bconsole\s*\.|\bprocess\.openStdin/;
    const code = (text: string) => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`])\/\/.*$/gm, '$1');
    expect(files.filter(({ text }) => forbidden.test(code(text))).map(({ name }) => name)).toEqual([]);
  });

  it('nor does what is built, dependencies included', () => {
    const dist = join(root, 'dist');
    const built = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((name) => /\.c?js$/.test(name));
    expect(built.length).toBeGreaterThan(0);
    const touches = (name: string) => /\bprocess\d*\.std(in|out|err)\b/.test(readFileSync(join(dist, name), 'utf8'));
    expect(built.filter(touches)).toEqual([]);
  });

  it('every code of an error, and every variable that is asked for, is documented', () => {
    const page = readFileSync(join(root, 'docs/exit-codes-and-environment.md'), 'utf8');
    const known = page + readFileSync(join(root, 'docs/io.md'), 'utf8');
    const said = files.flatMap(({ text }) => [...text.matchAll(/'(ERR_[A-Z_]*[A-Z])'/g)].map(([, code]) => code!));
    const own = new Set(['ERR_NOT_SEALED']); // never shown: it ends as a refusal
    expect([...new Set(said)].filter((code) => !own.has(code) && !known.includes(`\`${code}\``))).toEqual([]);
    const asked = files.flatMap(({ text }) => [...text.matchAll(/\benv\[?['.](\w+)/g)].map(([, name]) => name!));
    const everybodys = new Set(['PATH', 'NODE_OPTIONS', 'NODE_V8_COVERAGE']);
    const unnamed = [...new Set(asked)].filter((name) => !everybodys.has(name) && !page.includes(`\`${name}`));
    expect(unnamed).toEqual([]);
  });

  it('every source file opens with what it promises', () => {
    expect(files.filter(({ text }) => !text.startsWith('//')).map(({ name }) => name)).toEqual([]);
  });
});
