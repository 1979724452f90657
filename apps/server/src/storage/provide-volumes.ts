import { Inject, Injectable } from '@nestjs/common';
import type { SharedVolumes } from '@strata/cluster';
import { type ClaimId, type SharedVolume, sharedStorage, type VolumeAsk, VolumeUse } from '@strata/model';
import { bytesOf, claimOf, type VolumeWork, volumeWork } from '@strata/tasks';
import { z } from 'zod';
import { ClusterEdges } from '../clusters/cluster-edges';
import { Edges } from '../serve/edges';
import { Asks } from '../sessions/asks';
import type { Session } from '../sessions/sessions';
import { MarkStorage } from './storage-marks';

const everyMs = 3_000;
const afterFailureMs = 10_000;
const sameWordsMs = 120_000;
const silenceMs = 15_000;
const atOnce = 8;

/**
 * Claims of the shared view become folders of it: each node's agent makes what this server asks for, and Kubernetes is told. All of it follows from what
 * Kubernetes holds, so a server that dies goes on where it was; while there is none, claims wait.
 */
@Injectable()
export class ProvideVolumes {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly clusters!: ClusterEdges;
  @Inject() private readonly asks!: Asks;
  @Inject() private readonly marks!: MarkStorage;
  private readonly busy = new Set<string>(); // clusters, and claims by uid
  private readonly failed = new Map<string, { words: string; next: number; toldAt: number }>(); // by uid
  private timer: NodeJS.Timeout | null = null;

  start(): void {
    this.timer = setInterval(() => void this.lookAtAll(), everyMs).unref();
  }
  stop(): void {
    if (this.timer) clearInterval(this.timer);
  }

  /** What the status shows of a cluster's volumes; what no node tells is null. @throws TaskError when Kubernetes does not answer */
  async show(clusterId: string, path: string): Promise<SharedVolume[]> {
    const all = (await (await this.clusters.sharedVolumes(clusterId))?.volumes()) ?? [];
    const ours = all.flatMap((v) => {
      const claim = claimOf(v, path);
      return claim === null ? [] : [{ v, claim }];
    });
    if (ours.length === 0) return [];
    const used = await this.used(clusterId, { path, claims: ours.map((o) => o.claim) });
    return ours.map(({ v, claim }) => ({
      ...{ namespace: claim.namespace, claim: claim.name, volume: v.metadata.name, phase: (v.status as { phase?: string } | undefined)?.phase ?? '' },
      ...{ size: bytesOf((v.spec as { capacity?: { storage?: unknown } }).capacity?.storage), used: used.get(claim.uid) ?? null },
    }));
  }
  private async used(clusterId: string, input: { path: string; claims: ClaimId[] }): Promise<Map<string, number>> {
    const [session] = this.able(clusterId);
    if (!session) return new Map();
    const said = await this.asks.ask(session, { what: 'volumes', input }, silenceMs).catch(() => []);
    return new Map((z.array(VolumeUse).safeParse(said).data ?? []).map((u) => [u.uid, u.used]));
  }

  /** Every cluster with a shared view, one look. Never throws. */
  async lookAtAll(): Promise<void> {
    const all = await this.edges.store.clusters.list().catch(() => []);
    await Promise.all(
      all.map(async (cluster) => {
        if (cluster.kubeconfig === null || cluster.state === 'uninstalled' || this.busy.has(cluster.id)) return;
        this.busy.add(cluster.id);
        try {
          const spec = await this.edges.store.clusters.spec(cluster.id, cluster.specVersion);
          if (spec && sharedStorage(spec.spec)) await this.look(cluster.id, spec.spec.storage.path);
        } catch (error) {
          this.edges.log.debug({ err: error, cluster: cluster.name }, 'the claims of a cluster could not be looked at');
        } finally {
          this.busy.delete(cluster.id);
        }
      }),
    );
  }
  private async look(clusterId: string, path: string): Promise<void> {
    const volumes = await this.clusters.sharedVolumes(clusterId);
    if (!volumes) return;
    const now = this.edges.now();
    const due = volumeWork(await volumes.seen(), path).filter(({ claim: { uid } }) => !this.busy.has(uid) && (this.failed.get(uid)?.next ?? 0) <= now);
    for (const work of due.slice(0, atOnce)) void this.carryOut(work, { clusterId, path, volumes }); // a folder that takes long to go holds no other
  }

  private async carryOut(work: VolumeWork, at: { clusterId: string; path: string; volumes: SharedVolumes }): Promise<void> {
    const { claim } = work;
    const what = `${claim.namespace}/${claim.name}`;
    this.busy.add(claim.uid);
    try {
      if (work.do === 'refuse') throw new Error(work.words);
      await this.folder(work, at);
      if (work.do === 'make') await at.volumes.make(work.volume);
      else if (work.do === 'grow') await at.volumes.grown(work.volume, claim, work.gib);
      else await at.volumes.drop(work.volume);
      this.failed.delete(claim.uid);
      this.edges.log.info({ claim: what, gib: work.gib }, { make: 'a claim has its volume', grow: 'a volume was enlarged', drop: 'a volume that nobody claims any more was deleted' }[work.do]);
    } catch (error) {
      await this.fail(claim, error instanceof Error ? error.message : String(error), at.volumes);
    } finally {
      this.busy.delete(claim.uid);
    }
  } // prettier-ignore
  /** One node makes it so; then each other node's mount must keep the quota, or what is written there meanwhile would never count. */
  private async folder(work: Exclude<VolumeWork, { do: 'refuse' }>, { clusterId, path }: { clusterId: string; path: string }): Promise<void> {
    const [maker, ...others] = this.able(clusterId);
    if (!maker) throw new Error('no node of the cluster has the shared file system mounted and its agent connected: it is tried again (strata storage status)');
    const ask = (session: Session, want: VolumeAsk['want']): Promise<unknown> =>
      this.asks.ask(session, { what: 'volume', input: { path, claim: work.claim, gib: work.gib, want } satisfies VolumeAsk }, silenceMs);
    await ask(maker, work.do === 'drop' ? 'gone' : 'there');
    if (work.do !== 'drop') await Promise.all(others.map((session) => ask(session, 'seen')));
  }
  /** Sessions of nodes whose mount is well. */
  private able(clusterId: string): Session[] {
    return this.edges.sessions.all().filter((s) => s.clusterId === clusterId && this.marks.of(s.nodeId)?.state === 'ok');
  }
  private async fail(claim: ClaimId, words: string, volumes: SharedVolumes): Promise<void> {
    const now = this.edges.now();
    const was = this.failed.get(claim.uid);
    const fresh = was?.words !== words || now - was.toldAt > sameWordsMs;
    this.failed.set(claim.uid, { words, next: now + afterFailureMs, toldAt: fresh ? now : was.toldAt });
    if (!fresh) return;
    this.edges.log.warn({ claim: `${claim.namespace}/${claim.name}`, words }, 'a claim of the shared file system cannot be met; it is tried again');
    await volumes.tell(claim, words).catch((error: Error) => this.edges.log.warn({ err: error }, 'Kubernetes could not be told why a claim waits'));
  }
}
