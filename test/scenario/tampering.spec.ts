import { until } from '../lab/support/program';
import type { TestServer } from '../lab/support/server';
import type { SimulatedAgent } from './support/simulated-agent';
import { keysOf, openRedis } from './support/redis';
import { Sql } from './support/sql';
import { endServer, logOf, outcomes, soonMs, startServer, TestCluster } from './support/world';

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

interface Waiting {
  cluster: TestCluster;
  runId: string;
  n2: SimulatedAgent;
  /** Lets n1 go on. */
  open: () => void;
}
/** A run in which n1 has gone up to `packages.install`, and n2's next order waits in the ledger, the outbox and the queue: its agent is off. */
async function waitingRun(): Promise<Waiting> {
  const cluster = await TestCluster.make(server, 2);
  const n2 = cluster.agent('n2');
  n2.interference.dies = (write, order) => (order.task === 'hosts.block' && write === 'accepted' ? (n2.stop(), 'before') : null);
  const gate = cluster.gate('n1', /packages\.install/);
  const runId = await cluster.start();
  await gate.reached;
  await until('the order for n2 to wait', soonMs, async () =>
    (await cluster.run(runId)).waits.some((w) => w.step === 'n2/hosts.block' && w.for.includes('n2')),
  );
  n2.interference.dies = () => null;
  return { cluster, runId, n2, open: gate.open };
}
/** The server that reads what is in the database now: the one before it knew everything by heart. */
async function anotherServer(): Promise<void> {
  await server.backAs('server', server.kill('server'));
}
/** Lets n2 come back; the server must answer by refusing, in words, and nothing may happen on n2. */
async function mustRefuse({ cluster, runId, n2 }: Waiting, code = 'seal-broken'): Promise<void> {
  const changes = n2.machine.changes.length;
  n2.start();
  const refusal = await until('the refusal in the ledger', soonMs, async () => {
    const rows = await sql.rows<{ body: { outcome: string; result: { failure?: { code: string; remedy: string } } } }>(
      `SELECT body FROM run_event WHERE run_id = $1 AND kind = 'OrderSettled' AND step_key LIKE 'n2/%' AND body->>'outcome' = 'refused'`,
      [runId],
    );
    return rows[0]?.body.result.failure ?? null;
  });
  expect(refusal.code).toBe(code);
  expect(refusal.remedy).not.toBe('');
  expect(n2.machine.changes.slice(changes)).toEqual([]);
  const run = await until('the run to stop', soonMs, async () => {
    const now = await cluster.run(runId);
    return now.steps.failed > 0 || now.state !== 'running' ? now : null;
  });
  expect(run.result).not.toBe('done');
  cluster.stop();
}

const ledgerEdits: [string, string][] = [
  ['an input in the plan', `UPDATE run_event SET body = replace(body::text, '"nofile": ', '"nofile": 1')::jsonb WHERE kind = 'RunPlanned'`],
  ['the task of a step', `UPDATE run_event SET body = replace(body::text, '"task": "hosts.block"', '"task": "swap.policy"')::jsonb WHERE kind = 'RunPlanned'`],
  ['an output that later steps take in', `UPDATE run_event SET body = replace(body::text, '"sha256": "', '"sha256": "0000')::jsonb WHERE kind = 'OrderSettled' AND step_key LIKE 'cluster/artifact.obtain%'`],
  ['an outcome', `UPDATE run_event SET body = jsonb_set(body, '{outcome}', '"changed"') WHERE kind = 'OrderSettled' AND step_key = 'n1/precheck.os'`],
  ['the step of a line', `UPDATE run_event SET step_key = 'n2/packages.install' WHERE kind = 'OrderReleased' AND step_key = 'n2/hosts.block'`],
  ['a seal', `UPDATE run_event SET mac = repeat('0', 64) WHERE seq = 1`],
  ['the seal of the plan', `UPDATE run SET plan_seal = repeat('0', 64) WHERE $1 = $1`],
  ['the spec', `UPDATE cluster_spec SET spec = jsonb_set(spec, '{spec,native,swap}', '"off"') WHERE cluster_id = (SELECT cluster_id FROM run WHERE id = $1)`],
]; // prettier-ignore
describe('a waiting run of which somebody has changed', () => {
  it.each(process.env.STRATA_FAULTS === 'all' ? ledgerEdits : ledgerEdits.filter((_, i) => i !== 1 && i !== 3 && i !== 5))(
    '%s runs nothing',
    async (_, edit) => {
      const waiting = await waitingRun();
      const ofRun = edit.includes('$1') ? edit : `${edit} AND run_id = $1`;
      expect(await sql.force(ofRun, [waiting.runId])).toBeGreaterThan(0);
      await anotherServer();
      await mustRefuse(waiting);
    },
  );
  it('which machine a node’s name leads to runs nothing', async () => {
    const waiting = await waitingRun();
    const id = (name: string): string => waiting.cluster.agent(name).me.identity.nodeId;
    await sql.force(`UPDATE node SET name = 'x' WHERE id = $1`, [id('n1')]);
    await sql.force(`UPDATE node SET name = 'n1' WHERE id = $1`, [id('n2')]);
    await sql.force(`UPDATE node SET name = 'n2' WHERE id = $1`, [id('n1')]);
    await anotherServer();
    await mustRefuse(waiting, 'other-node');
  });
  it('the append-only ledger without a superuser’s tricks is told no', async () => {
    await expect(sql.rows(`UPDATE run_event SET kind = 'RunEnded'`)).rejects.toThrow(/append-only/);
    await expect(sql.rows(`DELETE FROM run_event`)).rejects.toThrow(/append-only/);
    await expect(sql.rows(`TRUNCATE run_event`)).rejects.toThrow(/append-only/);
  });
});

describe('the queue and the outbox', () => {
  it('give nobody a node: changed rows, changed jobs and jobs from nowhere run nothing that the ledger did not release', async () => {
    const { cluster, runId, n2, open } = await waitingRun();
    const redis = openRedis(server.home);
    try {
      const gate = cluster.gate('n2', /cni\.install/); // until it is over, the ledger releases no containerd.install
      const later = { step_key: 'n2/containerd.install', order_id: `${runId}.n2_containerd-install.run` };
      await sql.force(`INSERT INTO outbox (order_id, attempt, epoch, run_id, cluster_id, step_key, action, target, node)
        SELECT $2, 1, epoch, run_id, cluster_id, $3, 'run', 'node', 'n2' FROM outbox WHERE run_id = $1 AND node = 'n2' LIMIT 1`, [runId, later.order_id, later.step_key]); // prettier-ignore
      const jobs = await until('the jobs', soonMs, async () => {
        const found: string[] = [];
        for (const key of await keysOf(redis)) if ((await redis.type(key)) === 'hash' && (await redis.hexists(key, 'data')) === 1) found.push(key);
        return found.length > 0 ? found : null;
      });
      const [key = ''] = jobs.filter((k) => k.includes('n2'));
      const job = await redis.hgetall(key);
      const data = JSON.parse(job.data ?? '{}') as Record<string, unknown>;
      for (const changed of [{ ...data, ...{ stepKey: later.step_key } }, { ...data, orderId: later.order_id, stepKey: later.step_key }, { ...data, attempt: 7 }, { nonsense: true }]) {
        const forged = `${key}-forged-${Math.random().toString(36).slice(2)}`;
        await redis.hset(forged, { ...job, data: JSON.stringify(changed) });
        const id = forged.slice(forged.lastIndexOf(':') + 1);
        await redis.lpush(`${key.slice(0, key.lastIndexOf(':'))}:wait`, id);
        await redis.zadd(`${key.slice(0, key.lastIndexOf(':'))}:marker`, 0, '0');
      }
      await redis.hset(key, 'data', JSON.stringify({ ...data, orderId: later.order_id, stepKey: later.step_key }));
      n2.start();
      await gate.reached;
      await until('the server to say what it left out', soonMs, () => ['never released', 'names no order'].every((words) => logOf(server, 'server').includes(words)));
      expect(n2.seen.orders.filter((o) => o.body.step === later.step_key)).toEqual([]);
      gate.open();
      open();
      expect((await cluster.ended(runId)).result).toBe('done');
      const steps = outcomes(await cluster.api.eventsOf(runId));
      expect(new Set(steps).size).toBe(steps.length);
      const installs = (node: string): [string, number][] => Object.entries(cluster.agent(node).machine.counts).filter(([what]) => what.startsWith(`${node}/containerd.install:`)); // prettier-ignore
      expect(installs('n2').map(([what, n]) => [what.replace('n2/', 'n1/'), n])).toEqual(installs('n1'));
    } finally {
      redis.disconnect();
      cluster.stop();
    }
  });
}); // prettier-ignore
