// The layers of a stack, drawn one upon the other.

import type { LayerDescription } from '../io/describe.js';
import type { StackFacts } from '../probe/stack-facts.js';
import { type Page, size } from './inspect-page.js';

export function stackPage({ path, mode, effect, layers }: StackFacts, page: Page): string {
  const boxes = layers.map((layer) => [layer.class, ...rows(layer)]);
  const width = Math.max(34, ...boxes.flat().map((line) => line.length)) + 2;
  const lines = [`┌${'─'.repeat(width)}┐`];
  for (const [i, [name, ...facts]] of boxes.entries()) {
    if (i > 0) lines.push(`├${'─'.repeat(width)}┤`);
    lines.push(`│ ${page.title(name!)}${' '.repeat(width - 1 - name!.length)}│`);
    for (const fact of facts) lines.push(`│ ${page.dim(page.name(fact))}${' '.repeat(width - 1 - fact.length)}│`);
  }
  lines.push(`└${'─'.repeat(width)}┘`);
  const words: Record<string, string> = {
    reads: 'reads it',
    creates: 'makes it',
    empties: 'empties it at once',
    overwrites: 'writes into it',
    appends: 'writes at its end',
    fails: 'fails',
  };
  const does = page.field(effect, (word: string) =>
    word === 'empties' || word === 'fails' ? page.warn(words[word]!) : words[word]!,
  );
  return `${page.title(`open(${JSON.stringify(path)}, '${mode}')`)} ${does}\n${lines.map((line) => `  ${line}`).join('\n')}\n`;
}

function rows(layer: LayerDescription): string[] {
  const { encoding, errors, newline, lineBuffering, bufferSize, mode, blockSize, terminal, seekable } = layer;
  const facts: string[] = [];
  if (encoding !== undefined) facts.push(`encoding ${encoding}, errors ${errors}`);
  if (newline !== undefined)
    facts.push(
      `newline ${newline === null ? 'any, read as \\n' : newline === '' ? 'any, kept' : JSON.stringify(newline)}`,
    );
  if (lineBuffering !== undefined)
    facts.push(lineBuffering ? 'written out at each newline' : 'written out when the buffer is full');
  if (bufferSize !== undefined) facts.push(`buffer ${size(bufferSize)} (${bufferSize} bytes)`);
  if (blockSize !== undefined) facts.push(`mode ${mode}, one system call a call, block size ${size(blockSize)}`);
  if (seekable !== undefined)
    facts.push(`${terminal ? 'a terminal' : 'no terminal'}, ${seekable ? 'seekable' : 'not seekable'}`);
  return facts;
}
