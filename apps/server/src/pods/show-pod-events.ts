import { Inject, Injectable } from '@nestjs/common';
import { PodEvents } from '@strata/cluster';
import type { PodEventsView, PodRef } from '@strata/model';
import { ClusterEdges } from '../clusters/cluster-edges';
import { clusterProblem } from '../clusters/cluster-problem';
import { ShowClusters } from '../clusters/show-clusters';

/** What Kubernetes tells of one pod, asked when it is asked for. */
@Injectable()
export class ShowPodEvents {
  @Inject() private readonly clusters!: ShowClusters;
  @Inject() private readonly reach!: ClusterEdges;

  /** @throws ProblemError 404, 409 before there is a Kubernetes to ask, 503 while it does not answer */
  async run(idOrName: string, of: PodRef): Promise<PodEventsView> {
    const cluster = await this.clusters.running(idOrName);
    try {
      return { cluster: cluster.name, ...of, events: await new PodEvents(await this.reach.kubeconfig(cluster.id)).look(of) };
    } catch (error) {
      throw clusterProblem(error);
    }
  }
}
