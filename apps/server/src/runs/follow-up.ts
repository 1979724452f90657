import { connect } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import type { ClusterSpec, RunIntent } from '@strata/model';
import type { RunView } from '@strata/run';
import type { ClusterRecord, NodeRecord, RunRecord } from '@strata/store';
import { ProblemError } from '../api/problem';
import { Edges } from '../serve/edges';
import { RunBook } from './run-book';
import { StartRun } from './start-run';

const everyMs = 10_000;
const firstPauseMs = 20_000;
const longestPauseMs = 600_000;
const reachMs = 3_000;

/** Starts by itself what is owed when a cluster is free: the run that adds nodes which came while it was busy, and the run that finishes nodes which were absent and are back. */
@Injectable()
export class FollowUp {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly book!: RunBook;
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
      const { runId } = await this.startRun.run(clusterId, intent, 'server');
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
    const { runs } = await this.edges.store.runs.list({ clusterId: cluster.id, limit: 50 });
    if (runs.find((r) => !r.intent.dryRun)?.intent.kind === 'uninstall') return null; // nothing is owed to a cluster that is being taken back
    // A finish that was refused may have met a machine in mid-boot: what it was to finish is still owed, later.
    const counts = (r: RunRecord): boolean => !r.intent.dryRun && !(r.intent.kind === 'finish' && r.result === 'refused');
    const since = runs.findIndex((r) => ['install', 'finish'].includes(r.intent.kind) && counts(r));
    // one that only adds a node says nothing of those that the last run of all nodes missed
    const told = runs.slice(0, since < 0 ? runs.length : since + 1).filter((r) => ['install', 'finish', 'add-node'].includes(r.intent.kind) && counts(r));
    const spec = await this.edges.store.clusters.spec(cluster.id, cluster.specVersion);
    if (told.length === 0 || !spec) return null;
    const rows = await this.edges.store.nodes.list(cluster.id);
    const wanted = new Map(spec.spec.nodes.map((n) => [n.name, n]));
    const here = (r: NodeRecord): boolean => (r.state === 'enrolled' ? this.edges.sessions.of(r.id) !== null : wanted.get(r.name)?.ssh !== undefined);
    const strangers = rows.filter((r) => wanted.has(r.name) && here(r));
    const added = strangers.length > 0 ? await this.untried(cluster.id, strangers) : [];
    if (added.length > 0) return intentOf('add-node', added.map((r) => r.name)); // prettier-ignore
    return this.stragglers({ cluster, told, spec, rows });
  }

  /** Nodes that no run was about since they came. */
  private async untried(clusterId: string, rows: NodeRecord[]): Promise<NodeRecord[]> {
    const { runs } = await this.edges.store.runs.list({ clusterId, limit: 200 });
    const about = (run: RunRecord, row: NodeRecord): boolean =>
      run.startedAt >= row.createdAt &&
      (run.intent.kind === 'add-node' ? run.intent.nodes.includes(row.name) : run.intent.kind === 'install' || run.intent.kind === 'finish');
    return rows.filter((row) => !runs.some((run) => about(run, row)));
  }

  private async stragglers(at: { cluster: ClusterRecord; told: RunRecord[]; spec: ClusterSpec; rows: NodeRecord[] }): Promise<RunIntent | null> {
    const { cluster } = at;
    const degraded = at.told.filter((r) => r.result === 'degraded');
    if (degraded.length === 0) return null;
    const pause = this.pauses.get(cluster.id);
    if (pause && pause.until > this.edges.now()) return null;
    const missing = new Set<string>();
    for (const { id } of degraded) {
      const view = await this.book.view(id);
      this.book.forget(id);
      for (const name of [...(view.plan?.absent ?? []), ...view.absent.keys(), ...unreached(view)]) missing.add(name);
    }
    const awaited = at.rows.filter((r) => missing.has(r.name));
    const back = await Promise.all(awaited.map((r) => this.isBack(r, at.spec)));
    const removedSince = missing.size > 0 && awaited.length === 0; // nobody is missed any more: a look at all is all that is owed
    if (!removedSince && !back.some(Boolean)) return null;
    const ms = Math.min(pause ? pause.ms * 2 : firstPauseMs, longestPauseMs); // if that run ends as this one did, the next waits longer
    this.pauses.set(cluster.id, { until: this.edges.now() + ms, ms });
    return intentOf('finish', []);
  }

  private async isBack(row: NodeRecord, spec: ClusterSpec): Promise<boolean> {
    if (row.state === 'enrolled') return this.edges.sessions.of(row.id) !== null;
    const node = spec.spec.nodes.find((n) => n.name === row.name);
    const host = node?.ssh?.host ?? node?.address;
    if (!node?.ssh || host === undefined) return false;
    return node.ssh.bastion ? reaches(node.ssh.bastion.host, node.ssh.bastion.port) : reaches(host, node.ssh.port);
  }
}
const intentOf = (kind: RunIntent['kind'], nodes: string[]): RunIntent => ({ kind, nodes, dryRun: false, force: false });

/** Nodes whose machine went away before its agent could be installed. */
const unreached = (view: RunView): string[] =>
  (view.plan?.steps ?? []).flatMap((s) => (s.task === 'agent.install' && s.node !== null && view.steps.get(s.key)?.state === 'failed' ? [s.node] : []));

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
