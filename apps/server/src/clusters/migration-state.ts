import type { ClusterSpec, RunIntent, StorageMigration } from '@strata/model';
import type { ClusterRecord, RunRecord, Store } from '@strata/store';
import { conflict } from '../api/problem';
import { mustKeepMetadata } from './switch-state';

const moves = new Set<RunIntent['kind']>(['migrate-storage', 'commit-storage', 'rollback-storage', 'uninstall']);
const didNothing = (r: RunRecord): boolean => r.intent.dryRun || (r.state === 'ended' && r.result !== 'done' && r.steps.changed === 0);

/** How far a cluster's storage is on its way from local to shared, by its runs, newest first; null when it is not on the way. */
export function migrationIn(runs: readonly RunRecord[]): (StorageMigration & { specVersion: number }) | null {
  const telling = runs.filter((r) => moves.has(r.intent.kind) && !didNothing(r));
  const newest = telling[0];
  const first = telling.find((r) => r.intent.kind === 'migrate-storage');
  if (!newest || !first || newest.intent.kind === 'uninstall') return null;
  const done = newest.state === 'ended' && newest.result === 'done';
  if (done && newest.intent.kind !== 'migrate-storage') return null;
  const begun = { 'migrate-storage': 'copying', 'commit-storage': 'committing', 'rollback-storage': 'rolling-back' } as const;
  const state = done ? 'to-commit' : begun[newest.intent.kind as keyof typeof begun];
  return { state, from: first.intent.nodes[0] ?? '', runId: newest.id, stopped: !done && newest.state === 'ended', specVersion: first.specVersion };
}
export async function migrationOf(store: Pick<Store, 'runs'>, clusterId: string): Promise<ReturnType<typeof migrationIn>> {
  return migrationIn((await store.runs.list({ clusterId, kinds: [...moves], limit: 200 })).runs);
}

/** @throws ProblemError where a spec would have another kind of storage than the cluster that is there: data moves only by a migration. */
export function mustKeepStorage(cluster: ClusterRecord, now: ClusterSpec | null, wanted: ClusterSpec): void {
  if (!now || cluster.kubeconfig === null || cluster.state === 'uninstalled') return;
  const [is, asked] = [now.spec.storage, wanted.spec.storage];
  if (is.kind === asked.kind) return mustKeepMetadata(cluster, now, wanted);
  const from = now.spec.nodes.find((n) => n.role === 'control-plane')?.name ?? 'NODE';
  throw conflict(
    'storage-kind',
    `the storage of ${cluster.name} is \`${is.kind}\`, and the spec asks for \`${asked.kind}\`: an apply moves no data`,
    asked.kind === 'juicefs'
      ? `run \`strata storage migrate --from ${from} -f FILE\` with this file, naming the node whose tree all shall share`
      : 'a migration that is not committed is taken back by `strata storage rollback`; else copy the data out, uninstall and install anew',
  );
}

/** The spec of a migration: the cluster's own but for where its data lies. @throws ProblemError where that is no migration */
export function migratedSpec(cluster: ClusterRecord, now: ClusterSpec | null, wanted: ClusterSpec): ClusterSpec {
  if (!now || cluster.kubeconfig === null) throw conflict('no-cluster', `${cluster.name} is not installed`, 'install it with the storage that it shall have');
  const { storage, artifacts } = wanted.spec;
  if (now.spec.storage.kind !== 'local' || storage.kind !== 'juicefs')
    throw conflict('no-migration', `the storage of ${cluster.name} is \`${now.spec.storage.kind}\`, and the spec asks for \`${storage.kind}\``, 'a migration goes from `local` to `juicefs`: set `storage.kind: juicefs`');
  if (now.spec.storage.path !== storage.path)
    throw conflict('other-path', `the tree is at ${now.spec.storage.path}, and the spec asks for ${storage.path}`, `set \`storage.path: ${now.spec.storage.path}\`: workloads know the tree by its path`);
  return { ...now, spec: { ...now.spec, storage, artifacts } };
} // prettier-ignore

/** @throws ProblemError where a run would come between the two halves of a migration, or one is asked for that has nothing to do. */
export function mustFitMigration(intent: RunIntent, migration: StorageMigration | null): void {
  const { kind } = intent;
  const goOn = migration ? `\`strata runs resume ${migration.runId}\` goes on with it, \`strata storage rollback\` takes it back` : '';
  const half = migration !== null && migration.state !== 'to-commit';
  if (kind === 'migrate-storage' && migration && migration.state !== 'copying')
    throw conflict('migration-open', `a migration from ${migration.from} is neither committed nor rolled back`, '`strata storage commit` or `strata storage rollback` first');
  if (kind === 'commit-storage' && (migration === null || ['copying', 'rolling-back'].includes(migration.state)))
    throw conflict('nothing-to-commit', migration ? `the migration from ${migration.from} is not done` : 'there is no migration to commit', goOn || 'see `strata storage migrate`');
  if (kind === 'rollback-storage' && (migration === null || migration.state === 'committing'))
    throw conflict('nothing-to-roll-back', migration ? 'the old tree is being deleted: the migration was committed' : 'there is no migration to roll back', 'the shared tree is the only one now');
  if (['install', 'add-node', 'remove-node'].includes(kind) && !intent.dryRun && half)
    throw conflict('migration-open', `the storage is on its way from ${migration.from} (${migration.state}): nothing else may change the cluster now`, goOn);
} // prettier-ignore
