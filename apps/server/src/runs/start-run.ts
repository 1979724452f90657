import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { type ApplyClusterBody, ofApps, ofStorage, type RunIntent, type RunStarted, type StartRunBody } from '@strata/model';
import type { ClusterRecord, Work } from '@strata/store';
import { clusterBusy, conflict, noKubernetes, notFound, ProblemError } from '../api/problem';
import { mustNameNodes, planNode } from '../clusters/apply-cluster';
import { migratedSpec, migrationOf, mustFitMigration, mustKeepStorage } from '../clusters/migration-state';
import { halfSwitch, mustFitSwitch } from '../clusters/switch-state';
import { keepGiven } from '../orders/given-secrets';
import { ShowClusters } from '../clusters/show-clusters';
import { Edges } from '../serve/edges';
import { RunEnds } from './run-ends';

/** Begins a run: takes the cluster's lease and a new epoch, and writes down what was asked. What follows is the business of whoever listens to the ledger. */
@Injectable()
export class StartRun {
  constructor(
    private readonly edges: Edges,
    private readonly clusters: ShowClusters,
    private readonly ends: RunEnds,
  ) {}

  /** @throws ProblemError 404, or 409 `cluster-busy` naming the run that holds the lease. */
  async run(idOrName: string, asked: StartRunBody, by: string): Promise<RunStarted> {
    await this.ends.settled(); // the run before may be about to change the spec
    const cluster = await this.clusters.record(idOrName);
    if (asked.draft) mustBeOf(cluster, asked.draft);
    if (ofStorage(asked.intent.kind)) await this.mustHaveAgent(cluster);
    const { intent, draft, version } = await this.moving(cluster, asked);
    await this.mustMakeSense(cluster, intent);
    const runId = randomUUID();
    const { store, ledger } = this.edges;
    const events = await store.transaction(async (work) => {
      const epoch = await work.epochs.next('run');
      const lease = await work.clusters.takeLease({ clusterId: cluster.id, runId, epoch });
      if (!lease.taken) throw clusterBusy(cluster.name, lease.holder.runId, (await work.runs.find(lease.holder.runId))?.intent);
      const current = await work.clusters.find(cluster.id); // a newer spec may have come since
      const specVersion = draft
        ? await keepDraft(work, this.edges, { cluster, draft, by, kept: !intent.dryRun })
        : (version ?? current?.specVersion ?? cluster.specVersion);
      await work.runs.create({ id: runId, clusterId: cluster.id, intent, epoch, specVersion });
      await work.audit.record({ by, action: 'run.start', object: `cluster/${cluster.name}`, body: { runId, intent } });
      const written = await work.ledger.append(runId, 0, { events: [{ kind: 'RunRequested', body: { intent, specVersion, epoch, by } }] });
      return written === false ? [] : written;
    });
    ledger.notice(runId, events);
    return { runId, clusterId: cluster.id };
  }

  /** What a run that moves the storage is about: the cluster's own spec with other storage; its end and its way back know whose tree it was. */
  private async moving(cluster: ClusterRecord, { intent, draft }: StartRunBody): Promise<StartRunBody & { version?: number }> {
    const { store } = this.edges;
    const migration = await migrationOf(store, cluster.id);
    mustFitMigration(intent, migration);
    mustFitSwitch(intent, await halfSwitch(store, cluster));
    const now = await store.clusters.spec(cluster.id, cluster.specVersion);
    if (intent.kind === 'migrate-storage') {
      if (!draft) throw conflict('no-spec', 'a migration needs the spec that the cluster shall have', 'send it as `draft`');
      return { intent, draft: { ...draft, spec: migratedSpec(cluster, now, draft.spec) } };
    }
    if (draft) mustKeepStorage(cluster, now, draft.spec);
    if (!migration || (intent.kind !== 'commit-storage' && intent.kind !== 'rollback-storage')) return { intent, draft };
    return { intent: { ...intent, nodes: [migration.from] }, ...(now?.spec.storage.kind === 'juicefs' ? {} : { version: migration.specVersion }) };
  }

  /** Whoever has no agent cannot be asked: where none has, a run would only wait for nodes that nobody told to come. One that is merely away is another matter. */
  private async mustHaveAgent({ id, name }: ClusterRecord): Promise<void> {
    if ((await this.edges.store.nodes.brief(id)).some((row) => row.state === 'enrolled')) return;
    throw conflict('no-cluster', `cluster "${name}" is not installed: none of its nodes has an agent`, 'install it first, with the storage that it shall have: strata apply -f SPEC'); // prettier-ignore
  }

  private async mustMakeSense(cluster: ClusterRecord, intent: RunIntent): Promise<void> {
    if (ofApps(intent.kind) !== (intent.app !== undefined))
      throw new ProblemError(422, 'app-unnamed', {
        title: 'not an application',
        detail: `a run of kind ${intent.kind} ${intent.app ? 'is about no application' : 'names no application'}`,
        remedy: 'name the application in `intent.app` of a run whose kind ends with -app',
      });
    if (ofApps(intent.kind) && cluster.kubeconfig === null) throw noKubernetes(cluster.name);
    if (['remove-node', 'add-node', 'migrate-storage'].includes(intent.kind)) {
      if (intent.nodes.length === 0) throw conflict('no-nodes', `${intent.kind} names no node`, 'name the nodes in intent.nodes');
      const rows = await this.edges.store.nodes.list(cluster.id);
      const strangers = intent.nodes.filter((name) => !rows.some((r) => r.name === name));
      if (strangers.length > 0) throw notFound(`node ${strangers.join(', ')} in cluster "${cluster.name}"`, `strata node list --cluster ${cluster.name}`);
    }
  }
}

function mustBeOf(cluster: ClusterRecord, draft: ApplyClusterBody): void {
  mustNameNodes(draft);
  const { name } = draft.spec.metadata;
  if (name === cluster.name) return;
  throw new ProblemError(422, 'other-cluster', {
    title: 'a draft of another cluster',
    detail: `the draft is of cluster "${name}", the run of "${cluster.name}"`,
    remedy: 'set metadata.name of the spec to the name of the cluster',
  });
}

/** The spec of a dry run or of a migration (`kept`: what came with it for storage of somebody else's is needed), and the machines that it names; those that are new are forgotten when the run ends. */
async function keepDraft(
  work: Work,
  edges: Pick<Edges, 'keys'>,
  what: { cluster: ClusterRecord; draft: ApplyClusterBody; by: string; kept: boolean },
): Promise<number> {
  const { cluster, by } = what;
  const { spec, secrets } = what.draft;
  for (const node of spec.spec.nodes) {
    if ((await work.nodes.named(cluster.id, node.name))?.state !== 'enrolled')
      await planNode(work, edges, { clusterId: cluster.id, node, secrets: secrets[node.name] });
  }
  if (what.kept) await keepGiven(work, edges, { clusterId: cluster.id, body: what.draft });
  return work.clusters.keepDraft({ clusterId: cluster.id, spec, by });
}
