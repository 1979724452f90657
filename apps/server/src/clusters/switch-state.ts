import { type ClusterSpec, type PlanKind, type RunIntent, type SharedStorage, sharedStorage, type StorageSpec, withSwitchedMetadata } from '@strata/model';
import type { RunView } from '@strata/run';
import type { ClusterRecord, RunRecord, Store } from '@strata/store';
import { conflict } from '../api/problem';

const kinds: readonly PlanKind[] = ['drill-storage', 'failover-storage'];
/** Runs after which the replica of the metadata is their primary. */
export const switches = (kind: PlanKind): boolean => kinds.includes(kind);
/** The step with which the other machine is the primary, whatever becomes of the rest. */
const turn = ['metadata.lead', 'storage.load'];

/** Whether the primary is another one since this run. */
export const isTurned = (view: Pick<RunView, 'plan' | 'steps'>): boolean =>
  (view.plan?.steps ?? []).some((s) => turn.includes(s.task) && ['satisfied', 'changed'].includes(view.steps.get(s.key)?.outcome ?? ''));

/** The cluster's own spec says who is the primary: from here on every plan goes by it. Done once: what came later stands. */
export async function keepSwitched({ store }: { store: Pick<Store, 'clusters'> }, run: RunRecord, view: RunView): Promise<void> {
  const { clusters } = store;
  const cluster = await clusters.find(run.clusterId);
  const [now, then] = cluster ? await Promise.all([clusters.spec(cluster.id, cluster.specVersion), clusters.spec(cluster.id, run.specVersion)]) : [];
  if (!cluster || !now || !then || run.intent.dryRun || !isTurned(view)) return;
  const [is, was] = [sharedStorage(now.spec)?.metadata, sharedStorage(then.spec)?.metadata];
  if (is?.node !== was?.node || is?.replica !== was?.replica || was?.replica == null) return;
  await clusters.keepSpec({ id: cluster.id, spec: { ...now, spec: { ...now.spec, storage: withSwitchedMetadata(now.spec) } }, by: 'server' });
}

/** The storage of a spec whose nodes are fewer: a replica on one that left is none. */
export function withoutReplicaOn(storage: StorageSpec, gone: ReadonlySet<string>): StorageSpec {
  if (storage.metadata?.replica === undefined || !gone.has(storage.metadata.replica)) return storage;
  const { replica: _, ...metadata } = storage.metadata;
  return { ...storage, metadata };
}

/** A drill or a failover that changed something and did not come to the turn, by the cluster's runs, newest first. */
export async function halfSwitch(store: Pick<Store, 'runs' | 'clusters'>, cluster: ClusterRecord): Promise<RunRecord | null> {
  const { runs } = await store.runs.list({ clusterId: cluster.id, kinds: [...kinds, 'uninstall'], limit: 50 });
  const newest = runs.find((r) => !r.intent.dryRun && (r.state !== 'ended' || r.steps.changed > 0));
  if (!newest || newest.intent.kind === 'uninstall' || newest.state !== 'ended' || newest.result === 'done') return null;
  const [now, then] = await Promise.all([store.clusters.spec(cluster.id, cluster.specVersion), store.clusters.spec(cluster.id, newest.specVersion)]);
  return now && then && sharedStorage(now.spec)?.metadata.node === sharedStorage(then.spec)?.metadata.node ? newest : null;
}
/** @throws ProblemError for a run that would let a primary in which is none any more, or come between two halves */
export function mustFitSwitch(intent: RunIntent, half: RunRecord | null): void {
  if (half === null || intent.dryRun || ['failover-storage', 'verify-storage', 'uninstall'].includes(intent.kind)) return;
  throw conflict('switch-open', `the metadata are on their way to another machine (run ${half.id}): nothing else may change the cluster now`, `\`strata runs resume ${half.id}\` goes on with it; if that cannot be: \`strata storage failover\``);
} // prettier-ignore

type Metadata = SharedStorage['metadata'];
const placeOf = (m: Metadata): string => (m.kind === 'external' ? `with somebody else at ${m.place.url}` : `on ${m.node}`);
function mustKeepPlace(cluster: ClusterRecord, is: Metadata, asked: Metadata): void {
  if (placeOf(is) === placeOf(asked)) return;
  const keep = is.kind === 'external' ? `{ kind: external, url: ${is.place.url}, … }` : `{ node: ${is.node} }`;
  throw conflict(
    'metadata-place',
    `the metadata of ${cluster.name} are ${placeOf(is)}, and the spec asks for those ${placeOf(asked)}: an apply moves none`,
    `set \`storage.metadata: ${keep}\` in the file${is.kind === 'external' ? '; where the database itself moves, let its name lead to the new place' : ''}`,
  );
}

/** @throws ProblemError where an apply would make another machine the primary, or ask another database: the data do not go there with it */
export function mustKeepMetadata(cluster: ClusterRecord, now: ClusterSpec, wanted: ClusterSpec): void {
  const [is, asked] = [sharedStorage(now.spec)?.metadata, sharedStorage(wanted.spec)?.metadata];
  if (!is || !asked) return;
  if (is.kind === 'external' || asked.kind === 'external') return mustKeepPlace(cluster, is, asked);
  if (is.node === asked.node) return;
  const replica = is.replica === null ? '' : `, replica: ${is.replica}`;
  const switched = is.replica === asked.node ? '. A drill or a failover made that so since the file was written' : '';
  throw conflict(
    'metadata-node',
    `the metadata of ${cluster.name} are on ${is.node}, and the spec asks for ${asked.node}: an apply moves none${switched}`,
    `set \`storage.metadata: { node: ${is.node}${replica} }\` in the file${is.replica === asked.node ? '; `strata storage drill` changes the two' : ''}`,
  );
}
