import { randomUUID } from 'node:crypto';
import type { ClusterView, NodeAdded, NodeView, RunPage, RunStarted } from '@strata/model';
import { until } from '../lab/support/program';
import type { TestServer } from '../lab/support/server';
import { endServer, longMs, outcomes, soonMs, startServer, TestCluster } from './support/world';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => endServer(server));
const install = { kind: 'install' };
const nodesOf = (cluster: TestCluster): Promise<NodeView[]> => cluster.api.must<NodeView[]>('GET', `/v1/clusters/${cluster.name}/nodes`);
const runsOf = async (cluster: TestCluster): Promise<RunPage['runs']> => (await cluster.api.must<RunPage>('GET', `/v1/runs?cluster=${cluster.name}`)).runs;
const newNode = (name: string): object => ({ node: { name, join: 'token' } });

test('one node is away: the others become a cluster, the run is degraded, the lease is free, and the node is finished by itself', async () => {
  const cluster = await TestCluster.make(server, 3, { spec: { policy: { nodeWait: '3s' } } });
  try {
    const n3 = cluster.agent('n3');
    n3.interference.dies = (write, order) => (order.task === 'packages.install' && write === 'accepted' ? (n3.stop(), 'before') : null);
    const first = await cluster.finished(install);
    expect([first.run.result, first.run.because]).toEqual(['degraded', expect.stringContaining('n3 is absent')]);
    expect([...cluster.shared.members.members.keys()].sort()).toEqual(['n1', 'n2']);
    expect(await cluster.api.must('GET', `/v1/clusters/${cluster.name}`)).toMatchObject({ state: 'degraded', openRun: null });

    const added = await cluster.api.must<NodeAdded>('POST', `/v1/clusters/${cluster.name}/nodes`, { body: newNode('n4') });
    expect(added).toMatchObject({ node: 'n4', runId: null, waitsFor: null }); // its run starts when it comes
    await cluster.join('n4');
    await until('n4 to be a member', longMs, () => cluster.shared.members.members.has('n4'));
    expect(cluster.shared.members.members.has('n3')).toBe(false);

    n3.interference.dies = () => null;
    n3.start();
    await until('n3 to be a member', longMs, () => cluster.shared.members.members.has('n3'));
    const newest = await until('the run that finishes', longMs, async () => (await runsOf(cluster)).find((r) => r.state === 'ended' && r.result === 'done' && r.intent.kind === 'finish') ?? null); // prettier-ignore
    expect(newest.steps.failed).toBe(0);
    expect(await cluster.api.must('GET', `/v1/clusters/${cluster.name}`)).toMatchObject({ state: 'ready', openRun: null });
    expect([...cluster.shared.members.approved].sort()).toEqual(['n2', 'n3', 'n4'].map((n) => `system:node:${n}`));
    expect(cluster.shared.kube.made.ca).toBe(1);
  } finally {
    cluster.stop();
  }
}, 400_000);

describe('nodes that are added', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await TestCluster.make(server, 1);
    expect((await cluster.finished(install)).run).toMatchObject({ result: 'done' });
  });
  afterAll(() => cluster.stop());

  it('are one for the same Idempotency-Key, however often and however close together it comes', async () => {
    const ask = (key: string) => cluster.api.ask<NodeAdded>('POST', `/v1/clusters/${cluster.name}/nodes`, { body: newNode('same'), headers: { 'idempotency-key': key } });
    const key = randomUUID();
    const answers = await Promise.all([ask(key), ask(key), ask(key)]);
    expect(answers.map((a) => a.status)).toEqual([202, 202, 202]);
    for (const a of answers) expect(a.body).toEqual(answers[0]?.body);
    expect(await ask(key)).toMatchObject({ status: 202, body: answers[0]?.body });
    expect(await ask(randomUUID())).toMatchObject({ status: 409, body: { code: 'node-exists' } });
    expect((await nodesOf(cluster)).filter((n) => n.name === 'same')).toHaveLength(1);
    const other = await cluster.api.ask('POST', `/v1/clusters/${cluster.name}/nodes`, { body: newNode('else'), headers: { 'idempotency-key': key } });
    expect(other).toMatchObject({ status: 422, body: { code: 'idempotency-mismatch' } });
  }, 240_000); // prettier-ignore
  it('may come ten at once: each becomes a member, and those that were there get no step', async () => {
    const names = Array.from({ length: 10 }, (_, i) => `w${i + 1}`);
    await until('the cluster to be free', longMs, async () => (await runsOf(cluster)).every((r) => r.state === 'ended'));
    const before = cluster.agent('n1').machine.counts;
    const answers = await Promise.all(names.map((n) => cluster.api.ask<NodeAdded>('POST', `/v1/clusters/${cluster.name}/nodes`, { body: newNode(n) })));
    expect(answers.map((a) => a.status)).toEqual(names.map(() => 202));
    await Promise.all(names.map((n) => cluster.join(n)));
    await until('all ten to be members', 2 * longMs, () => names.every((n) => cluster.shared.members.members.has(n)));
    await until('the runs to end', longMs, async () => (await runsOf(cluster)).every((r) => r.state === 'ended'));
    expect(Object.keys(cluster.agent('n1').machine.counts).filter((k) => !(k in before) && !k.includes('hosts.block') && !k.includes('kubernetes.'))).toEqual(
      [],
    );
    for (const n of names) {
      const steps = Object.entries(cluster.agent(n).machine.counts).filter(([what]) => what.includes('packages.install '));
      expect(steps.map(([, times]) => times)).toEqual([1]);
    }
    expect(new Set(cluster.shared.members.approved).size).toBe(cluster.shared.members.approved.length);
    expect((await nodesOf(cluster)).filter((n) => n.state === 'enrolled')).toHaveLength(11);
  }, 480_000);
});

test('an install that is repeated changes nothing, and its ledger says so', async () => {
  const cluster = await TestCluster.make(server, 2);
  try {
    expect((await cluster.finished(install)).run.result).toBe('done');
    const again = await cluster.finished(install);
    expect([again.run.result, again.run.steps.changed, outcomes(again.events).filter((o) => o.endsWith(' changed'))]).toEqual(['done', 0, []]);
    await until('both to be there', soonMs, () => cluster.shared.members.members.size === 2);
  } finally {
    cluster.stop();
  }
}, 300_000);

test('a dry run looks on every machine that is there, changes nothing, and finds what somebody changed', async () => {
  const cluster = await TestCluster.make(server, 2);
  const look = async (): Promise<{ because: string; actions: string[]; wouldChange: string[] }> => {
    const { run, events } = await cluster.finished({ ...install, dryRun: true });
    expect(run.result).toBe('planned');
    const settled = events.filter((e) => e.kind === 'OrderSettled');
    const actions = [...new Set(settled.map((e) => `${String(e.body.action)} ${String(e.body.outcome)}`))];
    const wouldChange = settled.filter((e) => (e.body.result as { output?: unknown }).output === undefined).map((e) => e.step ?? '');
    return { because: run.because, actions, wouldChange };
  };
  try {
    const before = await look();
    expect(before.actions).toContain('check satisfied');
    expect(before.actions.filter((a) => !a.startsWith('check '))).toEqual([]);
    expect(before.wouldChange).toEqual(expect.arrayContaining(['n1/kernel.sysctl', 'n2/containerd.install']));
    expect(cluster.shared.members.members.size).toBe(0);

    expect((await cluster.finished(install)).run.result).toBe('done');
    expect(await look()).toMatchObject({ actions: ['check satisfied'], wouldChange: [] });

    await cluster.agent('n2').machine.host.files.remove('/etc/systemd/journald.conf.d/90-strata.conf');
    expect(await look()).toMatchObject({ wouldChange: ['n2/journald.configure'], because: expect.stringContaining('1 would change something') as string });
  } finally {
    cluster.stop();
  }
}, 300_000);

test('a plan of an edited spec keeps nothing of it: not the spec, not the machines that it names', async () => {
  const cluster = await TestCluster.make(server, 1);
  try {
    expect((await cluster.finished(install)).run.result).toBe('done');
    const draft = { spec: cluster.specOf(['n1', 'n9']) };
    const before = await cluster.api.must<ClusterView>('GET', `/v1/clusters/${cluster.name}`);
    const refused = await cluster.api.ask('POST', `/v1/clusters/${cluster.name}/runs`, { body: { intent: install, draft } });
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ path: 'draft' }] } });
    const { runId } = await cluster.api.must<RunStarted>('POST', `/v1/clusters/${cluster.name}/runs`, {
      body: { intent: { ...install, dryRun: true }, draft },
    });
    expect(await cluster.ended(runId)).toMatchObject({ result: 'planned' });
    const planned = (await cluster.api.eventsOf(runId)).find((e) => e.kind === 'RunPlanned')?.body.plan as { skipped: { what: string }[] };
    expect(planned.skipped.map((s) => s.what)).toContain('n9');
    const after = await cluster.api.must<ClusterView>('GET', `/v1/clusters/${cluster.name}`);
    expect([after.specVersion, after.spec]).toEqual([before.specVersion, before.spec]);
    await until('n9 to be forgotten', soonMs, async () => (await nodesOf(cluster)).every((n) => n.name !== 'n9'));
    expect((await cluster.finished(install)).run).toMatchObject({ result: 'done', steps: { changed: 0 } });
  } finally {
    cluster.stop();
  }
}, 300_000);

test('a node that a later spec does not name is told of, left as it is, and taken back with the cluster', async () => {
  const cluster = await TestCluster.make(server, 2);
  try {
    expect((await cluster.finished(install)).run.result).toBe('done');
    await cluster.api.must('POST', '/v1/clusters', { body: { spec: cluster.specOf(['n1']) } });
    const { run, events } = await cluster.finished(install);
    expect(run).toMatchObject({ result: 'done', steps: { changed: 0 } });
    const { warnings } = events.find((e) => e.kind === 'RunPlanned')?.body.plan as { warnings: string[] };
    expect(warnings).toEqual([expect.stringMatching(/n2 is not in the spec any more.*strata node remove n2/)]);
    expect(cluster.shared.members.members.has('n2')).toBe(true);
    const kubelet = '/etc/systemd/system/kubelet.service';
    expect(await cluster.agent('n2').machine.host.files.read(kubelet)).not.toBeNull();
    expect((await cluster.finished({ kind: 'uninstall' })).run.result).toBe('done');
    for (const name of ['n1', 'n2']) expect(await cluster.agent(name).machine.host.files.read(kubelet)).toBeNull();
  } finally {
    cluster.stop();
  }
}, 300_000);
