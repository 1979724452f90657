import { type Facts, isOutputRef, isSecretRef, type Plan, type Step } from '@strata/model';
import { type Common, runTask, taskNamed } from '@strata/tasks';
import { MemoryCluster, MemoryControl, MemoryHost, simulatedClock, simulateK3s, simulateKubernetes, type SimulatedKubernetes } from '@strata/tasks/testing';
import { plan } from './plan';
import { catalogOf, intentOf, nodesOf, requestOf, specOf } from './testing/fixtures';

/** Runs whole plans on machines in memory, without engine and journal: what the tasks do together. */
class World {
  readonly cluster = new MemoryCluster();
  readonly control = new MemoryControl(catalogOf(), this.cluster);
  readonly kube: SimulatedKubernetes & { tokens: Set<string> } = { cluster: this.cluster, made: { ca: 0, encryptionKeys: 0 }, tokens: new Set() };
  readonly hosts = new Map<string, MemoryHost>();
  readonly befores = new Map<string, unknown>();
  readonly clock = simulatedClock();

  constructor(names: string[], kind: 'kubernetes' | 'k3s' = 'kubernetes') {
    names.forEach((name, i) => {
      const address = `10.0.0.${11 + i}`;
      const host = new MemoryHost(name, address);
      (kind === 'k3s' ? simulateK3s : simulateKubernetes)(host, this.kube, { name, address });
      this.hosts.set(name, host);
    });
  }
  async facts(): Promise<Map<string, Facts>> {
    return new Map(await Promise.all([...this.hosts].map(async ([name, host]) => [name, await host.facts()] as const)));
  }
  /** Runs every step as soon as what it needs is done. Gives the outcomes by step. */
  async run(p: Plan): Promise<Map<string, string>> {
    const outputs = new Map<string, unknown>();
    const outcomes = new Map<string, string>();
    const started = new Map<string, Promise<void>>();
    const begin = (s: Step): Promise<void> => {
      const known = started.get(s.key);
      if (known) return known;
      const needs = s.needs.map((key) => begin(p.steps.find((o) => o.key === key) as Step));
      const done = Promise.all(needs).then(async () => {
        outcomes.set(s.key, await this.step(s, outputs));
      });
      started.set(s.key, done);
      return done;
    };
    await Promise.all(p.steps.map(begin));
    return outcomes;
  }
  private async step(s: Step, outputs: Map<string, unknown>): Promise<string> {
    const secrets = new Map<string, string>();
    const resolve = (value: unknown): unknown => {
      if (isOutputRef(value)) return (outputs.get(value.$output) as Record<string, unknown>)[value.path];
      if (isSecretRef(value)) {
        if (value.$secret.startsWith('mint:')) secrets.set(value.$secret, this.control.mint(value.$secret.split(':')[2] ?? ''));
        const [, key, field] = /^output:(.+)#(.+)$/.exec(value.$secret) ?? [];
        if (key && field) secrets.set(value.$secret, (outputs.get(key) as Record<string, string>)[field] ?? '');
        return value;
      }
      if (Array.isArray(value)) return value.map(resolve);
      return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, resolve(v)])) : value;
    };
    const input = resolve(s.input);
    const common: Common = {
      clock: this.clock,
      progress: () => undefined,
      log: () => undefined,
      signal: new AbortController().signal,
      secret: (ref) => secrets.get(ref.$secret) ?? '',
    };
    const first = this.befores.get(s.key);
    let before: unknown;
    const journal = {
      storedBefore: () => before,
      before: async (value: unknown) => {
        before = value;
        if (!this.befores.has(s.key)) this.befores.set(s.key, value);
        return Promise.resolve();
      },
    };
    const host = s.target === 'node' ? this.hosts.get(s.node ?? '') : undefined;
    const ended = await runTask(
      taskNamed(s.task),
      { action: s.action, input, before: s.action === 'undo' ? first : undefined },
      { ports: { host, cluster: this.cluster, control: this.control, node: s.node }, common, journal },
    );
    if (ended.result.failure) throw new Error(`${s.key}: ${ended.result.failure.message} ${ended.result.failure.cause.join('; ')}`);
    if (s.action === 'undo') this.befores.delete(s.key);
    if (s.task === 'kubernetes.join') this.control.minted.delete(s.node ?? '');
    outputs.set(s.key, ended.result.output);
    return ended.outcome;
  }
}

describe('a whole plan on machines in memory', () => {
  const spec = specOf({ nodes: nodesOf(3), native: { packages: [] } });
  const enrolled = new Map(['n1', 'n2', 'n3'].map((n) => [n, `id-${n}`]));
  const changed = (outcomes: Map<string, string>): string[] => [...outcomes].filter(([, o]) => o === 'changed').map(([key]) => key);

  it('makes a cluster of three machines, changes nothing the second time, and gives them back as they were', async () => {
    const world = new World(['n1', 'n2', 'n3']);
    const before = new Map([...world.hosts].map(([name, host]) => [name, host.snapshot()]));
    await world.run(plan(requestOf(spec, { facts: await world.facts() })));
    expect((await world.cluster.nodes()).map((n) => [n.name, n.ready])).toEqual([['n1', true], ['n2', true], ['n3', true]]); // prettier-ignore
    expect(world.cluster.approved.sort()).toEqual(['system:node:n2', 'system:node:n3']);
    expect(world.kube.made).toEqual({ ca: 1, encryptionKeys: 1 });

    expect(changed(await world.run(plan(requestOf(spec, { facts: await world.facts(), enrolled }))))).toEqual([]);

    await world.run(plan(requestOf(spec, { facts: await world.facts(), enrolled, intent: intentOf('uninstall') })));
    for (const [name, host] of world.hosts) expect(host.snapshot()).toEqual(before.get(name));
    expect(world.control.kubeconfig).toBeNull();
  });

  it('adds a node without a step for the others, and takes it out again', async () => {
    const two = specOf({ nodes: nodesOf(2), native: { packages: [] } });
    const world = new World(['n1', 'n2', 'n3']);
    const before = world.hosts.get('n3')?.snapshot();
    await world.run(plan(requestOf(two, { facts: await world.facts() })));
    const adding = plan(requestOf(spec, { facts: await world.facts(), enrolled, intent: intentOf('add-node', ['n3']) }));
    expect(new Set(adding.steps.map((s) => s.node))).toEqual(new Set([null, 'n3']));
    await world.run(adding);
    expect((await world.cluster.node('n3'))?.ready).toBe(true);

    await world.run(plan(requestOf(spec, { facts: await world.facts(), enrolled, intent: intentOf('remove-node', ['n3']) })));
    expect(world.cluster.drained).toEqual(['n3']);
    expect(await world.cluster.node('n3')).toBeNull();
    expect(world.hosts.get('n3')?.snapshot()).toEqual(before);
  });

  it('does the same with K3s: a token for each worker, retired when it has joined', async () => {
    const k3s = specOf({ nodes: nodesOf(3), native: { packages: [] }, distribution: { kind: 'k3s' } });
    const world = new World(['n1', 'n2', 'n3'], 'k3s');
    const before = new Map([...world.hosts].map(([name, host]) => [name, host.snapshot()]));
    await world.run(plan(requestOf(k3s, { facts: await world.facts() })));
    expect((await world.cluster.nodes()).map((n) => [n.name, n.ready])).toEqual([['n1', true], ['n2', true], ['n3', true]]); // prettier-ignore
    expect(world.kube.tokens.size).toBe(0);
    expect(world.hosts.get('n2')?.runs.some((argv) => argv.join(' ').includes('0123456789abcdef'))).toBe(false);

    expect(changed(await world.run(plan(requestOf(k3s, { facts: await world.facts(), enrolled }))))).toEqual([]);
    await world.run(plan(requestOf(k3s, { facts: await world.facts(), enrolled, intent: intentOf('uninstall') })));
    for (const [name, host] of world.hosts) expect(host.snapshot()).toEqual(before.get(name));
  });
});
