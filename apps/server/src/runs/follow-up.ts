import { connect } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import { type ClusterSpec, type RunIntent, sshHost } from '@strata/model';
import type { ClusterRecord, NodeRecord, RunRecord } from '@strata/store';
import { ProblemError } from '../api/problem';
import { Edges } from '../serve/edges';
import { MissedNodes, runsLookedAt, tellingRuns } from './missed-nodes';
import { StartRun } from './start-run';

const everyMs = 10_000;
const firstPauseMs = 20_000;
const longestPauseMs = 600_000;
const reachMs = 3_000;

/** Starts by itself what is owed when a cluster is free: the run that adds nodes which came while it was busy, and the run that finishes nodes which were absent and are back. */
@Injectable()
export class FollowUp {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly missed!: MissedNodes;
  @Inject() private readonly startRun!: StartRun;
  private readonly pauses = new Map<string, { until: number; ms: number }>(); // by cluster id
  private timer: NodeJS.Timeout | null = null;

  start(): void {
    this.timer = setInterval(() => void this.lookAtAll(), everyMs).unref();
    this.edges.sessions.onChange((session, what) => {
      if (what === 'opened') {
        this.pauses.delete(session.clusterId);
        void this.look(session.clusterId);
      }
    });
  }
  stop(): void {
    if (this.timer) clearInterval(this.timer);
  }

  /** Looks at one cluster. Never throws. */
  async look(clusterId: string): Promise<void> {
    if (this.edges.stopping.aborted) return;
    try {
      const cluster = await this.edges.store.clusters.find(clusterId);
      if (!cluster || (await this.edges.store.clusters.lease(clusterId))) return;
      const intent = await this.owed(cluster);
      if (!intent) return;
      const { runId } = await this.startRun.run(clusterId, { intent }, 'server');
      this.edges.log.info({ runId, cluster: cluster.name, intent }, 'a run was started by itself');
    } catch (error) {
      if (error instanceof ProblemError && error.code === 'cluster-busy') return;
      this.edges.log.warn({ err: error, clusterId }, 'looking for what is owed to a cluster failed');
    }
  }

  private async lookAtAll(): Promise<void> {
    const clusters = await this.edges.store.clusters.list().catch(() => []);
    for (const { id } of clusters) await this.look(id);
  }

  private async owed(cluster: ClusterRecord): Promise<RunIntent | null> {
    if (cluster.state !== 'ready' && cluster.state !== 'degraded') return null;
    const { runs } = await this.edges.store.runs.list({ clusterId: cluster.id, limit: runsLookedAt });
    const didNothing = (r: RunRecord): boolean => r.intent.dryRun || r.result === 'refused' || (r.result === 'cancelled' && r.steps.changed === 0);
    if (runs.find((r) => !didNothing(r))?.intent.kind === 'uninstall') return null; // nothing is owed to a cluster that is being taken back
    const telling = tellingRuns(runs);
    const spec = await this.edges.store.clusters.spec(cluster.id, cluster.specVersion);
    if (telling.length === 0 || !spec) return null;
    const rows = await this.edges.store.nodes.list(cluster.id);
    const wanted = new Map(spec.spec.nodes.map((n) => [n.name, n]));
    const here = (r: NodeRecord): boolean => (r.state === 'enrolled' ? this.edges.sessions.of(r.id) !== null : wanted.get(r.name)?.ssh !== undefined);
    const strangers = rows.filter((r) => wanted.has(r.name) && here(r));
    const added = strangers.length > 0 ? await this.untried(cluster.id, strangers) : [];
    if (added.length > 0) return intentOf('add-node', added.map((r) => r.name)); // prettier-ignore
    return this.stragglers({ cluster, telling, spec, rows });
  }

  /** Nodes that no run was about since they came. */
  private async untried(clusterId: string, rows: NodeRecord[]): Promise<NodeRecord[]> {
    const { runs } = await this.edges.store.runs.list({ clusterId, limit: 200 });
    const about = (run: RunRecord, row: NodeRecord): boolean =>
      !run.intent.dryRun &&
      run.startedAt >= row.createdAt &&
      (run.intent.kind === 'add-node' ? run.intent.nodes.includes(row.name) : run.intent.kind === 'install' || run.intent.kind === 'finish');
    return rows.filter((row) => !runs.some((run) => about(run, row)));
  }

  private async stragglers(at: { cluster: ClusterRecord; telling: RunRecord[]; spec: ClusterSpec; rows: NodeRecord[] }): Promise<RunIntent | null> {
    const { cluster } = at;
    if (!at.telling.some((r) => r.result === 'degraded')) return null;
    const pause = this.pauses.get(cluster.id);
    if (pause && pause.until > this.edges.now()) return null;
    const missed = await this.missed.by(at.telling);
    const awaited = at.rows.filter((r) => missed.has(r.name));
    const back = await Promise.all(awaited.map((r) => this.isBack(r, at.spec)));
    const removedSince = missed.size > 0 && awaited.length === 0; // nobody is missed any more: a look at all is all that is owed
    if (!removedSince && !back.some(Boolean)) return null;
    const ms = Math.min(pause ? pause.ms * 2 : firstPauseMs, longestPauseMs); // if that run ends as this one did, the next waits longer
    this.pauses.set(cluster.id, { until: this.edges.now() + ms, ms });
    return intentOf('finish', []);
  }

  private async isBack(row: NodeRecord, spec: ClusterSpec): Promise<boolean> {
    if (row.state === 'enrolled') return this.edges.sessions.of(row.id) !== null;
    const node = spec.spec.nodes.find((n) => n.name === row.name);
    const host = node && sshHost(node);
    if (!node?.ssh || host === undefined) return false;
    return node.ssh.bastion ? reaches(node.ssh.bastion.host, node.ssh.bastion.port) : reaches(host, node.ssh.port);
  }
}
const intentOf = (kind: RunIntent['kind'], nodes: string[]): RunIntent => ({ kind, nodes, dryRun: false, force: false });

/** Whether a TCP connection opens in time. */
function reaches(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: reachMs });
    const end = (answer: boolean) => (): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false));
  });
}
