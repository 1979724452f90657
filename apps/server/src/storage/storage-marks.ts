import { Inject, Injectable } from '@nestjs/common';
import { MountHealth, type MountState } from '@strata/model';
import { ClusterEdges } from '../clusters/cluster-edges';
import { Edges } from '../serve/edges';
import type { Session } from '../sessions/sessions';

const reasons: Record<Exclude<MountState, 'ok'>, string> = {
  waits: 'MetadataSilent', hangs: 'MountHangs', dead: 'MountDead', gone: 'NotMounted', foreign: 'SomethingAbove', stopped: 'UnitStopped',
}; // prettier-ignore
const againMs = 60_000; // somebody else may have changed the node meanwhile
const afterFailureMs = 10_000;

/** What agents say of their shared mounts, kept for the API, and told to Kubernetes: a node whose mount is of no use gets a condition and a taint. */
@Injectable()
export class MarkStorage {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly clusters!: ClusterEdges;
  private readonly mounts = new Map<string, { session: Session; health: MountHealth }>(); // by node id
  private readonly told = new Map<string, { state: MountState | null; next: number }>();
  private readonly busy = new Set<string>();

  /** With each heartbeat; returns at once. A node that has no shared mount any more is told of once. */
  heard(session: Session, said: unknown): void {
    const health = MountHealth.safeParse(said).data ?? null;
    const had = this.mounts.get(session.nodeId)?.health ?? null;
    if (health) this.mounts.set(session.nodeId, { session, health });
    else this.mounts.delete(session.nodeId);
    if (health?.state !== had?.state && (health?.state ?? 'ok') !== (had?.state ?? 'ok'))
      this.edges.log.warn({ node: session.name, state: health?.state, words: health?.words }, 'the shared mount of a node changed');
    if (health === null && !this.told.has(session.nodeId)) return;
    void this.tell(session, health);
  }
  /** What a node's agent says now; null without a session, or without a shared mount. */
  of(nodeId: string): MountHealth | null {
    const kept = this.mounts.get(nodeId);
    return kept !== undefined && this.edges.sessions.of(nodeId) === kept.session ? kept.health : null;
  }

  /** Pods on a node that use a path of it. @throws TaskError when the cluster does not say */
  async podsOn(clusterId: string, node: string, path: string): Promise<string[]> {
    return (await this.clusters.storageMarks(clusterId))?.podsOn(node, path) ?? [];
  }

  private async tell({ nodeId, clusterId, name }: Session, health: MountHealth | null): Promise<void> {
    const state = health?.state ?? null;
    const told = this.told.get(nodeId);
    const now = this.edges.now();
    if (this.busy.has(nodeId) || (told !== undefined && now < told.next && told.state === state)) return;
    this.busy.add(nodeId);
    try {
      const marks = await this.clusters.storageMarks(clusterId);
      if (marks === null) return; // not installed yet: asked again with the next heartbeat
      const bad = health === null || health.state === 'ok' ? null : { reason: reasons[health.state], message: health.words };
      if (await marks.mark(name, bad)) this.edges.log.info({ node: name, state }, bad ? 'Kubernetes was told that the storage of a node cannot be used' : 'the storage of a node can be used again: condition and taint were taken back');
      if (health === null) this.told.delete(nodeId);
      else this.told.set(nodeId, { state, next: now + againMs });
    } catch (error) {
      this.told.set(nodeId, { state, next: now + afterFailureMs });
      this.edges.log.warn({ err: error, node: name }, 'Kubernetes could not be told of the storage of a node; it is tried again');
    } finally {
      this.busy.delete(nodeId);
    }
  } // prettier-ignore
}
