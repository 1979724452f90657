import { CallRefused } from '@strata/wire';
import { until } from '../lab/support/program';
import type { TestServer } from '../lab/support/server';
import { enrollWith } from './support/simulated-agent';
import { Sql } from './support/sql';
import { endServer, logOf, soonMs, startServer, TestCluster } from './support/world';

let server: TestServer;
let sql: Sql;
beforeAll(async () => {
  server = await startServer();
  sql = await Sql.open(server.home);
});
afterAll(async () => {
  await sql?.close();
  await endServer(server);
});
const enrolledOf = (cluster: TestCluster): Promise<{ name: string; state: string }[]> =>
  cluster.api.must<{ name: string; state: string }[]>('GET', `/v1/clusters/${cluster.name}/nodes`);

describe('a join token', () => {
  let cluster: TestCluster;
  beforeEach(async () => {
    cluster = await TestCluster.make(server, 2, { without: ['n1', 'n2'] });
  });
  afterEach(() => cluster.stop());
  let machines = 0;
  const come = (token: string) => enrollWith({ enrollPort: server.ports.enroll }, token, { machineId: `stranger-${(machines += 1)}`, name: 'stranger' });

  it('is good once, also when fifty come with it at the same moment', async () => {
    const token = await cluster.tokenFor('n2');
    const came = await Promise.allSettled(Array.from({ length: 50 }, () => come(token)));
    expect(came.filter((c) => c.status === 'fulfilled')).toHaveLength(1);
    for (const c of came) if (c.status === 'rejected') expect(c.reason).toMatchObject({ name: 'CallRefused', reason: 'unauthenticated', message: expect.stringContaining('used') as string }); // prettier-ignore
    await expect(come(token)).rejects.toThrow(/the join token is used; .*strata node join-command/);
    expect((await enrolledOf(cluster)).filter((n) => n.state === 'enrolled').map((n) => n.name)).toEqual(['n2']);
  }, 240_000);
  it('is refused when it has expired, was replaced by a newer one, or nobody made it', async () => {
    const replaced = await cluster.tokenFor('n2');
    const token = await cluster.tokenFor('n2');
    await expect(come(replaced)).rejects.toThrow(CallRefused);
    await sql.rows(`UPDATE enroll_token SET expires_at = now() - interval '1 second'`);
    await expect(come(token)).rejects.toThrow(/the join token is expired/);
    await expect(come(token.replace(/.{32}$/, 'A'.repeat(32)))).rejects.toThrow(/the join token is unknown/);
    expect((await enrolledOf(cluster)).filter((n) => n.state === 'enrolled')).toEqual([]);
  });
  it('makes nobody but the node it was made for, and not one that was removed meanwhile', async () => {
    const token = await cluster.tokenFor('n2');
    expect((await come(token)).identity).toMatchObject({ nodeName: 'n2' });
    const other = await cluster.tokenFor('n1');
    await sql.rows(`UPDATE node SET state = 'removed' WHERE name = 'n1' AND cluster_id = (SELECT id FROM cluster WHERE name = $1)`, [cluster.name]);
    await expect(come(other)).rejects.toThrow(/not there any more/);
  });
});

describe('an agent that oversteps', () => {
  let cluster: TestCluster;
  beforeEach(async () => {
    cluster = await TestCluster.make(server, 2);
  });
  afterEach(() => cluster.stop());

  it('cannot report for an order of another node, nor of no run at all', async () => {
    const gate = cluster.gate('n1', /packages\.install/);
    const runId = await cluster.start();
    const order = await gate.reached;
    const n2 = cluster.agent('n2');
    const lie = { runId, step: order.step, orderId: order.orderId, epoch: order.epoch, attempt: order.attempt, outcome: 'changed' as const, result: { findings: [] }, journalSeq: 9_999 }; // prettier-ignore
    await n2.say({ kind: 'accepted', orderId: order.orderId, epoch: order.epoch, attempt: order.attempt });
    await n2.say({ kind: 'settled', ...lie });
    await n2.say({ kind: 'settled', ...lie, runId: '00000000-0000-4000-8000-000000000000' });
    await n2.say({ kind: 'progress', orderId: order.orderId, attempt: order.attempt, fraction: 0.99, note: 'a lie' });
    await until('the server to say that it left them out', soonMs, () => logOf(server, 'server').split('was left out').length > 2);
    const part = await cluster.api.followEvents(runId, { enough: 1 });
    expect(part.messages).toHaveLength(1);
    gate.open();
    expect((await cluster.ended(runId)).result).toBe('done');
    const events = await cluster.api.eventsOf(runId);
    const about = events.filter((e) => e.step === order.step);
    expect(about.filter((e) => e.kind === 'OrderSettled')).toHaveLength(1);
    expect(JSON.stringify(events)).not.toContain('a lie');
    expect(about.every((e) => e.node === 'n1' || e.node === null)).toBe(true);
  });

  it('runs nothing of a signed order that was meant for another, nor of an older epoch', async () => {
    await cluster.finished();
    const [n1, n2] = [cluster.agent('n1'), cluster.agent('n2')];
    const changes = n2.machine.changes.length;
    const signed = n1.seen.orders.at(-1)?.message;
    const old = n2.seen.orders[0]?.message;
    if (!signed || !old) throw new Error('nothing was ordered');
    await n2.replay(signed);
    expect(n2.seen.refused.at(-1)).toMatchObject({ code: 'wrong-audience' });
    await n2.replay({ ...old, body: Buffer.from(old.body.toString().replace(/"epoch":\d+/, '"epoch":99999')) });
    expect(n2.seen.refused.at(-1)).toMatchObject({ code: 'bad-signature' });
    await cluster.finished({ kind: 'install', until: 'precheck' }); // a newer epoch was seen
    n2.disk.orders.delete(n2.seen.orders[0]?.body.orderId ?? ''); // and its journal has forgotten the old order
    await n2.replay(old);
    expect(n2.seen.refused.at(-1)).toMatchObject({ code: 'old-epoch' });
    expect(n2.machine.changes.slice(changes).filter((c) => !c.step.includes('/precheck.'))).toEqual([]);
  });

  it('is refused once its certificate was replaced', async () => {
    const n2 = cluster.agent('n2');
    await sql.rows(`UPDATE node SET cert_serial = 'somebody-elses' WHERE id = $1`, [n2.me.identity.nodeId]);
    n2.start();
    await until('the server to refuse the certificate', soonMs, () => n2.seen.refused.some((r) => r.message.includes('was replaced')));
    expect(n2.connected).toBe(false);
  });
});
