import { Injectable } from '@nestjs/common';
import { type AddNodeBody, ClusterSpec, isSamePlace, type NodeAdded, sshHost } from '@strata/model';
import { conflict, ProblemError } from '../api/problem';
import { planNode } from '../clusters/apply-cluster';
import { ShowClusters } from '../clusters/show-clusters';
import { StartRun } from '../runs/start-run';
import { Edges } from '../serve/edges';
import { Turns } from '../serve/turns';

/** Adds a node to the spec and begins to install it; while another run holds the cluster's lease it waits its turn, and its run starts by itself (see FollowUp). */
@Injectable()
export class AddNode {
  private readonly turns = new Turns();

  constructor(
    private readonly edges: Edges,
    private readonly clusters: ShowClusters,
    private readonly startRun: StartRun,
  ) {}

  /** @throws ProblemError 404; 409 when the name or address is taken; 422 when the spec would not hold together. */
  async run(idOrName: string, body: AddNodeBody, by: string): Promise<NodeAdded> {
    const cluster = await this.clusters.record(idOrName);
    if (cluster.state === 'new' || cluster.state === 'uninstalled')
      throw conflict(
        'not-installed',
        `cluster "${cluster.name}" is not installed, so nothing can be added to it`,
        'put the node into the spec and run: strata apply -f cluster.yaml',
      );
    const { node, secrets } = body;
    await this.turns.take(cluster.id, () =>
      this.edges.store.transaction(async (work) => {
        const current = await work.clusters.find(cluster.id);
        const spec = current && (await work.clusters.spec(cluster.id, current.specVersion));
        if (!spec) throw new Error(`the spec of cluster ${cluster.name} is not in the database; restore it from a backup`);
        const there = spec.spec.nodes.find((n) => n.name === node.name);
        // one that SSH refused and that has no agent yet may be described anew; not while a run is at it
        const again =
          there?.ssh !== undefined &&
          node.ssh !== undefined &&
          (await work.nodes.named(cluster.id, node.name))?.state === 'planned' &&
          (await this.edges.store.clusters.lease(cluster.id)) === null;
        if (there && !again)
          throw conflict(
            'node-exists',
            `cluster "${cluster.name}" has a node "${node.name}" already`,
            'choose another name, or remove that node first: strata node remove',
          );
        mustBeNew(spec, node, cluster.name);
        await work.clusters.keepSpec({ id: cluster.id, spec: withNode(spec, node), by });
        await planNode(work, this.edges, { clusterId: cluster.id, node, secrets });
        await work.audit.record({ by, action: 'node.add', object: `cluster/${cluster.name}/node/${node.name}`, body: { node } });
      }),
    );
    const at = { clusterId: cluster.id, node: node.name };
    if (node.join) return { ...at, runId: null, waitsFor: null }; // it comes with its join command; its run starts when its agent says hello
    try {
      const { runId } = await this.startRun.run(cluster.id, { intent: { kind: 'add-node', nodes: [node.name], dryRun: false, force: false } }, by);
      return { ...at, runId, waitsFor: null };
    } catch (error) {
      if (!(error instanceof ProblemError) || error.code !== 'cluster-busy') throw error;
      const lease = await this.edges.store.clusters.lease(cluster.id);
      return { ...at, runId: null, waitsFor: lease?.runId ?? null };
    }
  }
}

/** A machine that is in the spec under another name is named, and how to go on with it. */
function mustBeNew(spec: ClusterSpec, node: AddNodeBody['node'], cluster: string): void {
  const same = spec.spec.nodes.find((n) => n.name !== node.name && isSamePlace(n, node));
  if (!same) return;
  throw conflict(
    'address-taken',
    `${sshHost(node)} is node "${same.name}" of cluster "${cluster}" already`,
    `if it is that machine, add it by that name (--name ${same.name}), or take it out first: strata node remove ${same.name}`,
  );
}

function withNode(spec: ClusterSpec, node: AddNodeBody['node']): ClusterSpec {
  const changed = ClusterSpec.safeParse({ ...spec, spec: { ...spec.spec, nodes: [...spec.spec.nodes.filter((n) => n.name !== node.name), node] } });
  if (changed.success) return changed.data;
  throw new ProblemError(422, 'bad-spec', {
    title: 'the spec would not hold together',
    detail: changed.error.issues.map((i) => i.message).join('; '),
    remedy: 'correct the node and send it again',
    errors: changed.error.issues.map((i) => ({ path: i.path.join('.'), message: i.message })),
  });
}
