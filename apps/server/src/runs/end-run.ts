import { Inject, Injectable } from '@nestjs/common';
import { type ClusterSpec, ofApps, ofStorage } from '@strata/model';
import type { RunView } from '@strata/run';
import type { ClusterRecord, ClusterState, RunRecord } from '@strata/store';
import { OrderPlaces } from '../orders/order-places';
import { keepSwitched, switches, withoutReplicaOn } from '../clusters/switch-state';
import { Edges } from '../serve/edges';
import { countsOf } from './advance-runs';
import { FollowUp } from './follow-up';
import { ForgetLook, isOnlyLook } from './forget-look';
import { MissedNodes } from './missed-nodes';
import { RunBook } from './run-book';
import { RunEnds } from './run-ends';

/** What a run's end means for the cluster beside the ledger. Safe to repeat: a server that died in the middle does it again. */
@Injectable()
export class EndRun {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly book!: RunBook;
  @Inject() private readonly places!: OrderPlaces;
  @Inject() private readonly followUp!: FollowUp;
  @Inject() private readonly missedNodes!: MissedNodes;
  @Inject() private readonly looks!: ForgetLook;
  @Inject() private readonly ends!: RunEnds;

  /** Begins to listen, and does what may have been left undone for each cluster's newest run. */
  async start(): Promise<void> {
    this.edges.ledger.onAppend((runId, events) => {
      if (events.some((e) => e.kind === 'RunEnded')) void this.run(runId);
      if (events.some((e) => e.kind === 'RunPlanned' || e.kind === 'RunResumed')) void this.began(runId);
    });
    for (const cluster of await this.edges.store.clusters.list()) {
      const newest = (await this.edges.store.runs.list({ clusterId: cluster.id, limit: 1 })).runs[0];
      if (newest?.state === 'ended') await this.run(newest.id);
    }
  }

  async run(runId: string): Promise<void> {
    try {
      const run = await this.ends.keep(runId, this.settle(runId));
      if (run === null || (isOnlyLook(run) && (await this.looks.forget(run)))) return;
      await this.followUp.look(run.clusterId);
    } catch (error) {
      this.edges.log.error({ err: error, runId }, 'what follows the end of a run failed; it is done again when the server starts');
    }
  }
  /** The cluster as this run leaves it. Null where the run goes on. */
  private async settle(runId: string): Promise<RunRecord | null> {
    const { store } = this.edges;
    const run = await store.runs.find(runId);
    const view = await this.book.view(runId);
    if (!run || view.state !== 'ended') return null;
    await store.runs.recordCounts(runId, countsOf(view));
    if (run.intent.kind === 'uninstall') await this.uninstalled(run, view);
    else if (run.intent.kind === 'remove-node') await this.removed(run, view);
    else if (run.intent.kind === 'migrate-storage' || run.intent.kind === 'rollback-storage') await this.moved(run, view);
    else if (switches(run.intent.kind)) await keepSwitched(this.edges, run, view);
    if (run.intent.dryRun) await this.forgetDraft(run.clusterId);
    await this.setState(run, view);
    this.book.forget(runId);
    this.places.forgetRun(runId);
    return run;
  }

  private async began(runId: string): Promise<void> {
    const run = await this.edges.store.runs.find(runId);
    const cluster = run && (await this.edges.store.clusters.find(run.clusterId));
    if (!run || !cluster || run.intent.dryRun || run.intent.kind !== 'install') return;
    if (cluster.state === 'new' || cluster.state === 'failed' || cluster.state === 'uninstalled')
      await this.edges.store.clusters.setState(cluster.id, 'installing');
  }

  private async setState(run: RunRecord, view: RunView): Promise<void> {
    const cluster = await this.edges.store.clusters.find(run.clusterId);
    if (!cluster) return;
    const state = stateAfter(cluster.state, {
      run,
      view,
      hasKubeconfig: cluster.kubeconfig !== null,
      missesNodes: run.intent.kind === 'add-node' && (await this.missesNodes(cluster)),
    });
    if (state !== cluster.state) await this.edges.store.clusters.setState(cluster.id, state);
  }

  /** Machines that only a dry run's draft named are nobody's any more. */
  private async forgetDraft(clusterId: string): Promise<void> {
    const { clusters, nodes, epochs } = this.edges.store;
    const cluster = await clusters.find(clusterId);
    const spec = cluster && (await clusters.spec(clusterId, cluster.specVersion));
    if (spec) await nodes.forgetPlanned(clusterId, spec.spec.nodes.map((n) => n.name), await epochs.next('node')); // prettier-ignore
  }

  private async missesNodes(cluster: ClusterRecord): Promise<boolean> {
    const missed = await this.missedNodes.of(cluster);
    return missed.size > 0 && (await this.edges.store.nodes.list(cluster.id)).some((row) => missed.has(row.name));
  }

  private async uninstalled(run: RunRecord, view: RunView): Promise<void> {
    if (run.intent.dryRun || (view.result !== 'done' && view.result !== 'degraded')) return;
    await this.edges.store.clusters.forgetInitialization(run.clusterId);
    for (const node of await this.edges.store.nodes.list(run.clusterId)) if (view.result === 'done') await this.bury(node.id);
  }

  /** The spec loses the node: nobody would add it again by itself. */
  private async removed(run: RunRecord, view: RunView): Promise<void> {
    if (run.intent.dryRun || view.result !== 'done') return;
    const { store } = this.edges;
    const cluster = await store.clusters.find(run.clusterId);
    const spec = cluster && (await store.clusters.spec(cluster.id, cluster.specVersion));
    if (!cluster || !spec) return;
    const gone = new Set(run.intent.nodes);
    const nodes = spec.spec.nodes.filter((n) => !gone.has(n.name));
    if (nodes.length < spec.spec.nodes.length) {
      const changed: ClusterSpec = { ...spec, spec: { ...spec.spec, nodes, storage: withoutReplicaOn(spec.spec.storage, gone) } };
      await store.clusters.keepSpec({ id: cluster.id, spec: changed, by: 'server' });
    }
    for (const name of gone) {
      const row = await store.nodes.named(cluster.id, name);
      if (row && row.createdAt < run.startedAt) await this.bury(row.id);
    }
  }

  /** Only now is the storage of the cluster another one: a spec that said so before would have been wrong until here. */
  private async moved(run: RunRecord, view: RunView): Promise<void> {
    const { clusters } = this.edges.store;
    const cluster = await clusters.find(run.clusterId);
    const [now, then] = cluster ? await Promise.all([clusters.spec(cluster.id, cluster.specVersion), clusters.spec(cluster.id, run.specVersion)]) : [];
    if (!cluster || !now || !then || run.intent.dryRun || view.result !== 'done') return;
    if (await newerMove(this.edges, run)) return; // done again when the server starts: what came later stands
    const { storage, artifacts } = then.spec;
    const changed = run.intent.kind === 'migrate-storage' ? { storage, artifacts } : { storage: { kind: 'local' as const, path: storage.path } };
    await clusters.keepSpec({ id: cluster.id, spec: { ...now, spec: { ...now.spec, ...changed } }, by: 'server' });
  }

  private async bury(nodeId: string): Promise<void> {
    await this.edges.store.nodes.tombstone(nodeId, await this.edges.store.epochs.next('node'));
    this.edges.sessions.revoke(nodeId, 'this node was removed from its cluster');
  }
}

async function newerMove({ store }: Pick<Edges, 'store'>, run: RunRecord): Promise<boolean> {
  return (await store.runs.list({ clusterId: run.clusterId, limit: 1 })).runs[0]?.id !== run.id;
}

/** The state of a cluster after a run. */
export function stateAfter(
  before: ClusterState,
  after: { run: Pick<RunRecord, 'intent'>; view: Pick<RunView, 'result'>; hasKubeconfig: boolean; missesNodes: boolean },
): ClusterState {
  const { intent } = after.run;
  const { result } = after.view;
  const unchanged: ClusterState = before === 'installing' ? (after.hasKubeconfig ? 'degraded' : 'failed') : before;
  if (intent.dryRun || result === 'refused' || result === 'planned') return before === 'installing' && !after.hasKubeconfig ? 'new' : unchanged;
  if (intent.kind === 'uninstall') return result === 'done' ? 'uninstalled' : 'degraded';
  if (intent.until !== undefined && intent.until !== 'activate') return result === 'done' && !after.hasKubeconfig ? 'new' : unchanged;
  if (intent.kind === 'remove-node' || ofStorage(intent.kind) || ofApps(intent.kind)) return unchanged;
  if (result === 'done') return intent.kind === 'add-node' && after.missesNodes ? 'degraded' : 'ready';
  if (result === 'degraded') return 'degraded';
  if (result === 'unwound') return after.hasKubeconfig ? 'degraded' : 'new';
  return after.hasKubeconfig ? 'degraded' : 'failed';
}
