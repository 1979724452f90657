import { isSlowDisk, type PairCell, type PairMatrix, type PairNode, passes } from '@strata/model';

/** Microseconds for people. */
export const milliseconds1 = (us: number): string =>
  us < 1000 ? `${(us / 1000).toFixed(2)} ms` : us < 10_000 ? `${(us / 1000).toFixed(1)} ms` : `${Math.round(us / 1000)} ms`;
/** Megabits for people. */
export const rate = (mbit: number): string =>
  mbit >= 1000 ? `${(mbit / 1000).toFixed(1)} Gbit/s` : mbit >= 10 ? `${Math.round(mbit)} Mbit/s` : `${mbit.toFixed(1)} Mbit/s`;

/** What is wrong between two machines, in few words; empty when nothing is. Ports that the roles do not need are left out. */
export function troubles(c: PairCell): string[] {
  const narrow = c.mtu.path !== null && c.mtu.path < c.mtu.link;
  return [
    ...c.ports.filter((p) => p.needed && !passes(p.result)).map((p) => `${p.proto.toUpperCase()} ${p.port} ${p.result}`),
    ...(narrow ? [`MTU ${c.mtu.path ?? 0} of ${c.mtu.link}`] : []),
    ...(c.lossPercent !== null && c.lossPercent >= 10 ? [`${c.lossPercent} % lost`] : []),
  ];
}
/** What was measured between two machines. */
export const figures = (c: PairCell): string[] => [
  ...(c.rttUs === null ? [] : [milliseconds1(c.rttUs)]),
  ...(c.mbit === null ? [] : [rate(c.mbit)]),
  ...(c.mtu.path === null ? [] : [`MTU ${c.mtu.path}`]),
];
export const diskWords = (n: PairNode): string =>
  n.disk === null
    ? 'disk not measured'
    : `${isSlowDisk(n.role, n.disk) ? 'SLOW DISK: ' : ''}a safe write under ${n.disk.path} takes ${milliseconds1(n.disk.p99Us)} (p99), ${milliseconds1(n.disk.p50Us)} (median)`;

/** The matrix as lines of text: who reaches whom, then each machine. */
export function pairsText(m: PairMatrix): string[] {
  const cells = m.pairs.map((c) => [`${c.from} -> ${c.to}`, troubles(c).length === 0 ? 'well' : troubles(c).join(', '), figures(c).join(', ')]);
  const widths = [0, 1].map((i) => Math.max(0, ...cells.map((c) => c[i]!.length)));
  return [
    ...(cells.length > 0 ? [`From each machine to each other (${m.ports.map((p) => `${p.proto} ${p.port}`).join(', ')}):`] : []),
    ...cells.map(([who, how, what]) => `  ${who!.padEnd(widths[0]!)}  ${how!.padEnd(widths[1]!)}  ${what}`.trimEnd()),
    'Machines:',
    ...m.nodes.map((n) => `  ${n.name} (${n.address ?? 'no clear address'}, ${n.role}): ${diskWords(n)}${n.probe === null && n.why !== '' ? `; not tried: ${n.why}` : ''}`),
  ];
} // prettier-ignore
