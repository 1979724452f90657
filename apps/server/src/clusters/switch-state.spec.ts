import { ClusterSpec, type RunIntent } from '@strata/model';
import type { RunView } from '@strata/run';
import type { ClusterRecord, RunRecord, Store } from '@strata/store';
import { halfSwitch, isTurned, keepSwitched, mustFitSwitch, mustKeepMetadata, withoutReplicaOn } from './switch-state';

const intent = (kind: RunIntent['kind']): RunIntent => ({ kind, nodes: [], dryRun: false, force: false });
const runOf = (kind: RunIntent['kind'], result: RunRecord['result'], changed = 1): RunRecord =>
  ({ id: kind, clusterId: 'c', intent: intent(kind), state: result === null ? 'running' : 'ended', result, specVersion: 1, steps: { total: 9, done: 9, changed, failed: 0 } }) as RunRecord; // prettier-ignore
const spec = (metadata: object): ClusterSpec =>
  ClusterSpec.parse({
    apiVersion: 'strata/v1', kind: 'Cluster', metadata: { name: 'home' },
    spec: { nodes: ['n1', 'n2', 'n3'].map((name, i) => ({ name, role: i === 0 ? 'control-plane' : 'worker', ssh: { host: `10.0.0.1${i}` } })), storage: { kind: 'juicefs', metadata } },
  }); // prettier-ignore
const [before, after] = [spec({ node: 'n2', replica: 'n3' }), spec({ node: 'n3', replica: 'n2' })];
const view = (outcome?: string): RunView =>
  ({ plan: { steps: [{ key: 'n3/metadata.lead', task: 'metadata.lead' }] }, steps: new Map(outcome === undefined ? [] : [['n3/metadata.lead', { outcome }]]) }) as unknown as RunView; // prettier-ignore

/** A store with the specs of a cluster, the first as version 1, and its runs, newest first. */
function store(specs: ClusterSpec[], runs: RunRecord[] = []): Pick<Store, 'runs' | 'clusters'> & { specs: ClusterSpec[] } {
  const clusters = {
    find: () => Promise.resolve({ id: 'c', specVersion: specs.length } as ClusterRecord),
    spec: (_: string, version: number) => Promise.resolve(specs[version - 1] ?? null),
    keepSpec: ({ spec: kept }: { spec: ClusterSpec }) => Promise.resolve(void specs.push(kept)),
  };
  return { specs, clusters, runs: { list: () => Promise.resolve({ runs }) } } as unknown as ReturnType<typeof store>;
}
const cluster = (s: { specs: ClusterSpec[] }): ClusterRecord => ({ id: 'c', name: 'home', specVersion: s.specs.length }) as ClusterRecord;

test('the spec says who is the primary from the turn on, once, and not before', async () => {
  const at = store([before]);
  for (const outcome of [undefined, 'failed']) await keepSwitched({ store: at }, runOf('drill-storage', 'failed'), view(outcome));
  expect(at.specs).toHaveLength(1);
  for (let n = 0; n < 2; n += 1) await keepSwitched({ store: at }, runOf('drill-storage', 'failed'), view('changed'));
  expect(at.specs.map((s) => s.spec.storage.metadata?.node)).toEqual(['n2', 'n3']);
  expect([isTurned(view('satisfied')), isTurned(view('refused'))]).toEqual([true, false]);
});
test('while the metadata are on their way nothing else changes the cluster', async () => {
  const of = (specs: ClusterSpec[], ...runs: RunRecord[]): Promise<RunRecord | null> => ((at) => halfSwitch(at, cluster(at)))(store(specs, runs));
  const half = await of([before], runOf('failover-storage', 'failed'));
  expect(half?.id).toBe('failover-storage');
  for (const kind of ['install', 'finish', 'restore-storage', 'drill-storage', 'remove-node'] as const) expect(() => mustFitSwitch(intent(kind), half)).toThrow(/on their way/);
  for (const kind of ['failover-storage', 'uninstall'] as const) mustFitSwitch(intent(kind), half);
  mustFitSwitch({ ...intent('install'), dryRun: true }, half);
  mustFitSwitch(intent('install'), null);
  expect(await of([before, after], runOf('failover-storage', 'failed'))).toBeNull(); // it came to the turn
  expect(await of([before], runOf('failover-storage', 'refused', 0))).toBeNull();
  expect(await of([before], runOf('drill-storage', 'done'))).toBeNull();
  expect(await of([before], runOf('uninstall', 'done'), runOf('drill-storage', 'failed'))).toBeNull();
}); // prettier-ignore
test('an apply makes no other machine the primary, and says what the file has to say', () => {
  const refusal = (): unknown => {
    try {
      return mustKeepMetadata(cluster({ specs: [] }), after, before);
    } catch (error) {
      return error;
    }
  };
  expect(refusal()).toMatchObject({ code: 'metadata-node', words: { remedy: expect.stringMatching(/node: n3, replica: n2[^]*storage drill/) as string } });
  expect(() => mustKeepMetadata(cluster({ specs: [] }), spec({ node: 'n2' }), spec({ node: 'n1' }))).toThrow(/an apply moves none$/);
  for (const wanted of [after, spec({ node: 'n3' }), spec({ node: 'n3', replica: 'n1' })]) mustKeepMetadata(cluster({ specs: [] }), after, wanted);
});
test('an apply asks no other metadata than those that are there, whoever runs them', () => {
  const theirs = (more: object = {}): ClusterSpec => spec({ kind: 'external', url: 'postgres://strata@db.example/strata', passwordFrom: 'env:P', ...more });
  const refused =
    (now: ClusterSpec, wanted: ClusterSpec): (() => void) =>
    () =>
      mustKeepMetadata(cluster({ specs: [] }), now, wanted);
  expect(refused(spec({}), theirs())).toThrow(/are on n1, and the spec asks for those with somebody else at postgres:[^]*: an apply moves none/);
  expect(refused(theirs(), spec({}))).toThrow(/are with somebody else at postgres:[^]*asks for those on n1/);
  expect(refused(theirs(), theirs({ url: 'rediss://strata@db.example/1' }))).toThrow(/asks for those with somebody else at rediss:/);
  for (const wanted of [theirs(), theirs({ passwordFrom: 'prompt' })]) refused(theirs(), wanted)();
});
test('a replica on a node that left is none', () => {
  expect(withoutReplicaOn(before.spec.storage, new Set(['n3'])).metadata).toEqual({ kind: 'redis', node: 'n2' });
  expect(withoutReplicaOn(before.spec.storage, new Set(['n1']))).toBe(before.spec.storage);
});
