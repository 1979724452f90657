import { type Part, TestServer } from '../lab/support/server';
import { until } from '../lab/support/program';
import { keysOf, openRedis } from './support/redis';
import { endServer, outcomes, soonMs, startServer, TestCluster } from './support/world';

/** Work goes on within 5 s of the part being back; three times that is the deadline on a busy machine. */
const goesOnMs = 15_000;
const all = process.env.STRATA_FAULTS === 'all';
let server: TestServer;
let calm: Record<string, Record<string, number>>;

beforeAll(async () => {
  server = await startServer();
  const cluster = await TestCluster.make(server, 2);
  await cluster.finished();
  calm = cluster.counts();
  cluster.stop();
});
afterAll(() => endServer(server));

/** Where in the run it happens: each is a different kind of waiting. */
const moments = all ? [/precheck\.os/, /packages\.install/, /artifacts\.fetch@runtime/, /images\.import/] : [/packages\.install/];

describe.each(moments)('in mid-run at %s', (moment) => {
  let cluster: TestCluster;
  beforeEach(async () => {
    cluster = await TestCluster.make(server, 2);
  });
  afterEach(() => cluster.stop());

  /** Holds a step of n1, lets `trouble` happen, opens the gate and waits for the end. */
  async function throughTrouble(trouble: () => Promise<void>): Promise<void> {
    const gate = cluster.gate('n1', moment);
    const runId = await cluster.start();
    await gate.reached;
    await trouble();
    const before = cluster.agent('n1').disk.lines.length;
    gate.open();
    await until('work to go on', goesOnMs, () => cluster.agent('n1').disk.lines.length > before + 1);
    const run = await cluster.ended(runId);
    expect([run.result, run.because]).toEqual(['done', expect.any(String)]);
    const settled = outcomes(await cluster.api.eventsOf(runId));
    expect(new Set(settled).size).toBe(settled.length);
    expect(cluster.counts()).toEqual(calm);
    expect(cluster.all.flatMap((a) => a.seen.refused)).toEqual([]);
  }

  it.each<Part>(['server', 'redis', 'postgres'])('kill -9 of %s loses nothing and does nothing twice', async (part) => {
    await throughTrouble(async () => {
      await server.backAs(part, server.kill(part));
      if (part === 'server') await until('the agents to be back', soonMs, () => cluster.all.every((a) => a.connected));
    });
  });
  it('all three at once', async () => {
    await throughTrouble(async () => {
      const pids = (['server', 'redis', 'postgres'] as const).map((part) => [part, server.kill(part)] as const);
      for (const [part, pid] of pids) await server.backAs(part, pid);
      await until('the agents to be back', soonMs, () => cluster.all.every((a) => a.connected));
    });
  });
  it('FLUSHALL costs no work', async () => {
    await throughTrouble(async () => {
      const redis = openRedis(server.home);
      await redis.flushall();
      redis.disconnect();
    });
  });
});

describe('an order that waits in the queue for a node that is away', () => {
  it('is put there again after a FLUSHALL, and carried out when the node is back', async () => {
    const cluster = await TestCluster.make(server, 2);
    const redis = openRedis(server.home);
    try {
      const n2 = cluster.agent('n2');
      n2.interference.dies = () => (n2.stop(), 'before');
      const runId = await cluster.start();
      const waiting = await until('the order to wait for n2', soonMs, async () => (await cluster.run(runId)).waits.find((w) => w.for.includes('n2')) ?? null);
      expect(waiting).toMatchObject({ step: expect.stringMatching(/^n2\//) as string, since: expect.any(Number) as number });
      expect(waiting.endedBy).not.toBe('');
      await redis.flushall();
      await until('the job to be in the queue again', goesOnMs, async () => (await keysOf(redis)).some((key) => key.includes(`${runId}.n2_`)));
      n2.interference.dies = () => null;
      n2.start();
      expect((await cluster.ended(runId)).result).toBe('done');
      expect(cluster.counts()).toEqual(calm);
    } finally {
      redis.disconnect();
      cluster.stop();
    }
  });
});

describe('an agent that dies at a journal write', () => {
  const writes = ['accepted', 'running', 'before', 'settled', 'acked'] as const;
  it.each(['before', 'after'] as const)('%s each of them: nothing is done twice', async (when) => {
    const cluster = await TestCluster.make(server, 2);
    try {
      const agent = cluster.agent('n1');
      const left = new Map<string, string>([['packages.install', 'before'], ['hosts.block', 'accepted'], ['kernel.sysctl', 'running'], ['runc.install', 'settled'], ['localfs.layout', 'acked']]); // prettier-ignore
      expect(new Set(left.values())).toEqual(new Set(writes));
      agent.interference.dies = (write, order) => {
        const task = order.task;
        if (left.get(task) !== write) return null;
        left.delete(task);
        return when;
      };
      const { run, events } = await cluster.finished();
      expect(run.result).toBe('done');
      expect([agent.deaths, left.size]).toEqual([writes.length, 0]);
      const settled = outcomes(events);
      expect(new Set(settled).size).toBe(settled.length);
      expect(cluster.counts()).toEqual(calm);
    } finally {
      cluster.stop();
    }
  });
});
