import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { ApplyClusterBody, ClusterView, NodeSpec, SshSecrets } from '@strata/model';
import type { Work } from '@strata/store';
import { ProblemError } from '../api/problem';
import { sealSshSecrets } from '../bootstrap/ssh-secrets';
import { keepGiven } from '../orders/given-secrets';
import { Edges } from '../serve/edges';
import { mustKeepStorage } from './migration-state';
import { ShowClusters } from './show-clusters';

/** Keeps a spec under its name: a new cluster or a new version; the same spec changes nothing. Nothing happens on a machine yet. */
@Injectable()
export class ApplyCluster {
  constructor(
    private readonly edges: Edges,
    private readonly show: ShowClusters,
  ) {}

  /** @throws ProblemError when secrets come for a node that the spec does not name. */
  async run(body: ApplyClusterBody, by: string): Promise<ClusterView> {
    const { spec, secrets } = body;
    mustNameNodes(body);
    mustHoldCertificates(spec);
    const there = await this.edges.store.clusters.find(spec.metadata.name);
    if (there) mustKeepStorage(there, await this.edges.store.clusters.spec(there.id, there.specVersion), spec);
    const id = await this.edges.store.transaction(async (store) => {
      const { cluster, created, changed } = await store.clusters.keepSpec({ id: randomUUID(), spec, by });
      await keepGiven(store, this.edges, { clusterId: cluster.id, body });
      for (const node of spec.spec.nodes) await planNode(store, this.edges, { clusterId: cluster.id, node, secrets: secrets[node.name] });
      if (created || changed)
        await store.audit.record({
          by,
          action: created ? 'cluster.create' : 'cluster.change',
          object: `cluster/${spec.metadata.name}`,
          body: { version: cluster.specVersion },
        });
      return cluster.id;
    });
    return this.show.one(id);
  }
}

/** @throws ProblemError when secrets come for a node that the spec does not name. */
export function mustNameNodes({ spec, secrets }: ApplyClusterBody): void {
  const strangers = Object.keys(secrets).filter((name) => !spec.spec.nodes.some((n) => n.name === name));
  if (strangers.length === 0) return;
  throw new ProblemError(422, 'unknown-node', {
    title: 'secrets for nobody',
    detail: `secrets came for ${strangers.join(', ')}, which the spec does not name`,
    remedy: 'send secrets only for nodes of the spec',
  });
}

/** @throws ProblemError for `file:` that nobody has read: this server's files are not the caller's. */
function mustHoldCertificates({ spec }: ApplyClusterBody['spec']): void {
  const { metadata, objects } = spec.storage;
  const ofStorage = { 'storage.metadata.caCertificates': metadata?.caCertificates ?? [], 'storage.objects.caCertificates': objects?.caCertificates ?? [] };
  const all = { 'network.caCertificates': spec.network.caCertificates, ...ofStorage };
  const [where, file] = Object.entries(all).flatMap(([at, texts]) => texts.filter((text) => text.startsWith('file:')).map((text) => [at, text]))[0] ?? [];
  if (file === undefined) return;
  throw new ProblemError(422, 'unread-file', {
    title: 'a file that was not read',
    detail: `${where} names ${file}: the command line reads such files where it runs, and the API takes their text only`,
    remedy: 'send the PEM text of the certificates',
  });
}

/** Gives a node of the spec its row, and keeps the secrets of first contact sealed until it is enrolled. */
export async function planNode(
  store: Pick<Work, 'nodes'>,
  edges: Pick<Edges, 'keys'>,
  at: { clusterId: string; node: NodeSpec; secrets: SshSecrets | undefined },
): Promise<void> {
  const { clusterId, node, secrets } = at;
  const row = await store.nodes.plan({ id: randomUUID(), clusterId, name: node.name, role: node.role, address: node.address ?? node.ssh?.host ?? null });
  if (secrets && row.state === 'planned') await store.nodes.keepSshSecrets(row.id, sealSshSecrets(edges.keys.master, row.id, secrets));
}
