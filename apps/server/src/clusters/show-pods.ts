import { Inject, Injectable } from '@nestjs/common';
import { PodWatch } from '@strata/cluster';
import type { PodsView } from '@strata/model';
import { Edges } from '../serve/edges';
import { ClusterEdges } from './cluster-edges';
import { ShowClusters } from './show-clusters';

/** A watch that nobody asked for so long ends. */
const idleMs = 10 * 60_000;
interface Watched {
  kubeconfig: string;
  watch: PodWatch;
  ready: Promise<void>;
  idle: NodeJS.Timeout;
  over: AbortController;
}

/** The pods of a cluster: one watch for all who ask, begun by the first of them. */
@Injectable()
export class ShowPods {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly clusters!: ShowClusters;
  @Inject() private readonly reach!: ClusterEdges;
  private readonly watched = new Map<string, Watched>();

  /** @throws ProblemError 404, or 409 before there is a Kubernetes to ask */
  async run(idOrName: string): Promise<PodsView> {
    const cluster = await this.clusters.running(idOrName);
    const { watch, ready } = this.watch(cluster.id, await this.reach.kubeconfig(cluster.id));
    await ready;
    return { cluster: cluster.name, ...(await watch.look()) };
  } // prettier-ignore

  private watch(clusterId: string, kubeconfig: string): Watched {
    const known = this.watched.get(clusterId);
    if (known?.kubeconfig === kubeconfig) {
      known.idle.refresh();
      return known;
    }
    if (known) this.end(clusterId, known);
    const watch = new PodWatch(kubeconfig, () => this.edges.now());
    const over = new AbortController();
    const made: Watched = { kubeconfig, watch, over, ready: watch.start(), idle: setTimeout(() => this.end(clusterId, made), idleMs).unref() };
    this.watched.set(clusterId, made);
    this.edges.stopping.addEventListener('abort', () => this.end(clusterId, made), { signal: over.signal });
    return made;
  }
  private end(clusterId: string, of: Watched): void {
    of.over.abort();
    clearTimeout(of.idle);
    of.watch.stop();
    if (this.watched.get(clusterId) === of) this.watched.delete(clusterId);
  }
}
