import { Inject, Injectable } from '@nestjs/common';
import { bucketPlace, type ClusterSpec, NodeStorage, type SharedStorage, sharedStorage, type StorageAsk, type StorageStatus } from '@strata/model';
import type { ClusterRecord, NodeRecord } from '@strata/store';
import { storageProblems } from '@strata/tasks';
import { conflict } from '../api/problem';
import { ShowClusters } from '../clusters/show-clusters';
import { Edges } from '../serve/edges';
import { Asks } from '../sessions/asks';
import { ProvideVolumes } from './provide-volumes';
import { MarkStorage } from './storage-marks';

const silenceMs = 12_000;
type Node = StorageStatus['nodes'][number];
const unknown: Omit<Node, 'name' | 'missing'> = { mount: null, cache: null, used: null, metadata: null, objects: null, disks: [], pods: [] };

/** The storage of a cluster as its nodes see it now, asked of all at once. Changes nothing. */
@Injectable()
export class ShowStorage {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly clusters!: ShowClusters;
  @Inject() private readonly asks!: Asks;
  @Inject() private readonly marks!: MarkStorage;
  @Inject() private readonly provided!: ProvideVolumes;

  /** @throws ProblemError 404, or 409 before there is anything to look at */
  async run(idOrName: string): Promise<StorageStatus> {
    const cluster = await this.clusters.record(idOrName);
    const spec = await this.edges.store.clusters.spec(cluster.id, cluster.specVersion);
    const rows = (await this.edges.store.nodes.list(cluster.id)).filter((r) => r.state === 'enrolled');
    if (!spec || rows.length === 0) throw conflict('no-nodes', `cluster "${cluster.name}" has no node yet`, 'install it first (strata apply)');
    const shared = sharedStorage(spec.spec);
    const ask: StorageAsk = { path: spec.spec.storage.path, objectsUrl: shared && objectsUrl(spec, shared) };
    const { kind, path } = spec.spec.storage;
    const volumes = shared ? this.provided.show(cluster.id, path).catch(() => []) : []; // a cluster that does not answer hides nothing else
    const nodes = await Promise.all(rows.map((row) => this.node(row, { cluster, ask })));
    const status = {
      cluster: cluster.name,
      kind,
      path,
      metadataNode: shared?.metadata.node ?? null,
      metadataReplica: shared?.metadata.replica ?? null,
      metadataUrl: shared?.metadata.kind === 'external' ? shared.metadata.place.url : null,
      objectsNode: shared?.objects.node ?? null,
      nodes,
      volumes: await volumes,
    };
    return { ...status, problems: storageProblems(status) };
  }

  private async node(row: NodeRecord, { cluster, ask }: { cluster: ClusterRecord; ask: StorageAsk }): Promise<Node> {
    const session = await this.edges.sessions.soon(row, this.edges);
    if (!session) return { ...unknown, name: row.name, missing: 'its agent has no session' };
    try {
      const said = NodeStorage.parse(await this.asks.ask(session, { what: 'storage', input: ask }, silenceMs));
      return { ...said, name: row.name, missing: null, pods: await this.pods(cluster, row.name, said) };
    } catch (error) {
      return { ...unknown, mount: this.marks.of(row.id), name: row.name, missing: error instanceof Error ? error.message : String(error) };
    }
  }
  /** Those that cannot work now; a cluster that does not answer hides nothing else. */
  private async pods(cluster: ClusterRecord, node: string, { mount }: NodeStorage): Promise<string[]> {
    if (mount === null || mount.state === 'ok') return [];
    return this.marks.podsOn(cluster.id, node, mount.path).catch((error: Error) => [`(not known: ${error.message})`]);
  }
}
const objectsUrl = (spec: ClusterSpec, { objects }: SharedStorage): string => `${bucketPlace(spec.metadata.name, objects).endpoint}/`;
