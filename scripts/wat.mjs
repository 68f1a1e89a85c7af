// Assembles each .wat of src/ into a -code.ts beside it. To be run after a change of the former.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import wabt from 'wabt';

const { parseWat } = await wabt();
for (const name of ['probe/text-scan', 'io/xxh64']) {
  const source = new URL(`../src/${name}.wat`, import.meta.url);
  const module = parseWat(basename(name), readFileSync(source, 'utf8'), { simd: true });
  module.validate();
  const base64 = Buffer.from(module.toBinary({}).buffer).toString('base64');
  const lines = base64.match(/.{1,110}/g).map((line) => `  '${line}'`);
  writeFileSync(
    new URL(`../src/${name}-code.ts`, import.meta.url),
    `// ${basename(name)}.wat, assembled by scripts/wat.mjs: WebAssembly in base64.\nexport const code: string =\n${lines.join(' +\n')};\n`,
  );
}
