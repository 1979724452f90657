import { type Informer, KubeConfig, makeInformer, type ObjectCache, type V1Pod } from '@kubernetes/client-node';
import type { PodView } from '@strata/model';
import { Connection, must } from './connection';
import { PodMeasures } from './pod-measures';
import { podView, workloadOf } from './pod-view';

/** A watch that goes silent is not noticed by anybody: all is listed anew at least so often. */
const relistMs = 4 * 60_000;
const backOffMs = [1_000, 2_000, 5_000, 15_000, 30_000];
const ownersEveryMs = 10_000;
const { compare } = new Intl.Collator(); // of thousands of names, many times as fast as localeCompare
/** Whose release is looked up: what else has pods (nodes, Jobs) Helm notes nothing at, or names in a label of the pods. */
const noted = ['Deployment', 'StatefulSet', 'DaemonSet'];

/** All pods of one cluster, kept by one watch. It begins with `start`, and lives through API servers that restart, silent watches and lost history (410). */
export class PodWatch {
  private readonly connection: Connection;
  private readonly config = new KubeConfig();
  private readonly measures: PodMeasures;
  private readonly listeners = new Set<() => void>();
  private current: Kept | null = null;
  private timer: NodeJS.Timeout | undefined;
  private failures = 0;
  private stopped = true;
  private heard = 0;
  private trouble: string | null = 'nothing was heard yet';
  private releases = new Map<string, string>(); // of workloads, as `kind namespace/name`; empty for those of none
  private releasesAt = 0;

  constructor(
    kubeconfig: string,
    private readonly now: () => number,
    private readonly everyMs = relistMs,
  ) {
    this.connection = new Connection(kubeconfig);
    this.config.loadFromString(kubeconfig);
    this.measures = new PodMeasures(this.connection, now);
  }

  /** Resolves when the first list is there, or could not be had. */
  async start(): Promise<void> {
    this.stopped = false;
    await this.begin();
  }
  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    void this.current?.stop();
  }

  /** Told whenever a look might see something else than before: often, and at once. Gives what ends it. */
  onNews(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** What is known now. `behind`: why it may not be the newest. */
  async look(): Promise<{ heardAt: number; behind: string | null; pods: PodView[] }> {
    const [usages] = await Promise.all([this.measures.look(), this.learnReleases(this.current?.list() ?? [])]);
    const views = (this.current?.list() ?? []).map((p) => {
      const { namespace, name } = p.metadata ?? {};
      const of = workloadOf(p);
      return podView(p, { release: of && (this.releases.get(keyOf(of, namespace)) || null), usage: usages.get(`${namespace}/${name}`) ?? null });
    });
    const order = (p: PodView): string => `${p.namespace}/${p.name}`;
    return { heardAt: this.heard, behind: this.trouble, pods: views.sort((a, b) => compare(order(a), order(b))) };
  }

  /** A list and a watch of their own: what was known before stays until the new list is there. */
  private async begin(): Promise<void> {
    clearTimeout(this.timer);
    if (this.stopped) return;
    this.timer = setTimeout(() => void this.begin(), this.everyMs).unref();
    const [before, next] = [this.current, this.make()];
    this.current ??= next;
    await next.start().catch((error: unknown) => this.failed(error));
    if (this.trouble !== null && before !== null) return void next.stop();
    this.current = next;
    this.tell();
    await before?.stop();
    if (this.stopped) await next.stop();
  }
  private make(): Kept {
    const made: Kept = makeInformer<V1Pod>(this.config, '/api/v1/pods', async () => {
      const list = await this.connection.core.listPodForAllNamespaces();
      this.heardNow();
      return list;
    });
    for (const change of ['add', 'update', 'delete'] as const) made.on(change, () => this.heardNow());
    made.on('error', (error) => this.failed(error));
    return made;
  }
  private heardNow(): void {
    [this.heard, this.trouble, this.failures] = [this.now(), null, 0];
    this.tell();
  }
  private tell(): void {
    for (const listener of this.listeners) listener();
  }
  private failed(error: unknown): void {
    if (this.stopped) return;
    this.trouble = error instanceof Error ? error.message : String(error);
    this.tell();
    const wait = backOffMs[Math.min(this.failures, backOffMs.length - 1)];
    this.failures += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.begin(), wait).unref();
  }

  /** Helm notes its release at the workload, not at its pods. Asked for when a workload is met that is not known, and while the API answers. */
  private async learnReleases(pods: readonly V1Pod[]): Promise<void> {
    const unknown = pods.some((p) => {
      const of = workloadOf(p);
      return of !== null && noted.includes(of.kind) && !this.releases.has(keyOf(of, p.metadata?.namespace));
    });
    if (!unknown || this.trouble !== null || this.now() < this.releasesAt + ownersEveryMs) return;
    this.releasesAt = this.now();
    const found = new Map<string, string>();
    const learn = async (kind: string): Promise<void> => {
      const list = await must(`list each ${kind}`, () => this.connection.objects.list('apps/v1', kind)).catch(() => null); // the pods are told all the same
      for (const o of list?.items ?? [])
        found.set(keyOf({ kind, name: o.metadata?.name ?? '' }, o.metadata?.namespace), o.metadata?.annotations?.['meta.helm.sh/release-name'] ?? '');
    };
    await Promise.all(noted.map(learn));
    if (found.size > 0) this.releases = found;
  }
}
type Kept = Informer<V1Pod> & ObjectCache<V1Pod>;
const keyOf = ({ kind, name }: { kind: string; name: string }, namespace = ''): string => `${kind} ${namespace}/${name}`;
