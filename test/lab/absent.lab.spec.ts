import { readFileSync } from 'node:fs';
import type { Answer } from './support/api';
import { newestRun, newRun, planned, ready, runs } from './support/cluster';
import type { LabNode } from './support/lab';
import { type Ran, until } from './support/program';
import { World } from './support/world';

/** One of three machines is off: the others become a cluster, and it is finished by itself when it is back. */
const long = 20 * 60_000;
let world: World;
let ran: Ran;

beforeAll(async () => {
  world = await World.make({ nodes: 4, base: 'ready' });
  const spec = await world.specFile({ only: ['n1', 'n2', 'n3'] });
  await world.lab.act('off', 'n3');
  ran = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
}, long);
afterAll(() => world?.dispose(), 300_000);

test(
  'the other two become a cluster; the run is degraded, exit 4, and says why',
  async () => {
    expect([ran.code, ran.stdout]).toEqual([4, expect.stringMatching(/degraded/)]);
    expect(ran.stdout).toMatch(/n3.*(cannot be reached|no answer|EHOSTUNREACH|unreachable)/);
    expect(await newestRun(world)).toMatchObject({ state: 'ended', result: 'degraded', because: expect.stringMatching(/n3/) as string });
    expect(await ready(world)).toEqual({ n1: true, n2: true });
    expect(await world.server.strata(['status'])).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/degraded[^]*✗ native[^]*n3: it has no agent yet/) as string,
    });
  },
  long,
);

test(
  'the cluster is free meanwhile: another machine is added',
  async () => {
    const { address, hostKey } = world.lab.node('n4');
    const args = ['node', 'add', '--ssh', `root@${address}`, '--name', 'n4', '--key-file', world.lab.keyFile, '--host-key', hostKey];
    const added = await world.server.strata(args, { timeoutMs: long });
    expect([added.code, added.code === 0 ? '' : added.stdout]).toEqual([0, '']);
    expect(await ready(world)).toEqual({ n1: true, n2: true, n4: true });
    expect((await world.server.strata(['status'])).stdout).toMatch(/degraded/); // n3 is still missing
  },
  long,
);

test(
  'the third is finished by itself when it is back, and the others get nothing to do',
  async () => {
    const known = (await runs(world)).map((r) => r.id);
    await world.lab.act('on', 'n3');
    const { id } = await newRun(world, known, 120_000);
    const ended = await until('the run that finishes n3 to end', long, async () => (await runs(world)).find((r) => r.id === id && r.state === 'ended') ?? null);
    expect([ended.result, ended.because]).toEqual(['done', expect.any(String)]);
    expect(ended.intent.kind).toBe('finish');
    expect(await ready(world)).toEqual({ n1: true, n2: true, n3: true, n4: true });
    const events = await world.server.api.eventsOf(id);
    const on = new Map(planned(events).map((s) => [s.key, s.key.split('/')[0]]));
    const changed = events.filter((e) => e.kind === 'OrderSettled' && e.body.outcome === 'changed').map((e) => on.get(e.step ?? ''));
    expect(changed).toContain('n3');
    expect(changed.filter((n) => n !== undefined && ['n1', 'n2', 'n4'].includes(n)).length).toBeLessThanOrEqual(3); // the hosts block of each
    await until('the cluster to be called ready', 60_000, async () => /: ready/.test((await world.server.strata(['status'])).stdout));
  },
  long,
);

// ten more machines take too long for every `npm test`: npm run test:faults
if (process.env.STRATA_FAULTS === 'all')
  test(
    'ten requests at once for ten machines: all become Ready',
    async () => {
      const { lab, server } = world;
      await lab.grow({ nodes: 14, base: 'ready' });
      const more = lab.nodes.slice(4);
      const privateKey = readFileSync(lab.keyFile, 'utf8');
      const post = ({ name, address, hostKey }: LabNode): Promise<Answer<unknown>> =>
        server.api.ask('POST', `/v1/clusters/${world.cluster}/nodes`, {
          body: { node: { name, role: 'worker', address, ssh: { user: 'root', hostKey } }, secrets: { privateKey } },
          headers: { 'idempotency-key': `at-once-${name}` },
        });
      const answers = await Promise.all(more.map(post));
      expect(answers.map((a) => a.status)).toEqual(more.map(() => 202));
      const wanted = Object.fromEntries(lab.nodes.map((n) => [n.name, true]));
      await until(
        'all of them to be Ready',
        long,
        async () => JSON.stringify(Object.entries(await ready(world)).sort()) === JSON.stringify(Object.entries(wanted).sort()),
      );
      await until('the last run to end', long, async () => (await runs(world)).every((r) => r.state === 'ended'));
      expect((await newestRun(world)).result).toBe('done');
    },
    2 * long,
  );
