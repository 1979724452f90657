import { until } from '../lab/support/program';
import type { TestServer } from '../lab/support/server';
import { endServer, outcomes, soonMs, startServer, TestCluster } from './support/world';

let server: TestServer;
let cluster: TestCluster;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => endServer(server));
beforeEach(async () => {
  cluster = await TestCluster.make(server, 2);
});
afterEach(() => cluster.stop());
const change = (runId: string, what: string) => cluster.api.ask<{ code: string; remedy: string }>('POST', `/v1/runs/${runId}/${what}`);
const retry = (runId: string, step: string) => change(runId, `steps/${encodeURIComponent(step)}/retry`);
const once = (counts: Record<string, number>, what: string): void => expect(counts[what]).toBe(1);
const packages = 'n1/packages.install: packages.install chrony conntrack ethtool gcc net-tools nftables socat';
/** Lets the next order of a step fail, for good. */
function failOnce(node: string, task: string): void {
  const { interference } = cluster.agent(node);
  let left = 1;
  interference.beforeTask = (order) => (order.task === task && order.action === 'run' && left-- > 0 ? Promise.reject(new Error('no room on the disk')) : Promise.resolve());
} // prettier-ignore

test('cancel: the agent is told, nothing new begins; resume goes on from there, and no effect happens twice', async () => {
  const gate = cluster.gate('n1', /packages\.install/);
  const runId = await cluster.start();
  await gate.reached;
  const both = await Promise.all([change(runId, 'cancel'), change(runId, 'cancel')]); // harmless to repeat, while the run has not ended yet
  expect(both.map((answer) => answer.status)).toEqual([202, 202]);
  const run = await cluster.ended(runId);
  expect(run.result).toBe('cancelled');
  expect(outcomes(await cluster.api.eventsOf(runId))).toContain('n1/packages.install cancelled');
  const done = Object.keys(cluster.agent('n1').machine.counts).length;
  expect(await change(runId, 'cancel')).toMatchObject({ status: 409, body: { code: 'run-ended' } });
  expect(cluster.agent('n1').machine.counts[packages]).toBeUndefined();

  gate.open();
  expect((await change(runId, 'resume')).status).toBe(202);
  expect((await cluster.ended(runId)).result).toBe('done');
  const { counts } = cluster.agent('n1').machine;
  expect(Object.keys(counts).length).toBeGreaterThan(done);
  once(counts, packages);
  expect(Object.entries(counts).filter(([what, n]) => n > 1 && /files\.|packages\.install|artifacts\.fetch|images\.import/.test(what))).toEqual([]);
  expect(await change(runId, 'resume')).toMatchObject({ status: 409, body: { code: 'run-complete' } });
});

test('a step that failed: its dependents wait and say for what, the others go on; retry lets it pass', async () => {
  failOnce('n1', 'packages.install');
  const gate = cluster.gate('n2', /packages\.install/);
  const runId = await cluster.start();
  await gate.reached;
  const wait = await until('the failure', soonMs, async () => (await cluster.run(runId)).waits.find((w) => w.for.includes('packages.install') && w.step.startsWith('n1/') && /retry/.test(w.endedBy)) ?? null); // until it has failed, its end is what is waited for
  expect(wait.for).toMatch(/failed/);
  expect(await retry(runId, 'n1/no.such')).toMatchObject({ status: 404 });
  expect(await retry(runId, 'n1/hosts.block')).toMatchObject({ status: 409, body: { code: 'step-not-failed' } });
  expect((await retry(runId, 'n1/packages.install')).status).toBe(202);
  await until('the step to pass', soonMs, () => cluster.agent('n1').machine.counts[packages] === 1);
  gate.open();
  expect((await cluster.ended(runId)).result).toBe('done');
  expect(outcomes(await cluster.api.eventsOf(runId)).filter((o) => o.startsWith('n1/packages.install'))).toEqual(['n1/packages.install failed', 'n1/packages.install changed']);
  expect(await retry(runId, 'n1/packages.install')).toMatchObject({ status: 409, body: { code: 'run-ended' } });
}); // prettier-ignore

test('hold: a run that can do no more ends in words, everything else is done, and resume finishes it', async () => {
  failOnce('n2', 'packages.install');
  const runId = await cluster.start();
  const run = await cluster.ended(runId);
  expect([run.result, run.because]).toEqual([expect.stringMatching(/failed|degraded/), expect.stringContaining('n2/packages.install')]);
  expect(run.because).toContain('no room on the disk');
  const settled = outcomes(await cluster.api.eventsOf(runId));
  expect(settled).toContain('n1/containerd.install changed');
  expect(settled).toContain('n2/containerd.install changed'); // on another line of the same node
  expect((await change(runId, 'resume')).status).toBe(202);
  expect((await cluster.ended(runId)).result).toBe('done');
  expect(Object.entries(cluster.agent('n2').machine.counts).filter(([what, n]) => n > 1 && what.includes('packages.install'))).toEqual([]);
});

test('unwind: what this run changed is taken back in reverse, also when the server dies on the way', async () => {
  const policy = { onFailure: 'unwind' as const };
  await cluster.api.must('POST', '/v1/clusters', { body: { spec: cluster.specOf(['n1', 'n2'], { policy }) } });
  const untouched = cluster.all.map((a) => a.machine.host.snapshot());
  failOnce('n2', 'localfs.layout');
  const gate = cluster.gate('n1', /packages\.install/);
  const runId = await cluster.start();
  await gate.reached;
  gate.open();
  await until('the unwinding', soonMs, async () => ((await cluster.run(runId)).state === 'checking' ? null : cluster.all.some((a) => a.disk.lines.some((l) => l.includes('"action":"undo"')))));
  await server.backAs('server', server.kill('server'));
  const run = await cluster.ended(runId);
  expect([run.result, run.because]).toEqual(['unwound', expect.stringContaining('localfs.layout')]);
  expect(cluster.all.map((a) => a.machine.host.snapshot())).toEqual(untouched);
  const undone = (await cluster.api.eventsOf(runId)).filter((e) => e.kind === 'OrderSettled' && e.body.action === 'undo' && e.body.late !== true);
  expect(new Set(undone.map((e) => e.step)).size).toBe(undone.length);
}); // prettier-ignore

test('a run of its own is refused while another holds the cluster, and told which', async () => {
  const gate = cluster.gate('n1', /precheck\.os/);
  const runId = await cluster.start();
  await gate.reached;
  const second = await cluster.api.ask<{ code: string; detail: string }>('POST', `/v1/clusters/${cluster.name}/runs`, {
    body: { intent: { kind: 'install' } },
  });
  expect(second).toMatchObject({ status: 409, body: { code: 'cluster-busy', detail: expect.stringContaining(runId) as string } });
  gate.open();
  await cluster.ended(runId);
});
