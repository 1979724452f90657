import { existsSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import type { LedgerEvent } from './support/api';
import { newRun, outcomes, planned, ready } from './support/cluster';
import { faultNames, type FaultName, type Moment, moments, ofMachine, reach, strike, worker } from './support/faults';
import { type Ran, until } from './support/program';
import { RunWatch } from './support/run-watch';
import { type Count, hold, identityOf, letGo, placeWitness, testimony } from './support/witness';
import { World } from './support/world';

/**
 * Whatever dies, whenever: the work goes on, and nothing is done twice. `npm test` takes one install with each fault at one moment;
 * `npm run test:faults` seven installs, each with one fault at all five moments; STRATA_FAULTS=agent,crash only those.
 */
const asked = process.env.STRATA_FAULTS ?? '';
const chosen = faultNames.filter((fault) => asked === 'all' || asked.split(',').includes(fault));
const long = 20 * 60_000;
/** The promise is 5 s, on a machine that has time: one on which more wants to run than it has cores takes that much longer. */
const goesOnMs = (): number => 5_000 * Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());

interface Row {
  name: string;
  at: Readonly<Record<string, readonly FaultName[]>>;
}
const rows: readonly Row[] =
  chosen.length > 0
    ? chosen.map((fault) => ({ name: `${fault} at each moment`, at: Object.fromEntries(moments.map((m) => [m.name, [fault]])) }))
    : [
        {
          name: 'each fault at one moment',
          at: {
            dpkg: ['agent'],
            'image import': ['server'],
            'etcd, no API yet': ['redis', 'flushall', 'reboot'],
            'join after CSR': ['postgres'],
            'network rollout': ['crash'],
          },
        },
      ];

interface Struck {
  moment: Moment;
  fault: FaultName;
  at: number; // ms since 1970
  /** Whether the step had not ended when it happened. */
  inTime: boolean;
  backAfterMs: number;
  wentOnAfterMs: number;
  allowedMs: number;
  by: string;
}
interface NodeView {
  name: string;
  online: boolean;
  lastSeenAt: string | null;
}
const table: string[] = [];
afterAll(() => {
  const head = `    ${'moment'.padEnd(18)}${'fault'.padEnd(10)}${'back after'.padStart(12)}${'went on after'.padStart(16)}  by`;
  process.stdout.write(`\n${[head, ...table].join('\n')}\n`);
});

describe.each(rows)('$name', ({ at }) => {
  let world: World;
  let watch: RunWatch;
  let applied: Ran;
  let struck: Struck[];
  let caAtFirst: string;
  const counts = new Map<string, Map<string, Count>>();
  const faultsAt = (m: Moment): readonly FaultName[] => at[m.name] ?? [];

  beforeAll(async () => {
    world = await World.make({ nodes: 2, base: 'bare' });
    for (const { name } of world.lab.nodes) {
      await placeWitness(world.lab, name);
      await hold(world.lab, name, 'import');
    }
    await hold(world.lab, worker, 'join');
    const spec = await world.specFile();
    const apply = world.server.strata(['apply', '-f', spec, '--yes', '--detach'], { timeoutMs: long });
    const run = await newRun(world, [], 180_000);
    await apply;
    watch = new RunWatch(world, run.id);
    const heard = watch.hearAll(300_000);
    try {
      struck = await strikeAll();
    } finally {
      for (const { name } of world.lab.nodes) await letGo(world.lab, name, 'import');
      await letGo(world.lab, worker, 'join');
    }
    await heard;
    applied = await world.server.strata(['runs', 'show', run.id, '-o', 'json'], { timeoutMs: 60_000 });
    for (const { name } of world.lab.nodes) counts.set(name, await testimony(world.lab, name));
  }, long);
  afterAll(async () => {
    watch?.stop();
    await world?.dispose();
  }, 300_000);

  /** One moment after the other: a gate keeps the next from coming while this one is looked at. */
  async function strikeAll(): Promise<Struck[]> {
    const done: Struck[] = [];
    for (const moment of moments) {
      await watch.first(`${moment.step} to begin`, long / 2, (e) => e.kind === 'OrderStarted' && e.step === moment.step);
      await reach(world, moment);
      if (moment.step === 'n1/kubernetes.api') caAtFirst = await caNow();
      for (const fault of faultsAt(moment)) done.push(await strikeAt(moment, fault));
      if (moment.name === 'dpkg') await letGo(world.lab, worker, 'import');
      if (moment.name === 'image import') await letGo(world.lab, 'n1', 'import');
      if (moment.name === 'etcd, no API yet') await letGo(world.lab, worker, 'join');
    }
    return done;
  }
  async function strikeAt(moment: Moment, fault: FaultName): Promise<Struck> {
    const inTime = !watch.settled(moment.step);
    const began = Date.now();
    const back = await strike(world, fault, moment.node);
    const sign = await signOfWork({ moment, fault, back });
    const one = { moment, fault, at: began, inTime, backAfterMs: back - began, wentOnAfterMs: sign.at - back, allowedMs: goesOnMs(), by: sign.by };
    table.push(line(one));
    process.stdout.write(`${table.at(-1) ?? ''}\n`);
    return one;
  }
  /**
   * What tells that work goes on: a line of the ledger; if an agent was away, one of its own machine, or, when nothing is to be done there, its
   * session. Where all that is left is under way, a session that was heard since, by the database's word, tells it too.
   */
  async function signOfWork({ moment, fault, back }: { moment: Moment; fault: FaultName; back: number }): Promise<{ at: number; by: string }> {
    const node = ofMachine.has(fault) ? worker : fault === 'agent' ? moment.node : null;
    return until(`work to go on after ${fault} at ${moment.name}`, 60_000, async () => {
      const event = watch.events.find((e) => e.at >= back && isWork(e) && (node === null || e.node === node));
      if (event) return { at: event.at, by: `${event.kind} ${event.step ?? ''}` };
      const heard = node ?? (moment.allUnderWay ? worker : null);
      const seen = (await nodes()).find((n) => n.name === heard && n.online && Date.parse(n.lastSeenAt ?? '') >= back);
      return seen ? { at: Date.parse(seen.lastSeenAt ?? ''), by: `session of ${seen.name}` } : null;
    });
  }
  const nodes = (): Promise<NodeView[]> => world.server.api.must<NodeView[]>('GET', `/v1/clusters/${world.cluster}/nodes`);
  const caNow = async (): Promise<string> => (await world.lab.must('n1', ['sha256sum', '/etc/kubernetes/pki/ca.crt'])).slice(0, 64);

  test('the work went on, and the run ended well', async () => {
    expect(struck.map((s) => [s.moment.name, s.fault])).toEqual(moments.flatMap((m) => faultsAt(m).map((f) => [m.name, f])));
    expect(struck.filter((s) => !s.inTime).map(line)).toEqual([]);
    expect(struck.filter((s) => s.wentOnAfterMs > s.allowedMs).map(line)).toEqual([]);
    expect(JSON.parse(applied.stdout)).toMatchObject({ result: 'done' });
    const ended = outcomes(watch.events);
    expect(planned(watch.events).filter((s) => !['changed', 'satisfied'].includes(ended.get(s.key) ?? '')).map((s) => s.key)).toEqual([]); // prettier-ignore
    expect(await ready(world)).toEqual({ n1: true, n2: true });
  }, 120_000);
  test('a witness saw each program come to its end once, and begin again only where it was killed', () => {
    const phases = ['addon all', 'certs all', 'control-plane all', 'etcd local', 'kubeconfig all', 'kubelet-start', 'upload-config all'];
    const onBoth = ['apt-get install', 'ctr images import'];
    expect(seenOn('n1')).toEqual([...onBoth, ...phases.map((p) => `kubeadm init phase ${p}`)]);
    expect(seenOn(worker)).toEqual([...onBoth, 'kubeadm join phase kubelet-start']);
    expect(surprises()).toEqual([]);
  });
  test('the CA is the one of the beginning, and etcd never began anew', async () => {
    const { ca, etcd } = await identityOf(world.lab, 'n1');
    expect([ca, etcd.map((id) => id.split(':')[0]).sort()]).toEqual([caAtFirst, ['"cluster-id"', '"local-member-id"']]);
  });
  test('another apply finds nothing to do', nothingToDo, 400_000);
  if (at === rows.at(-1)?.at) test('all state of the server is one directory: moved elsewhere and started there, it has every agent again', async () => {
    const was = world.server.dir;
    await world.moveServer();
    const moved = Date.now();
    await until('every agent to be back by itself', 60_000, async () => (await nodes()).every((n) => n.online));
    process.stdout.write(`    after the move every agent was back in ${((Date.now() - moved) / 1000).toFixed(1)} s\n`);
    await nothingToDo();
    expect(existsSync(was)).toBe(false);
  }, 600_000); // prettier-ignore

  async function nothingToDo(): Promise<void> {
    const again = await world.server.strata(['apply', '-f', await world.specFile(), '--yes'], { timeoutMs: 300_000 });
    if (again.code !== 0) throw new Error([again.stderr, again.stdout, await whatItWaitsFor()].join('\n'));
    expect(again.stderr).toBe('');
    expect(again.stdout).toMatch(/\b0 changed\b/);
  }
  /** How the server, the cluster and the agents see it now: more than that it did not end. */
  async function whatItWaitsFor(): Promise<string> {
    const kubectl = 'kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes,pods -A -o wide';
    const looks = [
      world.server.strata(['status'], { timeoutMs: 60_000 }),
      world.lab.exec('n1', ['sh', '-c', kubectl], { timeoutMs: 30_000 }),
      ...world.lab.nodes.map(({ name }) => world.lab.exec(name, ['journalctl', '-u', 'stratad', '-n', '15', '--no-pager'], { timeoutMs: 30_000 })),
    ];
    return (await Promise.allSettled(looks)).map((look) => (look.status === 'fulfilled' ? look.value.stdout : String(look.reason))).join('\n');
  }
  const seenOn = (node: string): string[] => [...(counts.get(node)?.keys() ?? [])].sort();
  /** What the witnesses saw and nobody can explain. */
  function surprises(): string[] {
    const odd: string[] = [];
    for (const [node, seen] of counts) {
      const imports = planned(watch.events).filter((s) => s.key.startsWith(`${node}/images.import`)).length;
      for (const [what, { begun, done, failed }] of seen) {
        const times = what === 'ctr images import' ? imports : 1;
        const kills = killsOf(node, what);
        // a machine that was lost in the midst of a join comes back with its certificate, or without it: nothing is left to run, or the phase runs once more
        const enough = what.startsWith('kubeadm join') && kills > 0 ? done <= times + kills : done === times;
        // a machine that was lost in the midst of dpkg: the next apt-get says so and ends, then dpkg is told to finish
        const mayFail = what.startsWith('apt-get') ? kills : 0;
        if (!enough || failed > mayFail || begun - done - failed > kills) odd.push(`${node}: ${what}: begun ${begun}, done ${done}, failed ${failed}; expected ${times}, killed at most ${kills}`);
      }
    }
    return odd;
  } // prettier-ignore
  /** How often a program of a node may have been killed before its step ended: with its machine always; an import, which the agent feeds, also with its agent. */
  function killsOf(node: string, what: string): number {
    const task = what.startsWith('apt-get') ? 'packages.install' : what.startsWith('ctr') ? 'images.import' : what.startsWith('kubeadm join') ? 'kubernetes.join' : null;
    const ends = watch.events.filter((e) => e.kind === 'OrderSettled' && task !== null && e.step?.startsWith(`${node}/${task}`)).map((e) => e.at);
    const hits = (s: Struck): boolean => (ofMachine.has(s.fault) ? node === worker : s.fault === 'agent' && s.moment.node === node && task === 'images.import');
    return struck.filter((s) => hits(s) && s.at < Math.max(0, ...ends)).length;
  } // prettier-ignore
});

/** Something of the run itself, not the server's words about who is away. */
const isWork = (e: LedgerEvent): boolean => ['OrderReleased', 'OrderStarted', 'OrderProgressed', 'OrderSettled', 'RunEnded'].includes(e.kind);
const line = (s: Struck): string => {
  const [back, on] = [s.backAfterMs, s.wentOnAfterMs].map((ms) => `${(ms / 1000).toFixed(1)} s`);
  return `    ${s.moment.name.padEnd(18)}${s.fault.padEnd(10)}${(back ?? '').padStart(12)}${(on ?? '').padStart(16)}  ${s.by}${s.inTime ? '' : ' (too late: the step had ended)'}`;
};
