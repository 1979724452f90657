import { Injectable } from '@nestjs/common';
import { connectCluster, deleteBootstrapToken, mintBootstrapToken } from '@strata/cluster';
import { type Cluster, TaskError } from '@strata/tasks';
import { Edges } from '../serve/edges';
import { kubeconfigContext } from './show-clusters';

/** The Kubernetes API of each cluster, by the kubeconfig that is kept for it. */
@Injectable()
export class ClusterEdges {
  private readonly known = new Map<string, { sealed: string; cluster: Cluster }>();

  constructor(private readonly edges: Edges) {}

  /** The cluster's API. Before a kubeconfig is kept, every call of it throws a TaskError that says so. */
  async of(clusterId: string): Promise<Cluster> {
    const sealed = (await this.edges.store.clusters.find(clusterId))?.kubeconfig ?? null;
    if (sealed === null) return noCluster;
    const known = this.known.get(clusterId);
    if (known?.sealed === sealed) return known.cluster;
    const cluster = connectCluster(this.open(clusterId, sealed));
    this.known.set(clusterId, { sealed, cluster });
    return cluster;
  }

  async hasKubeconfig(clusterId: string): Promise<boolean> {
    return ((await this.edges.store.clusters.find(clusterId))?.kubeconfig ?? null) !== null;
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

const noCluster = new Proxy({} as Cluster, {
  get: (_target, call) =>
    call === 'then' // an async function that returns this must not take it for a promise
      ? undefined
      : () =>
          Promise.reject(
            new TaskError('no-kubeconfig', `the cluster was asked for ${String(call)} before its kubeconfig is kept`, {
              remedy: 'wait until the control plane is up, then retry the step',
              retry: true,
            }),
          ),
});
