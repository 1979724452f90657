import { type ClusterSpec, type Facts, type Finding, isSlowDisk, type PairCell, type PairMatrix, type PairNode, passes, slowSyncMs } from '@strata/model';
import { isOpened, portsBetween } from './cluster-ports';

interface World {
  spec: ClusterSpec;
  facts: ReadonlyMap<string, Facts>;
  /** Nodes that see packets ahead of their own firewall. */
  sniffs: ReadonlySet<string>;
}
type Port = PairCell['ports'][number];
type Blocked = Port & { cell: PairCell };

/** A finding, and the pairs that it is about. */
interface Told {
  finding: Finding;
  cells: readonly PairCell[];
}
const order = ['blocker', 'warning', 'info'] as const;

/** Says what in a matrix speaks against an install, or should be known: as findings (the same trouble, one finding), and at each pair. Pure. */
export function judgePairs(matrix: PairMatrix, world: World): { matrix: PairMatrix; findings: Finding[] } {
  const cut = matrix.pairs.filter(isCut);
  const told: Told[] = [
    ...matrix.nodes.flatMap((n) => [...unprobed(n), ...diskFindings(n)].map((finding) => ({ finding, cells: [] }))),
    ...cut.map((c) => ({ finding: nothing(c, matrix), cells: [c] })),
    ...blocked(matrix, cut, world),
    ...mtuFindings(matrix.pairs),
    ...matrix.pairs.flatMap(lineFindings),
  ];
  const pairs = matrix.pairs.map((c): PairCell => {
    const about = told.filter((t) => t.cells.includes(c)).map((t) => t.finding);
    return { ...c, severity: order.find((s) => about.some((f) => f.severity === s)) ?? null, remedies: [...new Set(about.map((f) => f.remedy))] };
  });
  return { matrix: { ...matrix, pairs }, findings: told.map((t) => t.finding) };
}

/** Nothing of one machine reaches the other, whatever was tried. */
const isCut = (c: PairCell): boolean =>
  c.mtu.path === null && c.rttUs === null && c.ports.length > 0 && c.ports.every((p) => p.result === 'lost' || p.result === 'unsent');
/** It can dial the other, and the other cannot dial it: so looks a machine behind a NAT. */
const onlyDialsOut = (c: PairCell, matrix: PairMatrix): boolean =>
  matrix.pairs.some((back) => back.from === c.to && back.to === c.from && back.ports.some((p) => passes(p.result)));
const nothing = (c: PairCell, matrix: PairMatrix): Finding => ({
  severity: 'blocker',
  code: 'pairs.unreachable',
  node: c.from,
  message: `nothing from ${c.from} reaches ${c.to} (${matrix.nodes.find((n) => n.name === c.to)?.address ?? '?'}): no port, no ping`,
  remedy: onlyDialsOut(c, matrix)
    ? `${c.to} reaches ${c.from}, but not the other way round: if it can only dial out (a NAT, a firewall that is not yours), make it a worker with \`nat: true\` (docs/networks.md); else check the routes back`
    : 'check the addresses and the routes of both (`ip route get`), and what stands between them',
});

function unprobed(n: PairNode): Finding[] {
  if (n.probe !== null || n.why === '') return [];
  const remedy = 'install perl-base or python3 there, or see for yourself that the ports of docs/precheck.md are open to it';
  return [{ severity: 'warning', code: 'pairs.unknown', node: n.name, message: `who reaches ${n.name} could not be tried: ${n.why}`, remedy }];
}

function blocked(matrix: PairMatrix, cut: readonly PairCell[], world: World): Told[] {
  const groups = new Map<string, Blocked[]>();
  for (const cell of matrix.pairs) {
    if (cut.includes(cell)) continue;
    for (const p of cell.ports) {
      if (passes(p.result) || p.result === 'unknown') continue;
      const key = [p.result === 'unsent' ? cell.from : cell.to, p.proto, p.port, p.result, p.needed].join(' ');
      groups.set(key, [...(groups.get(key) ?? []), { ...p, cell }]);
    }
  }
  return [...groups.values()].map((all) => ({ finding: blockedFinding(all, matrix, world), cells: all.map((b) => b.cell) }));
}

function blockedFinding(all: readonly Blocked[], matrix: PairMatrix, world: World): Finding {
  const [first] = all as [Blocked];
  const { proto, port, result } = first;
  const what = portsBetween(world.spec.spec).find((p) => p.proto === proto && p.port === port);
  const names = (of: 'from' | 'to'): string => [...new Set(all.map((b) => b.cell[of]))].join(', ');
  const node = result === 'unsent' ? first.cell.from : first.cell.to;
  const severities = all.map((b) => severityOf(b, matrix, world));
  const severity = severities.includes('blocker') ? 'blocker' : severities.includes('warning') ? 'warning' : 'info';
  return {
    severity,
    code: 'pairs.blocked',
    node,
    message: `${proto.toUpperCase()} ${port}${what ? `, ${what.what},` : ''} does not get from ${names('from')} to ${names('to')}: ${first.why}${first.needed ? '' : '; with these roles it is not needed'}`,
    remedy: remedyOf(first, { node, severity, tools: world.facts.get(node)?.firewall.tools ?? [], froms: names('from'), tos: names('to') }),
  };
}

/** Whether an install would come to nothing without this port. Logs and metrics of a worker's kubelet are wanted by others too, but not for the cluster to work. */
const isVital = (b: Blocked, matrix: PairMatrix): boolean =>
  b.needed && (b.port !== 10250 || matrix.nodes.find((n) => n.name === b.cell.from)?.role === 'control-plane');

function severityOf(b: Blocked, matrix: PairMatrix, world: World): Finding['severity'] {
  if (!b.needed) return 'info';
  if (!isVital(b, matrix)) return 'warning';
  return isOpenedLater(b, matrix, world) ? 'warning' : 'blocker';
}

/**
 * A firewall on the target that keeps out what it was not told of: Strata opens it at install. When only this port is kept out while others pass,
 * and nothing there drops by policy, a rule names the port, and an accept of ours would come beside it, not before it.
 */
function isOpenedLater(b: Blocked, matrix: PairMatrix, { spec, facts, sniffs }: World): boolean {
  const opens = portsBetween(spec.spec).some((p) => isOpened(p) && p.proto === b.proto && p.port === b.port);
  if (spec.spec.native.firewall !== 'open-ports' || !opens || b.result === 'unsent') return false;
  const dropsAll = facts.get(b.cell.to)?.firewall.dropsInput === true;
  if (b.result === 'lost') return dropsAll && !sniffs.has(b.cell.to);
  const others = matrix.pairs.filter((c) => c.to === b.cell.to).flatMap((c) => c.ports.filter((p) => p.port !== b.port && p.result !== 'unknown'));
  return dropsAll || !others.some((p) => passes(p.result));
}

function remedyOf(b: Blocked, at: { node: string; severity: Finding['severity']; tools: readonly string[]; froms: string; tos: string }): string {
  const { node, tools } = at;
  const spec = `${b.port}/${b.proto}`;
  if (b.result === 'unsent')
    return `look at the firewall of ${node} for what it sends (\`nft list ruleset\`), and at its routes (\`ip route\`): ${spec} must go to ${at.tos}`;
  if (b.result === 'lost')
    return `let ${spec} pass from ${at.froms} to ${at.tos}: look at security groups, at firewalls between them, and at what ${at.froms} may send`;
  const allow = tools.includes('ufw')
    ? `\`ufw allow ${spec}\``
    : tools.includes('firewalld')
      ? `\`firewall-cmd --permanent --add-port=${spec}\` and \`firewall-cmd --reload\``
      : `take away or narrow the rule that stops it (\`nft list ruleset\`, \`iptables -S\`)`;
  return at.severity === 'warning' && b.needed
    ? `nothing to do if Strata is to open it at install (native.firewall: open-ports); else on ${node}: ${allow}`
    : `on ${node}: ${allow}`;
}

/** A narrow path that one machine has to others is told once, of that machine, with the smallest size that passes there. */
function mtuFindings(cells: readonly PairCell[]): Told[] {
  const told: Told[] = [];
  let left = cells.filter((c) => c.mtu.path !== null && c.mtu.path < c.mtu.link);
  while (left.length > 0) {
    const count = new Map<string, number>();
    for (const c of left) for (const n of [c.from, c.to]) count.set(n, (count.get(n) ?? 0) + 1);
    const [whose] = [...count].reduce((most, next) => (next[1] > most[1] ? next : most));
    const own = left.filter((c) => c.from === whose || c.to === whose);
    const group = own.filter((c) => c.mtu.told === own[0]!.mtu.told);
    told.push({ finding: narrowFinding(whose, group), cells: group });
    left = left.filter((c) => !group.includes(c));
  }
  return told;
}
function narrowFinding(node: string, cells: readonly PairCell[]): Finding {
  const others = (of: 'from' | 'to'): string => cells.map((c) => c[of]).filter((n) => n !== node).join(', ');
  const [into, outOf] = [others('from'), others('to')];
  const where = [...(into === '' ? [] : [`from ${into} to ${node}`]), ...(outOf === '' ? [] : [`from ${node} to ${outOf}`])].join(', nor ');
  const smallest = cells.reduce((least, c) => ((c.mtu.path ?? 0) < (least.mtu.path ?? 0) ? c : least));
  const { path, link, told } = smallest.mtu;
  const size = (n: number | null): string => (n ?? 0).toLocaleString('en');
  const message = `packets of more than ${size(path)} bytes do not get through ${where}, though the interface lets ${size(link)} out`;
  const set = `set the MTU of the interfaces to ${path ?? 0}, or repair the network between the machines`;
  return told
    ? { severity: 'warning', code: 'pairs.mtu', node, message: `${message}; the network says so, so most connections adapt`, remedy: `${set}; till then packets of pods are cut on the way` }
    : { severity: 'blocker', code: 'pairs.mtu', node, message: `${message}, and nothing tells the sender: large answers of the API would hang for ever`, remedy: `${set}, or let ICMP "fragmentation needed" through` };
} // prettier-ignore

function lineFindings(c: PairCell): Told[] {
  const found: Finding[] = [];
  const between = `between ${c.from} and ${c.to}`;
  if (c.lossPercent !== null && c.lossPercent >= 10)
    found.push({ severity: 'warning', code: 'pairs.loss', node: c.from, message: `${c.lossPercent} % of packets are lost from ${c.from} to ${c.to}`, remedy: `look at cables, ports and the load of the network ${between}` });
  if (c.mbit !== null && c.mbit < 20)
    found.push({ severity: 'warning', code: 'pairs.slow', node: c.from, message: `${c.from} sends ${c.mbit.toFixed(1)} Mbit/s to ${c.to}`, remedy: `images and volumes take long over this line; look at the network ${between}` });
  if (c.rttUs !== null && c.rttUs > 100_000)
    found.push({ severity: 'warning', code: 'pairs.far', node: c.from, message: `an answer from ${c.to} takes ${Math.round(c.rttUs / 1000)} ms to reach ${c.from}`, remedy: 'one cluster across such a distance is slow and restless; keep its nodes closer together' });
  return found.map((finding) => ({ finding, cells: [c] }));
} // prettier-ignore

const ms = (us: number): string => (us < 10_000 ? (us / 1000).toFixed(1) : String(Math.round(us / 1000)));

function diskFindings({ name, role, disk }: PairNode): Finding[] {
  if (disk === null || !isSlowDisk(role, disk)) return [];
  const wants = role === 'control-plane' ? `etcd wants less than ${slowSyncMs(role)} ms` : `less than ${slowSyncMs(role)} ms is wanted`;
  return [
    {
      severity: 'warning',
      code: 'disk.slow',
      node: name,
      message: `a small write under ${disk.path} takes ${ms(disk.p99Us)} ms to be safe on disk (99th percentile of ${disk.writes}; median ${ms(disk.p50Us)} ms); ${wants}`,
      remedy: `put ${disk.path} on a faster disk (SSD), or expect a slow or restless cluster`,
    },
  ];
}
