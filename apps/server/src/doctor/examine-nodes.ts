import { connect } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import { Check, type Diagnosis, type NodeSpec, rootCauseFirst } from '@strata/model';
import type { ClusterRecord, NodeRecord } from '@strata/store';
import { Checked } from '@strata/tasks';
import { z } from 'zod';
import { notFound } from '../api/problem';
import { ClusterEdges } from '../clusters/cluster-edges';
import { ShowClusters } from '../clusters/show-clusters';
import { Edges } from '../serve/edges';
import { Asks } from '../sessions/asks';
import { kubernetesSays } from './kubernetes-says';
import { KeepLastWords } from './last-words';

const silenceMs = 12_000; // a look at work says so every 2 s; a busy machine gets some of them late
const probeMs = 3_000;
type Reached = 'open' | 'refused' | 'silent';

/** What is wrong with the nodes of a cluster: asked of their agents, and told from outside where an agent says nothing. Changes nothing. */
@Injectable()
export class ExamineNodes {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly clusters!: ShowClusters;
  @Inject() private readonly clusterEdges!: ClusterEdges;
  @Inject() private readonly asks!: Asks;
  @Inject() private readonly lastWords!: KeepLastWords;

  /** @param only a node's name; without it all of them. @throws ProblemError 404 */
  async run(idOrName: string, only?: string): Promise<Diagnosis> {
    const cluster = await this.clusters.record(idOrName);
    const rows = await this.edges.store.nodes.list(cluster.id);
    if (only !== undefined && !rows.some((r) => r.name === only))
      throw notFound(`node "${only}" in cluster "${cluster.name}"`, `strata node list --cluster ${cluster.name}`);
    const mine = rows.filter((r) => (only === undefined || r.name === only) && r.state === 'enrolled');
    // the control plane first: of two equal findings its own is the nearer cause
    mine.sort((a, b) => Number(b.role === 'control-plane') - Number(a.role === 'control-plane'));
    const ssh = await this.sshPorts(cluster);
    const [looks, said] = await Promise.all([
      Promise.all(mine.map((row) => this.node(row, { rows, sshPort: ssh.get(row.name) ?? 22 }))),
      this.kubernetes(cluster, mine),
    ]);
    return { checks: rootCauseFirst([...looks.flat(), ...said]) };
  }

  private async node(row: NodeRecord, around: { rows: readonly NodeRecord[]; sshPort: number }): Promise<Check[]> {
    const session = await this.edges.sessions.soon(row, this.edges);
    if (!session) return this.fromOutside((await this.edges.store.nodes.find(row.id)) ?? row, around);
    const has = new Checked('node.session', row.name, 'its agent has a session').ok(`heard ${Math.round((this.edges.now() - session.lastSeen) / 1000)} s ago`);
    try {
      const checks = z.array(Check).parse(await this.asks.ask(session, { what: 'doctor' }, silenceMs));
      this.lastWords.looked(row.id, checks, this.edges.now());
      return [has, ...checks];
    } catch (error) {
      const look = new Checked('node.look', row.name, 'its agent answers');
      const remedy = `log in and run \`stratad doctor\` there, or strata doctor ${row.name} --ssh root@${row.address ?? 'ADDRESS'}`;
      return [has, ...(await this.reach(row, around)), look.broken({ cause: error instanceof Error ? error.message : String(error), remedy })];
    }
  }

  /** No session: whether the machine is there at all, for us and for its neighbours. */
  private async fromOutside(row: NodeRecord, around: { rows: readonly NodeRecord[]; sshPort: number }): Promise<Check[]> {
    const since = row.lastSeenAt === null ? 'it was never heard' : `last heard ${ago(this.edges.now() - row.lastSeenAt.getTime())} ago`;
    const reach = await this.reach(row, around, since);
    if (reach.some((c) => c.verdict === 'broken')) return reach;
    const check = new Checked('node.agent', row.name, 'the agent runs');
    const { full, evidence } = this.before(row);
    return [
      ...reach,
      ...full,
      check.broken({
        cause: `the machine answers, but its agent has no session (${since}): stratad is stopped, masked or broken, or it cannot reach port ${this.edges.reach.ports.agents} of this host`,
        remedy: `see from inside: strata doctor ${row.name} --ssh root@${row.address ?? 'ADDRESS'}, or \`stratad doctor\` there; mostly \`systemctl unmask stratad; systemctl enable --now stratad\` helps`,
        evidence,
      }),
    ];
  }

  /** What a silent agent said of its machine while it still spoke. */
  private before(row: NodeRecord): { full: Check[]; evidence: string[] } {
    const { trouble, look } = this.lastWords.of(row.id);
    const was = (at: number): string => `${ago(this.edges.now() - at)} ago`;
    const evidence = (look?.broken ?? []).map((c) => `when it was last looked at (${was(look?.at ?? 0)}): ${c.title}: ${c.cause}`);
    if (trouble === null) return { full: [], evidence };
    const remedy = `log in and free space there (\`df -h\`, \`du -xh --max-depth=2 / | sort -h | tail\`); the agent comes back by itself`;
    return { full: [new Checked('node.disk', row.name, 'the disks have space').broken({ cause: `the last that its agent said (${was(trouble.at)}): ${trouble.words}`, remedy })], evidence };
  } // prettier-ignore

  private async reach(row: NodeRecord, around: { rows: readonly NodeRecord[]; sshPort: number }, since = ''): Promise<Check[]> {
    const check = new Checked('node.reach', row.name, 'the machine answers');
    const { address } = row;
    if (address === null) return [check.unknown('its address is not known: it dials out only')];
    const ports = [around.sshPort, 10250];
    const tried = await Promise.all(ports.map((port) => probe(address, port)));
    if (tried.some((t) => t !== 'silent')) return [check.ok(`${address}: ${ports.map((p, i) => `port ${p} ${tried[i]}`).join(', ')}`)];
    const peers = await this.peersReach(row, around.rows, ports);
    const words = since === '' ? '' : ` (${since})`;
    const seen = peers.filter((p) => p.reaches).map((p) => p.name);
    if (seen.length > 0)
      return [
        check.broken({
          cause: `the machine is on, but the network between this control host and it is cut: ${seen.join(', ')} reach${seen.length === 1 ? 'es' : ''} ${address}, this host does not${words}`,
          remedy: `look for a firewall, a route or a switch between this host and ${address}; what runs there goes on meanwhile`,
        }),
      ];
    const others = peers.length === 0 ? '' : `, nor ${peers.map((p) => p.name).join(', ')}`;
    return [
      check.broken({
        cause: `${address} is off or cut off: neither port ${ports.join(' nor port ')} answers this host${others}${words}`,
        remedy: 'switch it on, or look at its cable, switch and console; when it is back its agent comes by itself',
      }),
    ];
  }

  private async peersReach(row: NodeRecord, rows: readonly NodeRecord[], ports: number[]): Promise<{ name: string; reaches: boolean }[]> {
    const peers = rows.flatMap((r) => (r.id === row.id ? [] : (this.edges.sessions.of(r.id) ?? []))).slice(0, 3);
    const asked = await Promise.all(
      peers.map(async (session) => {
        const said = await this.asks.ask(session, { what: 'reach', input: { host: row.address, ports } }, 10_000).catch(() => null);
        return Array.isArray(said) ? { name: session.name, reaches: said.some((r) => r === true) } : null;
      }),
    );
    return asked.filter((a) => a !== null);
  }

  private async kubernetes(cluster: ClusterRecord, nodes: readonly NodeRecord[]): Promise<Check[]> {
    if (!(await this.clusterEdges.hasKubeconfig(cluster.id))) return [];
    return kubernetesSays(await this.clusterEdges.of(cluster.id), nodes.map((n) => n.name)); // prettier-ignore
  }

  private async sshPorts(cluster: ClusterRecord): Promise<Map<string, number>> {
    const spec = await this.edges.store.clusters.spec(cluster.id, cluster.specVersion);
    return new Map((spec?.spec.nodes ?? []).flatMap((n: NodeSpec) => (n.ssh ? [[n.name, n.ssh.port] as const] : [])));
  }
}

/** Whether a machine is there: also one that refuses a connection has answered. */
function probe(host: string, port: number): Promise<Reached> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: probeMs });
    const end = (answer: Reached): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end('open')).once('timeout', () => end('silent'));
    socket.once('error', (e: NodeJS.ErrnoException) => end(e.code === 'ECONNREFUSED' ? 'refused' : 'silent'));
  });
}
const ago = (ms: number): string => (ms < 120_000 ? `${Math.round(ms / 1000)} s` : ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`); // prettier-ignore
