// The rates of `sluice bench` as a picture: a small chart an operation, rates over buffer sizes, with the confidence interval as a
// band and the default marked. Readable on light and dark pages.

import { type BenchResult, type Curve, sizeName } from '../commands/bench.js';
import { rate } from './bench.js';

const panel = { width: 300, height: 200, left: 58, right: 14, top: 44, bottom: 34 };
const columns = 3;
const margin = 24;
const header = 64;

export function benchSvg(result: BenchResult): string {
  const rows = Math.ceil(result.curves.length / columns);
  const width = 2 * margin + columns * panel.width;
  const height = header + rows * panel.height + margin;
  const panels = result.curves.map((curve, i) => {
    const x = margin + (i % columns) * panel.width;
    const y = header + Math.floor(i / columns) * panel.height;
    return `<g transform="translate(${x} ${y})">${draw(curve, result.defaultSize)}</g>`;
  });
  const facts = `${sizeName(result.fileSize)} a measurement, ${result.rounds} rounds, bands are 95 % confidence intervals; the dot is the default, ${sizeName(result.defaultSize)}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif">
<title>sluice bench: rates over buffer sizes</title>
<style>
${sheet('#ffffff', '#1f2328', '#656d76', '#e4e7eb', '#0969da', '#cf5b00')}
@media (prefers-color-scheme: dark) { ${sheet('#0d1117', '#e6edf3', '#8d96a0', '#262c34', '#4493f8', '#f0883e')} }
.line { fill: none; stroke-width: 2; stroke-linejoin: round } .band { opacity: .16 } .mark { stroke-width: 1.5 }
</style>
<rect class="paper" width="${width}" height="${height}" rx="8"/>
<text class="ink" x="${margin}" y="32" font-size="18" font-weight="600">Rates over buffer sizes in ${escaped(result.directory)}</text>
<text class="faint" x="${margin}" y="52" font-size="12">${escaped(facts)}</text>
${panels.join('\n')}
</svg>
`;
}

/** The colours, spelled out for each scheme: not every renderer knows custom properties. */
const sheet = (paper: string, ink: string, faint: string, grid: string, line: string, mark: string): string =>
  `.paper { fill: ${paper} } .ink { fill: ${ink} } .faint { fill: ${faint} } .grid { stroke: ${grid} } .line { stroke: ${line} } .band, .point { fill: ${line} } .mark { fill: ${mark}; stroke: ${paper} }`;

function draw({ title, points, comparison }: Curve, defaultSize: number): string {
  const { width, height, left, right, top, bottom } = panel;
  const [inner, tall] = [width - left - right, height - top - bottom];
  const finite = points.map(({ mean, high }) => (Number.isFinite(high) ? Math.min(high, 1.5 * mean) : mean));
  const step = niceStep(Math.max(...finite));
  const most = Math.ceil(Math.max(...finite) / step) * step;
  const x = (i: number) => n(left + (inner * i) / (points.length - 1));
  const y = (value: number) => n(top + tall * (1 - Math.min(Math.max(value, 0), most) / most));
  const parts = [`<text class="ink" x="${left}" y="20" font-size="13" font-weight="600">${escaped(title)}</text>`];
  const note =
    comparison.verdict === 'default'
      ? `default: ${Math.round(comparison.share.mean * 100)} % of the best`
      : `${sizeName(comparison.best)}: ${Math.round((1 / comparison.share.mean - 1) * 100)} % faster${comparison.verdict === 'unsure' ? ', not surely' : ''}`;
  parts.push(`<text class="faint" x="${left}" y="36" font-size="11">${escaped(note)}</text>`);
  for (let value = 0; value <= most * 1.0001; value += step)
    parts.push(
      `<path class="grid" d="M${left} ${y(value)}H${width - right}"/><text class="faint" x="${left - 6}" y="${y(value) + 4}" font-size="10" text-anchor="end">${value === 0 ? '0' : rate(value)}</text>`,
    );
  for (const [i, { bufferSize }] of points.entries())
    parts.push(
      `<text class="faint" x="${x(i)}" y="${height - bottom + 16}" font-size="10" text-anchor="middle">${sizeName(bufferSize).replace(/ (.)iB/, '$1')}</text>`,
    );
  const upper = points.map(({ high, mean }, i) => `${x(i)} ${y(Number.isFinite(high) ? high : mean)}`);
  const lower = points.map(({ low }, i) => `${x(i)} ${y(low)}`).reverse();
  parts.push(`<path class="band" d="M${[...upper, ...lower].join('L')}Z"/>`);
  parts.push(`<path class="line" d="M${points.map(({ mean }, i) => `${x(i)} ${y(mean)}`).join('L')}"/>`);
  for (const [i, { bufferSize, mean }] of points.entries()) {
    const [kind, r] = bufferSize === defaultSize ? ['mark', 5] : ['point', 2.5];
    parts.push(`<circle class="${kind}" cx="${x(i)}" cy="${y(mean)}" r="${r}"/>`);
  }
  return parts.join('');
}

/** Three to five lines, at round numbers. */
function niceStep(most: number): number {
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10);
}

const n = (value: number): number => Math.round(value * 10) / 10;

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[\0-\x1f\x7f]/g, ' ')
    .replace(/[&<>"]/g, (character) => entities[character]!);
