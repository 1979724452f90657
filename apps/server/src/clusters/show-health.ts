import { Inject, Injectable } from '@nestjs/common';
import { bundleUse, type ClusterFacts, type ClusterHealth, type HealthPart, type NodeView, type PodsView } from '@strata/model';
import { type BundleContent, componentWork, factsOf } from '@strata/planner';
import { runTask } from '@strata/tasks';
import type { ClusterRecord } from '@strata/store';
import pLimit from 'p-limit';
import { Bundles } from '../artifacts/bundles';
import { Controls } from '../bootstrap/controls';
import { ShowNodes } from '../nodes/show-nodes';
import { ShowPods } from '../pods/show-pods';
import { clock } from '../serve/clock';
import { Edges } from '../serve/edges';
import { within } from '../serve/within';
import { wordsOf } from '../serve/words-of';
import { ClusterEdges } from './cluster-edges';
import { kubernetesParts, layerOf, nativeParts, noApi, podParts } from './health-parts';
import { ShowClusters } from './show-clusters';

/** For all that is asked of a cluster's API. */
const deadlineMs = 20_000;
/** Each look at a chart is a process of Helm. */
const atOnce = 4;

/** The health of a cluster by its three layers: what a dry run of its bundles would find, beside its machines and Kubernetes. Changes nothing. */
@Injectable()
export class ShowHealth {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly clusters!: ShowClusters;
  @Inject() private readonly reach!: ClusterEdges;
  @Inject() private readonly controls!: Controls;
  @Inject() private readonly bundles!: Bundles;
  @Inject() private readonly nodes!: ShowNodes;
  @Inject() private readonly pods!: ShowPods;

  /** @throws ProblemError 404 */
  async run(idOrName: string): Promise<ClusterHealth> {
    const cluster = await this.clusters.record(idOrName);
    const nodes = await this.settledNodes(cluster.id);
    const pods = await this.podsOf(cluster);
    const run = (await this.edges.store.clusters.lease(cluster.id))?.runId ?? null;
    const enrolled = nodes.filter((n) => n.state === 'enrolled').map((n) => n.name);
    const [kubernetes, components] = await Promise.all([this.kubernetes(cluster, { enrolled, pods, run }), this.components(cluster)]);
    const layers = [
      layerOf('native', nativeParts(nodes, run)),
      layerOf('orchestration', kubernetes),
      layerOf('containerized', [...components, ...(pods === null ? [] : podParts(pods, 'containerized'))]),
    ];
    return { cluster: cluster.name, healthy: nodes.length > 0 && layers.every((l) => l.ok), layers };
  }

  /** An agent that was there just now is waited for, not called unwell. */
  private async settledNodes(clusterId: string): Promise<NodeView[]> {
    const nodes = await this.nodes.all(clusterId);
    const gone = nodes.filter((n) => n.state === 'enrolled' && !n.online);
    const back = await Promise.all(gone.map((n) => this.edges.sessions.soon(n, this.edges)));
    return back.some((session) => session !== null) ? this.nodes.all(clusterId) : nodes;
  }

  private async podsOf(cluster: ClusterRecord): Promise<PodsView | null> {
    return cluster.kubeconfig === null ? null : this.pods.run(cluster.id);
  }

  private async kubernetes(
    cluster: ClusterRecord,
    { enrolled, pods, run }: { enrolled: string[]; pods: PodsView | null; run: string | null },
  ): Promise<HealthPart[]> {
    if (cluster.kubeconfig === null) return [noApi(run)];
    try {
      const found = await within((await this.reach.of(cluster.id)).nodes(), deadlineMs);
      return [{ what: 'API', ok: true, words: 'answers' }, ...kubernetesParts(enrolled, found, run), ...(pods === null ? [] : podParts(pods, 'orchestration'))];
    } catch (error) {
      return [{ what: 'API', ok: false, words: `does not answer: ${wordsOf(error)}` }];
    }
  }

  /** Each component of the spec's bundles by its own check: as planned, its release proven, all its gates open. */
  private async components(cluster: ClusterRecord): Promise<HealthPart[]> {
    const spec = await this.edges.store.clusters.spec(cluster.id, cluster.specVersion);
    if (!spec) return [];
    const uses = spec.spec.bundles.map(bundleUse);
    const facts = factsOf(spec);
    const contents = await this.bundles.read(uses.map((u) => u.name));
    const limit = pLimit(atOnce);
    const signal = AbortSignal.timeout(deadlineMs);
    const parts = uses.flatMap((use) => {
      const content = contents[use.name];
      if (!content || content.broken !== undefined) return [Promise.resolve({ what: use.name, ok: false, words: content?.broken ?? 'the control server has no such bundle' })];
      return content.components.map((c) => limit(() => this.component(cluster, { use: { ...use, facts }, content, c, signal })));
    });
    return Promise.all(parts);
  } // prettier-ignore

  private async component(cluster: ClusterRecord, { use, content, c, signal }: Asked): Promise<HealthPart> {
    const what = `${use.name}/${c.component.name}`;
    const work = componentWork({ ...use, content }, c);
    const look = runTask(
      work.task,
      { action: 'check', input: work.input },
      {
        ports: { cluster: await this.reach.of(cluster.id), control: this.controls.of(cluster.id, ''), node: null },
        common: { clock, signal, progress: () => undefined, log: () => undefined, secret: () => { throw new Error('a component has no secrets'); } },
        journal: { storedBefore: () => undefined, before: () => Promise.reject(new Error('a look journals nothing')) },
      },
    ); // prettier-ignore
    const { outcome, result } = await within(look, deadlineMs).catch((error: unknown) => ({ outcome: 'failed' as const, result: { failure: { message: wordsOf(error) }, reason: undefined, output: undefined } }));
    const ok = outcome === 'satisfied' && result.output !== undefined;
    return { what, ok, words: ok ? 'all its gates are open' : (result.failure?.message ?? result.reason ?? outcome) };
  } // prettier-ignore
}
interface Asked {
  use: ReturnType<typeof bundleUse> & { facts: ClusterFacts };
  content: BundleContent;
  c: BundleContent['components'][number];
  signal: AbortSignal;
}
