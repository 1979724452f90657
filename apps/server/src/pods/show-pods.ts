import { Inject, Injectable } from '@nestjs/common';
import { PodWatch } from '@strata/cluster';
import type { PodsView } from '@strata/model';
import { TaskError } from '@strata/tasks';
import { ClusterEdges } from '../clusters/cluster-edges';
import { ShowClusters } from '../clusters/show-clusters';
import { Edges } from '../serve/edges';
import { PodFeed } from './pod-feed';

/** A watch that nobody asked for so long ends. */
const idleMs = 10 * 60_000;
interface Watched {
  kubeconfig: string;
  watch: PodWatch;
  feed: PodFeed;
  ready: Promise<void>;
  idle: NodeJS.Timeout;
  holders: number;
  over: AbortController;
}
/** The pods of a cluster for somebody who stays. */
export interface HeldPods {
  cluster: string;
  feed: PodFeed;
  /** Fires when this watch ends: the server stops, or the cluster is no more the one it was. */
  over: AbortSignal;
  /** Ends the watch of a cluster that was uninstalled or made anew meanwhile. */
  check(): Promise<void>;
  release(): void;
}

/** The pods of a cluster: one watch for all who ask, begun by the first of them. */
@Injectable()
export class ShowPods {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly clusters!: ShowClusters;
  @Inject() private readonly reach!: ClusterEdges;
  private readonly watched = new Map<string, Watched>();
  private made = 0;

  /** @throws ProblemError 404, or 409 before there is a Kubernetes to ask */
  async run(idOrName: string): Promise<PodsView> {
    const cluster = await this.clusters.running(idOrName);
    const { watch, ready } = this.watch(cluster.id, await this.reach.kubeconfig(cluster.id));
    await ready;
    return { cluster: cluster.name, ...(await watch.look()) };
  } // prettier-ignore

  /** The watch does not end before whoever holds it has released it. @throws ProblemError as `run` */
  async hold(idOrName: string): Promise<HeldPods> {
    const cluster = await this.clusters.running(idOrName);
    const held = this.watch(cluster.id, await this.reach.kubeconfig(cluster.id));
    held.holders += 1;
    await held.ready;
    return {
      ...{ cluster: cluster.name, feed: held.feed, over: held.over.signal },
      check: () => this.check(cluster.id, held),
      release: () => {
        held.holders -= 1;
        held.idle.refresh();
      },
    };
  }

  private watch(clusterId: string, kubeconfig: string): Watched {
    const known = this.watched.get(clusterId);
    if (known?.kubeconfig === kubeconfig) {
      known.idle.refresh();
      return known;
    }
    if (known) this.end(clusterId, known);
    const watch = new PodWatch(kubeconfig, () => this.edges.now());
    const failed = (error: unknown): void => {
      this.edges.log.error({ err: error, cluster: clusterId }, 'the watch of its pods failed inside, and begins anew with whoever asks next');
      this.end(clusterId, made);
    };
    const feed = new PodFeed(watch, `${this.edges.epoch}-${(this.made += 1)}`, { failed });
    const over = new AbortController();
    const idle = setTimeout(() => (made.holders === 0 ? this.end(clusterId, made) : made.idle.refresh()), idleMs).unref();
    const made: Watched = { kubeconfig, watch, feed, over, ready: watch.start(), idle, holders: 0 };
    this.watched.set(clusterId, made);
    this.edges.stopping.addEventListener('abort', () => this.end(clusterId, made), { signal: over.signal });
    return made;
  }
  private async check(clusterId: string, of: Watched): Promise<void> {
    try {
      if ((await this.reach.kubeconfig(clusterId)) !== of.kubeconfig) this.end(clusterId, of);
    } catch (error) {
      if (error instanceof TaskError) this.end(clusterId, of); // any other: our own database does not answer
    }
  }
  private end(clusterId: string, of: Watched): void {
    of.over.abort();
    clearTimeout(of.idle);
    of.watch.stop();
    if (this.watched.get(clusterId) === of) this.watched.delete(clusterId);
  }
}
