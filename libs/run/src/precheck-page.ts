import { type Finding, isSlowDisk, type PairCell, type PairMatrix, type PairNode, passes, slowSyncMs } from '@strata/model';
import { diskWords, figures, milliseconds1, rate, troubles } from './pairs-text';
import { precheckStyle } from './precheck-style';

/** What the page tells. */
export interface PrecheckReport {
  title: string;
  /** When it was looked at, for people. */
  at: string;
  findings: readonly Finding[];
  matrix: PairMatrix | null;
  /** Machines that could not be reached, and why. */
  absent: readonly { node: string; why: string }[];
}
type Severity = Finding['severity'];
const signs: Record<Severity | 'good' | 'unknown', string> = { good: '✓', info: 'ⓘ', warning: '▲', blocker: '✕', unknown: '?' };
const words: Record<Severity, string> = { blocker: 'blocker', warning: 'warning', info: 'for information' };
const order: Severity[] = ['blocker', 'warning', 'info'];

/** Text from machines is never markup: names, messages and figures all pass here. Control characters go. */
export const escapeHtml = (text: string): string => text.replace(/[^\P{Cc}\n\t]|\p{Cf}/gu, '').replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
const h = escapeHtml;
const many = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

/** All prechecks of all machines as one page that needs nothing else: no script, no request, to be read, sent and printed. */
export function precheckPage(report: PrecheckReport): string {
  const count = (s: Severity): number => report.findings.filter((f) => f.severity === s).length;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="strata precheck">
<title>Precheck: ${h(report.title)}</title>
<style>${precheckStyle}</style>
</head>
<body>
<main>
<header>
<div class="mark">Strata precheck</div>
<h1>${h(report.title)}</h1>
<div class="soft">${h(report.at)} · nothing was installed, nothing was changed</div>
${verdict(count('blocker'), count('warning'), report.absent.length)}
</header>
${tiles(report, count)}
${report.matrix ? matrixSection(report.matrix) : ''}
<h2 id="findings">Findings</h2>
${findingList(report)}
${report.matrix ? `<h2>Machines</h2>\n<div class="nodes">\n${report.matrix.nodes.map(nodeCard).join('\n')}\n</div>` : ''}
${report.matrix ? footer(report.matrix) : ''}
</main>
</body>
</html>
`;
}

function verdict(blockers: number, warnings: number, absent: number): string {
  const [kind, text, more] =
    blockers + absent > 0
      ? (['blocker', `Not ready: ${[...(blockers > 0 ? [many(blockers, 'blocker')] : []), ...(absent > 0 ? [`${many(absent, 'machine')} not reached`] : [])].join(', ')}`, 'An install would stop before it changes anything. What to do stands at each finding.'] as const)
      : warnings > 0
        ? (['warning', `Can be installed, with ${many(warnings, 'warning')}`, 'Nothing stops an install; read the warnings first.'] as const)
        : (['good', 'Ready to install', 'Nothing speaks against an install.'] as const);
  return `<div class="verdict ${kind}" role="status"><span class="sign" aria-hidden="true">${signs[kind]}</span><p>${h(text)}<small>${h(more)}</small></p></div>`;
} // prettier-ignore

function tiles({ matrix, absent }: PrecheckReport, count: (s: Severity) => number): string {
  const tile = (value: string, what: string): string => `<div class="tile"><b>${h(value)}</b><span>${h(what)}</span></div>`;
  const disks = (matrix?.nodes ?? []).flatMap((n) => (n.disk ? [n.disk.p99Us] : []));
  const speeds = (matrix?.pairs ?? []).flatMap((c) => (c.mbit === null ? [] : [c.mbit]));
  const well = matrix?.pairs.filter((c) => troubles(c).length === 0).length ?? 0;
  return `<section class="tiles">${[
    tile(String((matrix?.nodes.length ?? 0) + absent.length), 'machines'),
    ...(matrix && matrix.pairs.length > 0 ? [tile(`${well} of ${matrix.pairs.length}`, 'ways without trouble')] : []),
    tile(String(count('blocker')), 'blockers'),
    tile(String(count('warning')), 'warnings'),
    ...(disks.length > 0 ? [tile(milliseconds1(Math.max(...disks)), 'slowest disk (safe write, p99)')] : []),
    ...(speeds.length > 0 ? [tile(rate(Math.min(...speeds)), 'slowest way')] : []),
  ].join('')}</section>`;
}

/** Beyond so many machines a cell is a sign and its figures; the rest stands in its tooltip and in the findings. */
const roomy = 7;

function matrixSection(m: PairMatrix): string {
  if (m.pairs.length === 0) return '';
  const compact = m.nodes.length > roomy;
  const fastest = Math.max(1, ...m.pairs.map((c) => c.mbit ?? 0));
  const cell = (from: PairNode, to: PairNode): string => {
    if (from === to) return '<td class="self" aria-label="itself"></td>';
    const found = m.pairs.find((c) => c.from === from.name && c.to === to.name);
    return found ? pairCell(found, { fastest, compact }) : `<td class="unknown" title="${h(from.why || to.why)}"><span class="head">${signs.unknown} not tried</span><span class="figs">${h(from.why || to.why)}</span></td>`;
  };
  const head = (n: PairNode): string => `${h(n.name)}<small>${h(n.address ?? 'no clear address')}</small>`;
  return `<h2>Who reaches whom</h2>
<div class="scroll"><table class="matrix${compact ? ' many' : ''}">
<thead><tr><th scope="col"><small>from ↓ to →</small></th>${m.nodes.map((n) => `<th scope="col">${head(n)}</th>`).join('')}</tr></thead>
<tbody>
${m.nodes.map((from) => `<tr><th scope="row">${head(from)}</th>${m.nodes.map((to) => cell(from, to)).join('')}</tr>`).join('\n')}
</tbody></table></div>
${legend(m)}`;
} // prettier-ignore

function pairCell(c: PairCell, { fastest, compact }: { fastest: number; compact: boolean }): string {
  const wrong = troubles(c);
  const kind = c.severity === 'blocker' || c.severity === 'warning' ? c.severity : c.ports.every((p) => p.result === 'unknown') ? 'unknown' : 'good';
  const title = [`${c.from} to ${c.to}`, ...c.ports.map((p) => `${p.proto} ${p.port}: ${p.result}${p.why === '' ? '' : `: ${p.why}`}`), ...figures(c), ...c.remedies].join('\n');
  const head = wrong.length > 0 ? wrong.join(' · ') : kind === 'unknown' ? 'not tried' : compact ? '' : 'well';
  return `<td class="${kind}" title="${h(title)}"><span class="head"><span aria-hidden="true">${signs[kind]}</span> ${h(head)}</span>
<span class="figs num">${h((compact ? figures(c).slice(0, 1) : figures(c)).join(' · '))}</span>${c.mbit === null ? '' : `<span class="bar" aria-hidden="true"><i style="width:${Math.max(1, Math.round((100 * c.mbit) / fastest))}%"></i></span>`}
<span class="chips">${c.ports.map(portChip).join('')}</span>${kind === 'good' || c.remedies.length === 0 ? '' : c.remedies.map((r) => `<p class="do"><b>What to do:</b> ${h(r)}</p>`).join('')}</td>`;
} // prettier-ignore

function portChip(p: PairCell['ports'][number]): string {
  const kind = passes(p.result) ? 'good' : p.result === 'unknown' ? 'unknown' : 'blocker';
  return `<span class="chip ${kind}${p.needed ? '' : ' spare'}" title="${h(`${p.result}${p.why === '' ? '' : `: ${p.why}`}${p.needed ? '' : ' (not needed with these roles)'}`)}">${signs[kind]} ${p.proto === 'udp' ? 'u' : ''}${p.port}</span>`;
}

function legend(m: PairMatrix): string {
  const entry = (chip: string, text: string): string => `<li>${chip}${h(text)}</li>`;
  return `<ul class="legend">
${entry(`<span class="chip good">${signs.good}</span>`, 'gets through')}
${entry(`<span class="chip blocker">${signs.blocker}</span>`, 'does not')}
${entry(`<span class="chip unknown">${signs.unknown}</span>`, 'could not be tried')}
${entry('<span class="chip unknown spare">dashed</span>', 'not needed with these roles')}
${m.ports.map((p) => entry(`<span class="chip unknown">${p.proto === 'udp' ? 'u' : ''}${p.port}</span>`, `${p.proto.toUpperCase()}: ${p.what}`)).join('\n')}
</ul>
<p><small>In a cell: round trip, bandwidth over TCP, and the largest packet that gets through uncut. The bar compares bandwidths.</small></p>`;
} // prettier-ignore

/** The same of several machines is told once. */
interface Entry {
  finding: Finding;
  nodes: string[];
}
function entriesOf({ findings, absent }: PrecheckReport): Entry[] {
  const gone = absent.map((a): Finding => ({ severity: 'blocker', code: 'node.unreachable', node: a.node, message: `it could not be reached: ${a.why}`, remedy: 'see that it is on, and that address, port and login are right' }));
  const entries = new Map<string, Entry>();
  for (const finding of [...gone, ...findings]) {
    const key = JSON.stringify([finding.severity, finding.code, finding.message, finding.remedy]);
    const entry = entries.get(key) ?? { finding, nodes: [] };
    entry.nodes.push(finding.node ?? 'the cluster');
    entries.set(key, entry);
  }
  return [...entries.values()].sort((a, b) => order.indexOf(a.finding.severity) - order.indexOf(b.finding.severity) || a.nodes[0]!.localeCompare(b.nodes[0]!, 'en', { numeric: true }));
} // prettier-ignore

function findingList(report: PrecheckReport): string {
  const entries = entriesOf(report);
  const item = ({ finding: f, nodes }: Entry): string => `<li class="f-${f.severity}"><span class="badge ${f.severity}">${signs[f.severity]} ${words[f.severity]}</span><b>${h([...new Set(nodes)].join(', '))}</b> <small><code>${h(f.code)}</code></small>
<p class="what">${h(f.message)}</p>${f.remedy === '' ? '' : `<p class="remedy">${h(f.remedy)}</p>`}</li>`;
  const list = (some: readonly Entry[]): string => `<ul class="findings">\n${some.map(item).join('\n')}\n</ul>`;
  const [serious, rest] = [entries.filter((e) => e.finding.severity !== 'info'), entries.filter((e) => e.finding.severity === 'info')];
  return [
    serious.length === 0 ? '<p class="soft">Nothing that speaks against an install.</p>' : list(serious),
    rest.length === 0 ? '' : `<details><summary>${many(rest.length, 'more thing')} that you may like to know</summary>\n${list(rest)}\n</details>`,
  ].join('\n');
} // prettier-ignore

/** Where a duration stands between 0.1 ms and 1 s, in percent: each step of ten is as wide as the next. */
const place = (us: number): number => Math.min(99, Math.max(0, Math.round((100 * Math.log10(Math.max(100, us) / 100)) / 4)));

function nodeCard(n: PairNode): string {
  const slow = n.disk !== null && isSlowDisk(n.role, n.disk);
  const rows: [string, string][] = [
    ['address', n.address ?? 'not clear which'],
    ['system', n.system],
    ...(n.taken.length > 0 ? [['held ports', n.taken.map((t) => `${t.proto} ${t.port}`).join(', ')] as [string, string]] : []),
    ['tried with', n.probe ?? `nothing: ${n.why}`],
  ];
  const gauge = n.disk
    ? `<div class="gauge" style="--mark:${place(slowSyncMs(n.role) * 1000)}%" role="img" aria-label="${h(diskWords(n))}"><i style="left:${place(n.disk.p99Us)}%"></i></div>
<div><b>${slow ? `${signs.warning} slow disk` : `${signs.good} disk`}</b> <span class="num">${milliseconds1(n.disk.p99Us)}</span> p99, <span class="num">${milliseconds1(n.disk.p50Us)}</span> median, <span class="num">${milliseconds1(n.disk.maxUs)}</span> longest <small>of ${n.disk.writes} safe writes under <code>${h(n.disk.path)}</code>; wanted: below ${slowSyncMs(n.role)} ms</small></div>`
    : '<div class="soft">disk not measured</div>';
  return `<section class="card"><h3>${h(n.name)} <small>${h(n.role)}</small></h3>\n${gauge}\n<dl>${rows.map(([k, v]) => `<dt>${h(k)}</dt><dd>${h(v)}</dd>`).join('')}</dl></section>`;
}

const footer = (m: PairMatrix): string =>
  `<footer>Tried in ${(m.tookMs / 1000).toFixed(1)} s with listeners that lived only for this, from a program that was never written to a disk of these machines. A packet counts as dropped by a machine's own firewall when it was seen to arrive there. Safe write: 2,300 bytes, as etcd writes, until the disk says that they are kept.</footer>`;
