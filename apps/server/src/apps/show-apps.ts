import { Inject, Injectable } from '@nestjs/common';
import type { SeenRelease } from '@strata/cluster';
import { type AppRef, type AppsView, type AppView, type AvailableApps, bundleUse, canonicalJson, isChart, releaseOf } from '@strata/model';
import type { AppKnown } from '@strata/planner';
import { type Cluster, TaskError, troubleOf } from '@strata/tasks';
import type { ClusterRecord } from '@strata/store';
import { Bundles } from '../artifacts/bundles';
import { ClusterEdges } from '../clusters/cluster-edges';
import { clusterProblem } from '../clusters/cluster-problem';
import { ShowClusters } from '../clusters/show-clusters';
import { Edges } from '../serve/edges';
import { appView } from './app-state';

/** So many broken workloads are asked why; each is several questions to the API. */
const mostCauses = 10;

/** The applications of a cluster, as the cluster itself tells: what is in no database of ours cannot be wrong there. */
@Injectable()
export class ShowApps {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly clusters!: ShowClusters;
  @Inject() private readonly reach!: ClusterEdges;
  @Inject() private readonly bundles!: Bundles;

  /** @throws ProblemError 404, 409 before there is a Kubernetes to ask, 503 while it does not answer */
  async run(idOrName: string): Promise<AppsView> {
    const cluster = await this.clusters.running(idOrName);
    const seen = await answered(async () => (await this.reach.releaseBook(cluster.id)).look());
    const spec = await this.ofSpec(cluster);
    const api = await this.reach.of(cluster.id);
    let causes = mostCauses;
    const apps: AppView[] = [];
    for (const release of seen) {
      const view = appView(release, spec.has(keyOf(release)));
      const cause = view.state === 'degraded' && causes-- > 0 ? await causeOf(api, release) : null;
      apps.push(cause === null ? view : { ...view, why: `${view.why ?? ''}; ${cause}` });
    }
    return { cluster: cluster.name, apps };
  } // prettier-ignore

  /** What could be installed from the server's bundles. */
  async available(): Promise<AvailableApps> {
    const all = Object.entries(await this.bundles.all());
    return {
      apps: all.flatMap(([bundle, { version, components }]) =>
        components.flatMap(({ component: m }) => (m.kind === 'application' ? [{ bundle, component: m.name, version, release: releaseOf(m), namespace: m.namespace, needs: m.needs }] : [])),
      ),
      broken: all.flatMap(([bundle, { broken }]) => (broken === undefined ? [] : [{ bundle, why: broken }])),
    };
  } // prettier-ignore

  /** What a plan has to know of one application; null where there is none. @throws TaskError when the cluster does not answer */
  async known(clusterId: string, of: AppRef): Promise<AppKnown | null> {
    const [seen] = await (await this.reach.releaseBook(clusterId)).look(of);
    if (!seen) return null;
    const view = appView(seen, false);
    const { note, revisions } = seen;
    const made = note.made.get(view.revision) ?? note.made.get(note.good) ?? null;
    return {
      revision: view.revision, revisions: revisions.map((r) => r.revision), proven: view.proven, good: note.good,
      made, alike: made === null ? [] : view.proven.filter((n) => canonicalJson(note.made.get(n) ?? null) === canonicalJson(made)), stopped: view.state === 'stopped',
    }; // prettier-ignore
  }

  /** Images of the applications that are in a cluster; none where it has none, or does not answer: a plan must not fail for that. */
  async images(clusterId: string): Promise<{ name: string; version: string }[]> {
    try {
      const made = (await (await this.reach.releaseBook(clusterId)).notes()).flatMap((note) => note.made.get(note.good)?.bundle ?? []);
      return Object.values(await this.bundles.read([...new Set(made)])).flatMap((b) => b.images);
    } catch (error) {
      if (error instanceof TaskError) return [];
      throw error;
    }
  }

  /** Releases that the cluster's spec makes, as NAMESPACE/NAME. */
  private async ofSpec(cluster: ClusterRecord): Promise<Set<string>> {
    const spec = await this.edges.store.clusters.spec(cluster.id, cluster.specVersion);
    const names = (spec?.spec.bundles ?? []).map((b) => bundleUse(b).name);
    const contents = Object.values(await this.bundles.read(names));
    const charts = contents.flatMap((c) => c.components.map((m) => m.component).filter(isChart));
    return new Set(charts.map((m) => keyOf({ namespace: m.namespace, name: releaseOf(m) })));
  }
}
const keyOf = ({ namespace, name }: AppRef): string => `${namespace}/${name}`;

/** Pod, container and cause of the first workload that does not work; null where nothing of it can be told. */
async function causeOf(cluster: Cluster, { namespace, workloads }: SeenRelease): Promise<string | null> {
  const broken = workloads.find((w) => w.missing !== null);
  return broken ? troubleOf(cluster, { apiVersion: broken.apiVersion, kind: broken.kind, name: broken.name, namespace }).catch(() => null) : null; // the state is told all the same
}
async function answered<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw clusterProblem(error);
  }
}
