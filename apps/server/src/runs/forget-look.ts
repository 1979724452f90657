import { Injectable } from '@nestjs/common';
import type { RunRecord } from '@strata/store';
import { Edges } from '../serve/edges';

/** A look at machines before there is a cluster: prechecks only, of a spec that nobody keeps. */
export const isOnlyLook = ({ intent }: Pick<RunRecord, 'intent'>): boolean => intent.dryRun && intent.until === 'precheck';

/** A cluster that was made for a look, and the secrets that opened its machines, go when the look is over, whatever became of who asked. */
@Injectable()
export class ForgetLook {
  constructor(private readonly edges: Edges) {}

  /** Leaves a cluster alone that had another run, or a node with an agent: that one was there for more. Says whether it went. */
  async forget(run: RunRecord): Promise<boolean> {
    const { store } = this.edges;
    const { runs } = await store.runs.list({ clusterId: run.clusterId, limit: 2 });
    const nodes = await store.nodes.list(run.clusterId);
    const cluster = await store.clusters.find(run.clusterId);
    if (!cluster || cluster.state !== 'new' || runs.length > 1 || nodes.some((n) => n.state === 'enrolled')) return false;
    await store.transaction(async (work) => {
      for (const node of nodes) await work.nodes.tombstone(node.id, await work.epochs.next('node'));
      await work.clusters.remove(cluster.id);
      await work.audit.record({ by: 'server', action: 'cluster.delete', object: `cluster/${cluster.name}`, body: { because: 'it was made for a precheck' } });
    });
    return true;
  }
}
