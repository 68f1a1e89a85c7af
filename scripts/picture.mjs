// A picture (SVG, on stdout) of what a command shows on a terminal, made from a real run in a pseudo-terminal:
//
//     node scripts/picture.mjs [options] 'COMMAND LINE' > docs/pictures/NAME.svg
//
//     --setup LINES   shell lines that run first, unseen, in the same shell and scratch directory
//     --show TEXT     what stands after the prompt (default: the command line itself; empty: no prompt)
//     --columns N     the terminal's width (80)
//     --skip N        leave out the first N lines that were shown
//     --lines N       keep at most N lines
//     --raw           the pseudo-terminal's bytes themselves, instead of a picture
//
// `sluice` is the built one. It is a dark card with its own ground, so that it can be read on a light page and on a dark one.
import { mkdtempSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pty from '@lydell/node-pty';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    setup: { type: 'string', default: '' },
    show: { type: 'string' },
    columns: { type: 'string', default: '80' },
    skip: { type: 'string', default: '0' },
    lines: { type: 'string', default: '1000' },
    raw: { type: 'boolean', default: false },
  },
});
const [command] = positionals;
if (positionals.length !== 1) {
  console.error(
    "usage: node scripts/picture.mjs [--setup LINES] [--show TEXT] [--columns N] 'COMMAND LINE' > FILE.svg",
  );
  process.exit(2);
}
const columns = Number(values.columns);

/** Everything that the command writes to its terminal. */
async function run() {
  const scratch = mkdtempSync(join(tmpdir(), 'sluice-picture-'));
  const bin = fileURLToPath(new URL('../bin/sluice.js', import.meta.url));
  const { NO_COLOR, FORCE_COLOR, ...env } = process.env;
  const lines = `sluice() { '${process.execPath}' '${bin}' "$@"; }\n${values.setup}\n${command}`;
  try {
    const terminal = pty.spawn('/bin/bash', ['-c', lines], {
      cols: columns,
      rows: 500, // Nothing scrolls.
      cwd: scratch,
      env: { ...env, TERM: 'xterm-256color' },
    });
    let raw = '';
    terminal.onData((text) => {
      raw += text;
    });
    const { exitCode } = await new Promise((resolve) => terminal.onExit(resolve));
    if (exitCode !== 0) console.error(`it ended with ${exitCode}`);
    return raw;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The screen at the end: lines of cells, each a character and how it looks. As much of a terminal as our output needs. */
function screenOf(raw) {
  const screen = [[]];
  let [row, column, saved] = [0, 0, [0, 0]];
  let look = {};
  const line = () => {
    while (screen.length <= row) screen.push([]);
    return screen[row];
  };
  const put = (character) => {
    if (column === columns) [row, column] = [row + 1, 0];
    const cells = line();
    while (cells.length < column) cells.push({ character: ' ' });
    cells[column++] = { ...look, character };
  };
  const control = {
    m: (numbers) => {
      for (const number of numbers) look = styled(look, number);
    },
    K: ([what]) => {
      if (what !== 1) line().length = Math.min(line().length, what === 2 ? 0 : column);
    },
    J: ([what]) => {
      screen.length = what === 2 ? 0 : row + 1;
      if (what !== 2) control.K([0]);
    },
    H: ([y, x]) => {
      [row, column] = [(y || 1) - 1, (x || 1) - 1];
    },
    G: ([x]) => {
      column = (x || 1) - 1;
    },
    A: ([n]) => {
      row = Math.max(0, row - (n || 1));
    },
    B: ([n]) => {
      row += n || 1;
    },
  };
  const tokens = raw.matchAll(/\x1b\[([0-9;?]*)([A-Za-z])|\x1b([78])|\x1b.|[\s\S]/gu);
  for (const [token, parameters, name, keep] of tokens) {
    if (name !== undefined) control[name]?.(parameters.split(';').map(Number));
    else if (keep === '7') saved = [row, column];
    else if (keep === '8') [row, column] = saved;
    else if (token === '\r') column = 0;
    else if (token === '\n') row++;
    else if (token === '\b') column = Math.max(0, column - 1);
    else if (token === '\t') while (column % 8 !== 7) put(' ');
    else if (token >= ' ') put(token);
  }
  while (screen.at(-1)?.every(({ character }) => character === ' ')) screen.pop();
  return screen;
}

const colors = ['#6e7681', '#ff7b72', '#3fb950', '#d29922', '#58a6ff', '#bc8cff', '#39c5cf', '#e6edf3'];

function styled(look, number) {
  if (number === 0) return {};
  if (number === 1) return { ...look, bold: true };
  if (number === 2) return { ...look, dim: true };
  if (number === 22) return { ...look, bold: false, dim: false };
  if (number >= 30 && number <= 37) return { ...look, color: colors[number - 30] };
  if (number >= 90 && number <= 97) return { ...look, color: colors[number - 90] };
  return number === 39 ? { ...look, color: undefined } : look;
}

const ground = '#0d1117';
const ink = '#e6edf3';
const cell = { width: 8.4, height: 19, ascent: 14 };
const margin = { x: 18, y: 16 };
const faint = 0.62;
const number = (value) => String(Math.round(value * 100) / 100);
const escaped = (text) => text.replace(/[&<>]/g, (each) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[each]);

/** Lines of boxes: has it an arm up, right, down, left? */
const arms = { '│': '1010', '┌': '0110', '┐': '0011', '└': '1100', '┘': '1001' };
Object.assign(arms, { '├': '1110', '┤': '1011', '┬': '0111', '┴': '1101', '┼': '1111' });
/** Several of these beside each other are one shape. */
const joins = new Set('█─░▒▓');

/** Blocks and boxes as shapes, `count` cells wide, since fonts leave gaps between them; undefined for what is text. */
function shapeOf(character, count = 1) {
  const { width, height } = cell;
  const [middle, centre, line, code] = [width / 2, height / 2, 1.2, character.codePointAt(0)];
  const bar = [3, height - 6]; // Bars of a histogram stand apart.
  const lower = (height * (code - 0x2580)) / 8;
  if (character === '─') return [[0, centre - line / 2, count * width, line]];
  if (code >= 0x2581 && code < 0x2588) return [[0, height - lower, width, lower]];
  if (code >= 0x2588 && code <= 0x258f) return [[0, bar[0], count * width * ((0x2590 - code) / 8), bar[1]]];
  if (code >= 0x2591 && code <= 0x2593) return [[0, bar[0], count * width, bar[1], 0.25 * (code - 0x2590)]];
  if (arms[character] === undefined) return undefined;
  const four = [
    [middle - line / 2, 0, line, centre],
    [middle, centre - line / 2, middle, line],
    [middle - line / 2, centre, line, centre],
    [0, centre - line / 2, middle, line],
  ];
  return four.filter((_, i) => arms[character][i] === '1');
}

/** Cells of one look that follow each other are one element; text is stretched to its cells, whatever the font. */
function* elementsOf(cells, row) {
  for (let from = 0, to; from < cells.length; from = to) {
    const { character, color, bold, dim } = cells[from];
    const alike = (each) => each.color === color && !each.bold === !bold && !each.dim === !dim;
    const isShape = shapeOf(character) !== undefined;
    const goesOn = (each) =>
      alike(each) &&
      (isShape ? each.character === character && joins.has(character) : shapeOf(each.character) === undefined);
    to = from + 1;
    while (to < cells.length && goesOn(cells[to])) to++;
    const [x, y] = [margin.x + from * cell.width, margin.y + row * cell.height];
    const look = `${color ? ` fill="${color}"` : ''}${bold ? ' font-weight="bold"' : ''}`;
    for (const [left, top, width, height, share = 1] of shapeOf(character, to - from) ?? []) {
      const opacity = (dim ? faint : 1) * share;
      yield `<rect x="${number(x + left)}" y="${number(y + top)}" width="${number(width)}" height="${number(height)}"${look}${opacity < 1 ? ` opacity="${number(opacity)}"` : ''}/>`;
    }
    const text = cells.slice(from, to).map((each) => each.character);
    // Spaces at either end are places, which need no glyphs.
    while (text.at(-1) === ' ') text.pop();
    const indent = text.findIndex((each) => each !== ' ');
    if (!isShape && text.length > 0)
      yield `<text x="${number(x + indent * cell.width)}" y="${number(y + cell.ascent)}" textLength="${number((text.length - indent) * cell.width)}"${look}${dim ? ` opacity="${faint}"` : ''}>${escaped(text.slice(indent).join(''))}</text>`;
  }
}

function svgOf(screen) {
  const widest = Math.max(...screen.map((cells) => cells.length));
  const width = Math.ceil(widest * cell.width + 2 * margin.x);
  const height = Math.ceil(screen.length * cell.height + 2 * margin.y);
  const body = screen.flatMap((cells, row) => [...elementsOf(cells, row)]);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" xml:space="preserve" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="14" fill="${ink}">
<rect width="${width}" height="${height}" rx="8" fill="${ground}"/>
${body.join('\n')}
</svg>
`;
}

const raw = await run();
if (values.raw) writeSync(1, raw);
else {
  const shown = screenOf(raw).slice(Number(values.skip)).slice(0, Number(values.lines));
  const typed = values.show ?? command;
  const prompt = typed === '' ? [] : screenOf(`\x1b[32m$\x1b[39m \x1b[1m${typed.replaceAll('\n', '\r\n')}\x1b[0m`);
  writeSync(1, svgOf([...prompt, ...shown]));
}
