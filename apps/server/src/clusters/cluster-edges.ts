import { Injectable } from '@nestjs/common';
import { connectCluster, deleteBootstrapToken, mintBootstrapToken, ReleaseBook, SharedVolumes, StorageMarks } from '@strata/cluster';
import { type Cluster, TaskError } from '@strata/tasks';
import { Edges } from '../serve/edges';
import { kubeconfigContext } from './show-clusters';

/** What asks one cluster, each over a connection that it keeps. */
interface Known {
  cluster: Cluster;
  marks: StorageMarks;
  volumes: SharedVolumes;
  releases: ReleaseBook;
}

/** The Kubernetes API of each cluster, by the kubeconfig that is kept for it. */
@Injectable()
export class ClusterEdges {
  private readonly known = new Map<string, Known & { sealed: string }>();

  constructor(private readonly edges: Edges) {}

  /** The cluster's API. Before a kubeconfig is kept, every call of it throws a TaskError that says so. */
  async of(clusterId: string): Promise<Cluster> {
    return (await this.edgesOf(clusterId))?.cluster ?? noCluster;
  }
  /** The kubeconfig that is kept. @throws TaskError before there is one */
  async kubeconfig(clusterId: string): Promise<string> {
    const sealed = (await this.edges.store.clusters.find(clusterId))?.kubeconfig ?? null;
    if (sealed === null) throw notYet('Helm');
    return this.open(clusterId, sealed);
  }
  /** What Kubernetes is told of shared mounts; null before a kubeconfig is kept. */
  async storageMarks(clusterId: string): Promise<StorageMarks | null> {
    return (await this.edgesOf(clusterId))?.marks ?? null;
  }
  /** Claims and volumes of the shared view; null before a kubeconfig is kept. */
  async sharedVolumes(clusterId: string): Promise<SharedVolumes | null> {
    return (await this.edgesOf(clusterId))?.volumes ?? null;
  }
  /** What is released in it; the records that were read once stay read. @throws TaskError before a kubeconfig is kept */
  async releaseBook(clusterId: string): Promise<ReleaseBook> {
    const known = await this.edgesOf(clusterId);
    if (known === null) throw notYet('Helm');
    return known.releases;
  }
  private async edgesOf(clusterId: string): Promise<Known | null> {
    const sealed = (await this.edges.store.clusters.find(clusterId))?.kubeconfig ?? null;
    if (sealed === null) return null;
    const known = this.known.get(clusterId);
    if (known?.sealed === sealed) return known;
    const kubeconfig = this.open(clusterId, sealed);
    const made = {
      sealed,
      cluster: connectCluster(kubeconfig),
      marks: new StorageMarks(kubeconfig),
      volumes: new SharedVolumes(kubeconfig),
      releases: new ReleaseBook(kubeconfig),
    };
    this.known.set(clusterId, made);
    return made;
  }

  async hasKubeconfig(clusterId: string, exactly?: string): Promise<boolean> {
    const sealed = (await this.edges.store.clusters.find(clusterId))?.kubeconfig ?? null;
    if (sealed === null || exactly === undefined) return sealed !== null;
    return this.edges.keys.master.open(sealed, kubeconfigContext(clusterId)).toString('utf8') === exactly;
  }

  /** Keeps the admin kubeconfig, sealed; null forgets it. */
  async keep(clusterId: string, kubeconfig: string | null): Promise<void> {
    this.known.delete(clusterId);
    await this.edges.store.clusters.keepKubeconfig(
      clusterId,
      kubeconfig === null ? null : this.edges.keys.master.seal(kubeconfig, kubeconfigContext(clusterId)),
    );
  }

  /** A bootstrap token that only `node` is meant to use. */
  async mintBootstrapToken(clusterId: string, node: string): Promise<{ id: string; value: string }> {
    return mintBootstrapToken(await this.of(clusterId), node);
  }

  /** Deletes the token that was minted for one attempt of an order, in the cluster and here; nothing if there was none. */
  async dropMinted(orderId: string, attempt: number): Promise<void> {
    const minted = await this.edges.store.mintedTokens.find(orderId, attempt);
    if (!minted) return;
    await deleteBootstrapToken(await this.of(minted.clusterId), minted.tokenId);
    await this.edges.store.mintedTokens.remove(orderId, attempt);
  }

  private open(clusterId: string, sealed: string): string {
    return this.edges.keys.master.open(sealed, kubeconfigContext(clusterId)).toString('utf8');
  }
}

const notYet = (what: string): TaskError =>
  new TaskError('no-kubeconfig', `the cluster was asked for ${what} before its kubeconfig is kept`, {
    remedy: 'wait until the control plane is up, then retry the step',
    retry: true,
    unknownUntil: 'step cluster/kubeconfig.keep',
  });
const noCluster = new Proxy({} as Cluster, {
  get: (_target, call) =>
    call === 'then' // an async function that returns this must not take it for a promise
      ? undefined
      : () => Promise.reject(notYet(String(call))),
});
