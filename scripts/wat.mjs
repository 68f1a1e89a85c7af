// Assembles src/probe/text-scan.wat into src/probe/text-scan-code.ts. To be run after a change of the former.
import { readFileSync, writeFileSync } from 'node:fs';
import wabt from 'wabt';

const source = new URL('../src/probe/text-scan.wat', import.meta.url);
const target = new URL('../src/probe/text-scan-code.ts', import.meta.url);
const module = (await wabt()).parseWat('text-scan.wat', readFileSync(source, 'utf8'), { simd: true });
module.validate();
const base64 = Buffer.from(module.toBinary({}).buffer).toString('base64');
const lines = base64.match(/.{1,110}/g).map((line) => `  '${line}'`);
writeFileSync(
  target,
  `// text-scan.wat, assembled by scripts/wat.mjs: WebAssembly in base64.\nexport const code: string =\n${lines.join(' +\n')};\n`,
);
