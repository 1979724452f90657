import { AsyncLocalStorage } from 'node:async_hooks';
import { type Facts, isSecretRef, type Plan } from '@strata/model';
import type { RunView } from '@strata/run';
import { forever, type SimContext, type SimEnded, type SimOrder, Simulation, type SimulationOptions } from '@strata/run/testing';
import { type Common, judgeOrder, runTask, sealedFields, type Task, TaskError, taskNamed } from '@strata/tasks';
import {
  MemoryCluster,
  MemoryControl,
  MemoryReleases,
  MemoryHost,
  sampleIdentity,
  seedStorage,
  type SharedMemory,
  simulateK3s,
  simulateKubernetes,
  type SimulatedKubernetes,
} from '@strata/tasks/testing';
import { catalogOf } from '@strata/planner/testing';

type Faults = Pick<SimulationOptions, 'agentDies' | 'serverDies'>;
/** How the first attempt of each step fails: ahead of everything, or in the midst of its changes (at its n-th); null: it does not. */
export type FirstFailure = { at: 'start' | number; retry: boolean } | null;
export interface Troubles extends Faults {
  deliveries?: number;
  /** How often the operator opens the run again. */
  resumes?: number;
  firstFailure?: (order: SimOrder) => FirstFailure;
  /** Orders of which every attempt fails, at its second change or, when it makes fewer, at its end. */
  failsAlways?: (order: SimOrder) => boolean;
  /** How much longer than usual an order takes (ms). */
  slow?: (order: SimOrder) => number;
  onFailure?: 'hold' | 'unwind';
  /** What happens outside while it runs. */
  meanwhile?: (fleet: Fleet) => void;
}
interface Working {
  order: SimOrder;
  context: SimContext;
  changes: number;
  fails: FirstFailure;
}

/** Real tasks on machines in memory, under the real engine and an agent's journal, on virtual time: what a real fleet would do, with any trouble asked for. */
export class Fleet {
  readonly hosts = new Map<string, MemoryHost>();
  readonly cluster = new MemoryCluster();
  readonly control: MemoryControl;
  readonly kube: SimulatedKubernetes & { tokens: Set<string> } = { cluster: this.cluster, made: { ca: 0, encryptionKeys: 0 }, tokens: new Set() };
  readonly sim: Simulation;
  /** Every beginning of a task, as `run step action attempt.epoch`: a second one of the same is an agent that went on after it died. */
  readonly executed: string[] = [];
  private readonly atWork = new Map<string, () => boolean>();
  private readonly working = new AsyncLocalStorage<Working>();
  private readonly secretValues = new Map<string, string>(); // sealed in the server's store: outlives it
  private readonly storage: SharedMemory = { key: null, machines: [] };
  private troubles: Troubles = {};

  constructor(
    names: readonly string[],
    private readonly kind: 'kubernetes' | 'k3s' = 'kubernetes',
  ) {
    names.forEach((name, i) => this.addMachine(name, `10.0.0.${11 + i}`));
    this.sim = new Simulation({
      seed: 1,
      flush: () => new Promise((resolve) => setImmediate(resolve)),
      judge: judgeOrder,
      execute: (order, context) => this.execute(order, context),
      enrolled: [],
      pools: { packages: 1, transfer: 2, artifacts: 4, ssh: 4 },
      onFailure: () => this.troubles.onFailure ?? 'hold',
      deliveries: () => this.troubles.deliveries ?? 1,
      agentDies: (point) => this.troubles.agentDies?.(point) ?? null,
      serverDies: (event) => this.troubles.serverDies?.(event) ?? false,
    });
    this.control = new FleetControl(this.sim, this.cluster);
  }
  private addMachine(name: string, address: string): void {
    const host = new MemoryHost(name, address);
    (this.kind === 'k3s' ? simulateK3s : simulateKubernetes)(host, this.kube, { name, address });
    seedStorage(host, this.storage);
    const run = host.effects.run.bind(host.effects);
    // Every change of a machine is a point at which its agent may die, and counts for the order that makes it.
    host.effects.run = async (effect, change) => {
      const working = this.working.getStore();
      if (working === undefined) return run(effect, change);
      working.changes += 1;
      if (working.changes === working.fails?.at) throw broken(working.order, working.fails.retry);
      await working.context.clock.sleep(this.sim.time.between(1, 20));
      return working.context.point(effect, () => run(effect, change));
    };
    this.hosts.set(name, host);
  }
  async facts(): Promise<Map<string, Facts>> {
    return new Map(await Promise.all([...this.hosts].map(async ([name, host]) => [name, await host.facts()] as const)));
  }
  /** Runs a plan to its end, under these troubles. */
  async run(plan: Plan, troubles: Troubles = {}): Promise<RunView> {
    this.troubles = troubles;
    const view = await this.sim.run(plan, { limitMs: 72 * 3600_000, resumes: troubles.resumes, meanwhile: () => troubles.meanwhile?.(this) });
    this.troubles = {};
    return view;
  }
  /** All that is to be the same in the end: the machines, the cluster, what the server keeps. */
  snapshot(): Record<string, unknown> {
    const sorted = (map: ReadonlyMap<string, unknown>): [string, unknown][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
    return structuredClone({
      machines: [...this.hosts].map(([name, host]) => [name, withoutChance(host.snapshot())]),
      objects: sorted(this.cluster.objects),
      releases: [...this.control.releases.kept].map(([name, all]) => [name, all.at(-1)?.status, all.at(-1)?.description]),
      members: sorted(this.cluster.members),
      kubeconfig: this.control.kubeconfig,
      agents: [...this.sim.agents.keys()].sort(),
      tokens: [...this.control.minted.keys()],
    });
  }

  private async execute(order: SimOrder, context: SimContext): Promise<SimEnded> {
    this.executed.push(`${order.runId} ${order.step} ${order.action} ${order.attempt}.${order.epoch}`);
    const other = this.atWork.get(order.step);
    if (other?.()) throw new Error(`${order.step} begins (${order.orderId}, attempt ${order.attempt}) while another order of it is at work`);
    let over = false;
    this.atWork.set(order.step, () => !over && context.alive());
    try {
      await context.clock.sleep(this.sim.time.between(10, 1_500) + (this.troubles.slow?.(order) ?? 0), context.signal);
      return await this.begin(order, context);
    } catch (error) {
      if (!context.signal.aborted) throw error;
      return { outcome: 'cancelled', result: { findings: [], before: context.journal.storedBefore() } };
    } finally {
      over = true;
    }
  }
  private async begin(order: SimOrder, context: SimContext): Promise<SimEnded> {
    const attempt = order.attempt === 1 ? (this.troubles.firstFailure?.(order) ?? null) : null;
    if (attempt?.at === 'start') return { outcome: 'failed', result: { findings: [], failure: { ...broken(order, attempt.retry), cause: [] } } };
    const always = this.troubles.failsAlways?.(order) === true;
    const working: Working = { order, context, changes: 0, fails: always ? { at: 2, retry: false } : attempt };
    const ended = await this.working.run(working, () => this.runTask(taskNamed(order.task), order, context));
    if (!context.alive()) return forever();
    if (always && ended.outcome !== 'failed')
      return { outcome: 'failed', result: { findings: [], before: ended.result.before, failure: { ...broken(order, false), cause: [] } } };
    if (order.task === 'kubernetes.join' && ended.outcome !== 'failed') this.control.minted.delete(order.node ?? '');
    return ended;
  }
  private async runTask(task: Task, order: SimOrder, context: SimContext): Promise<SimEnded> {
    const { node } = order;
    const secrets = new Map<string, string>();
    if (order.action === 'run') for (const name of secretNames(order.input)) secrets.set(name, this.secretValue(name, order));
    const common: Common = {
      clock: context.clock,
      progress: context.progress,
      log: () => undefined,
      signal: context.signal,
      secret: (ref) => secrets.get(ref.$secret) ?? '',
    };
    const host = task.on === 'node' ? this.hosts.get(node ?? '') : undefined;
    const frozen = <T extends object>(port: T): T => whileAlive(port, context.alive);
    const ended = await runTask(
      task,
      { action: order.action, input: order.input, before: order.before },
      { ports: { host, cluster: frozen(this.cluster), control: frozen(this.control), node }, common, journal: context.journal },
    );
    return { ...ended, result: this.seal(task, order, ended.result) };
  }
  /** Secret outputs leave a node only as boxes. */
  private seal(task: Task, order: SimOrder, result: SimEnded['result']): SimEnded['result'] {
    const output = result.output as Record<string, unknown> | undefined;
    if (output === undefined) return result;
    const boxes = sealedFields(task).map((field) => {
      const name = `output:${order.step}#${field}`;
      this.secretValues.set(name, output[field] as string);
      return [field, `box.v1.${field}`];
    });
    return { ...result, output: { ...output, ...Object.fromEntries(boxes) } };
  }
  /** A token is minted once an attempt, however often the order is sent. */
  private secretValue(name: string, order: SimOrder): string {
    if (name.startsWith('mint:storage-identity:')) return sampleIdentity;
    if (/^(derive:storage-|given:)/.test(name)) return name; // the same each time, as the server derives or keeps them
    const minted = /^mint:bootstrap-token:(.+)$/.exec(name)?.[1];
    const key = minted === undefined ? name : `${name}#${order.attempt}`;
    const known = this.secretValues.get(key);
    if (known !== undefined) return known;
    if (minted === undefined) throw new Error(`nobody gave the secret ${name}`);
    const value = this.control.mint(minted);
    this.secretValues.set(key, value);
    return value;
  }
}

/** The server's own powers, with agents that are really installed in the simulation. */
class FleetControl extends MemoryControl {
  constructor(
    private readonly sim: Simulation,
    cluster: MemoryCluster,
  ) {
    super(catalogOf(), cluster);
  }
  override session: MemoryControl['session'] = (node) => {
    const connected = this.sim.server.isConnected(node);
    return Promise.resolve({ connected, enrolled: this.sim.agents.has(node), agentVersion: connected ? this.agentVersion() : null });
  };
  override installAgent = async (node: string): Promise<void> => {
    this.sim.enroll(node);
    while (!this.sim.server.isConnected(node)) await this.sim.time.sleep(100, { alive: () => true });
  };
  override removeAgent = (node: string): Promise<void> => Promise.resolve(this.sim.retire(node));
}

/** A port of a process: once that has died, nothing it calls has an effect, and nothing it awaits comes back. */
function whileAlive<T extends object>(port: T, alive: () => boolean): T {
  return new Proxy(port, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (value instanceof MemoryReleases) return whileAlive(value, alive);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (!alive()) return forever();
        const answer = (value as (...a: unknown[]) => unknown).apply(target, args);
        return answer instanceof Promise ? answer.then((given: unknown) => (alive() ? given : forever())) : answer;
      };
    },
  });
}
function secretNames(value: unknown): string[] {
  if (isSecretRef(value)) return [value.$secret];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(secretNames) : [];
}
const broken = (order: SimOrder, retry: boolean): TaskError => new TaskError('injected', `${order.step} fails once`, { remedy: 'retry it', retry });

/** What chance decides may differ: a key or a token that was made anew after a crash. */
const byChance: readonly (readonly [path: string, value: RegExp])[] = [
  ['/etc/kubernetes/encryption.yaml', /secret: \S+/],
  ['/etc/rancher/k3s/agent-token', /\S+/],
  ...['n1', 'n2', 'n3'].map((name) => [`/strata/rootfs/.strata/view/${name}`, / at \d+/] as const),
];
function withoutChance(snapshot: Record<string, unknown>): unknown {
  const files = { ...(snapshot.files as Record<string, { content?: string }>) };
  for (const [path, value] of byChance) {
    const file = files[path];
    if (file?.content !== undefined) files[path] = { ...file, content: file.content.replace(value, '…') };
  }
  return { ...snapshot, files };
}
