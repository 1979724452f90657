import { ClusterSpec, type RunIntent } from '@strata/model';
import type { ClusterRecord, RunRecord } from '@strata/store';
import { migratedSpec, migrationIn, mustFitMigration, mustKeepStorage } from './migration-state';

const intent = (kind: RunIntent['kind']): RunIntent => ({ kind, nodes: ['n1'], dryRun: false, force: false });
const runOf = (kind: RunIntent['kind'], result: RunRecord['result'], changed = 1): RunRecord =>
  ({
    id: `${kind}-${result ?? 'open'}`,
    intent: intent(kind),
    state: result === null ? 'running' : 'ended',
    result,
    specVersion: 7,
    steps: { total: 9, done: 9, changed, failed: 0 },
  }) as RunRecord;
const spec = (storage: object): ClusterSpec =>
  ClusterSpec.parse({
    apiVersion: 'strata/v1',
    kind: 'Cluster',
    metadata: { name: 'home' },
    spec: { nodes: [{ name: 'n1', role: 'control-plane', ssh: { host: '10.0.0.11' } }], storage },
  });
const [local, shared] = [spec({ kind: 'local' }), spec({ kind: 'juicefs' })];
const cluster = { name: 'home', kubeconfig: 'sealed', state: 'ready' } as ClusterRecord;

test.each([
  ['nothing', [], null],
  ['a migration at work', [runOf('migrate-storage', null)], { state: 'copying', stopped: false, from: 'n1', specVersion: 7 }],
  ['one that failed half-way', [runOf('install', 'done'), runOf('migrate-storage', 'failed')], { state: 'copying', stopped: true }],
  ['one that was refused', [runOf('migrate-storage', 'refused', 0)], null],
  ['one that is done', [runOf('verify-storage', 'done'), runOf('migrate-storage', 'done')], { state: 'to-commit', stopped: false }],
  ['a commit that failed', [runOf('commit-storage', 'failed'), runOf('migrate-storage', 'done')], { state: 'committing', stopped: true }],
  ['a commit that was refused', [runOf('commit-storage', 'failed', 0), runOf('migrate-storage', 'done')], { state: 'to-commit' }],
  ['a way back at work', [runOf('rollback-storage', null), runOf('migrate-storage', 'done')], { state: 'rolling-back' }],
  ['one that was committed', [runOf('commit-storage', 'done'), runOf('migrate-storage', 'done')], null],
  ['one that was taken back', [runOf('rollback-storage', 'done'), runOf('migrate-storage', 'done')], null],
  ['another cluster on the same machines', [runOf('uninstall', 'done'), runOf('migrate-storage', 'done')], null],
])('after %s', (_, runs, is) => {
  const found = migrationIn(runs);
  if (is === null) expect(found).toBeNull();
  else expect(found).toMatchObject(is);
});

test('an apply moves no data, in either direction, and says what does', () => {
  expect(() => mustKeepStorage(cluster, local, shared)).toThrow(/the spec asks for `juicefs`: an apply moves no data/);
  expect(() => mustKeepStorage(cluster, shared, local)).toThrow(/an apply moves no data/);
  mustKeepStorage(cluster, shared, shared);
  mustKeepStorage({ ...cluster, kubeconfig: null }, local, shared);
});
test('a migration changes nothing of a spec but where its data lies', () => {
  const wanted = { ...shared, spec: { ...shared.spec, bundles: ['demo'], artifacts: { ...shared.spec.artifacts, allowUnofficial: true } } };
  const made = migratedSpec(cluster, local, wanted);
  expect([made.spec.storage.kind, made.spec.bundles, made.spec.artifacts.allowUnofficial]).toEqual(['juicefs', [], true]);
  expect(() => migratedSpec(cluster, shared, shared)).toThrow(/`juicefs`/);
  expect(() => migratedSpec(cluster, local, spec({ kind: 'juicefs', path: '/other/path' }))).toThrow(/the tree is at/);
});
test('nothing comes between the two halves of a migration', () => {
  const [half, done] = [migrationIn([runOf('migrate-storage', 'failed')]), migrationIn([runOf('migrate-storage', 'done')])];
  for (const kind of ['install', 'add-node', 'remove-node', 'commit-storage'] as const) expect(() => mustFitMigration(intent(kind), half)).toThrow();
  for (const kind of ['migrate-storage', 'rollback-storage', 'uninstall', 'verify-storage'] as const) mustFitMigration(intent(kind), half);
  for (const kind of ['install', 'commit-storage', 'rollback-storage'] as const) mustFitMigration(intent(kind), done);
  expect(() => mustFitMigration(intent('migrate-storage'), done)).toThrow(/neither committed nor rolled back/);
  for (const kind of ['commit-storage', 'rollback-storage'] as const) expect(() => mustFitMigration(intent(kind), null)).toThrow();
});
