// node tools/terminal-picture.mjs TITLE < what-a-command-printed > docs/pictures/NAME.svg: a terminal as a picture, for README and docs. Plain Node, no dependency.
import { readFileSync } from 'node:fs';

const [title = ''] = process.argv.slice(2);
const mostLines = 60;
const mostColumns = 150;
// eslint-disable-next-line no-control-regex -- the colours of a terminal are left out
const lines = readFileSync(0, 'utf8').replace(/\u001b\[[0-9;]*m/g, '').trimEnd().split('\n').slice(0, mostLines);
const [cell, row, pad, bar] = [8, 18, 16, 34];
const columns = Math.min(mostColumns, Math.max(40, ...lines.map((l) => [...l].length), title.length + 12));
const [width, height] = [Math.ceil(columns * cell + 2 * pad), Math.ceil(bar + lines.length * row + pad)];
const safe = (text) => [...text].slice(0, mostColumns).join('').replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
/** Marks at the beginning of a line say how it is; a prompt is a command. */
function tone(line) {
  if (/^\$ /.test(line)) return 'cmd';
  if (/^\s*✗|\b(failed|CrashLoopBackOff)\b/.test(line)) return 'bad';
  if (/^\s*✓/.test(line)) return 'good';
  return /^[A-Z][A-Z /]+$/.test(line.replaceAll(/\s+/g, ' ').trim()) ? 'head' : 'text';
}
const texts = lines.map((l, i) => `<text class="${tone(l)}" x="${pad}" y="${bar + 14 + i * row}" xml:space="preserve">${safe(l)}</text>`);
process.stdout.write(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${safe(title).replaceAll('"', '&quot;')}">
<style>text{font-size:13px;font-family:"DejaVu Sans Mono",Menlo,Consolas,monospace;fill:#d7dae0}.cmd{fill:#7cc4ff;font-weight:600}.good{fill:#8bd49c}.bad{fill:#ff8f8f}.head{fill:#9aa4b2;font-weight:600}.title{fill:#9aa4b2}</style>
<rect width="${width}" height="${height}" rx="9" fill="#161b22"/>
<circle cx="18" cy="17" r="5.5" fill="#ff5f56"/><circle cx="36" cy="17" r="5.5" fill="#ffbd2e"/><circle cx="54" cy="17" r="5.5" fill="#27c93f"/>
<text class="title" x="${width / 2}" y="21" text-anchor="middle">${safe(title)}</text>
${texts.join('\n')}
</svg>
`);
