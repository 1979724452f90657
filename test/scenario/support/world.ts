import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ClusterSpecInput, OrderBody, RunDetails, RunStarted } from '@strata/model';
import type { Api, LedgerEvent } from '../../lab/support/api';
import { until } from '../../lab/support/program';
import { TestServer } from '../../lab/support/server';
import { KubeApi } from './kube-api';
import { Machine } from './machine';
import { enrollWith, SimulatedAgent } from './simulated-agent';
import { SimulatedCluster } from './simulated-cluster';
import { tinyCatalog } from './tiny-catalog';

/** Deadlines, not timings: three times and more what a busy machine needs. */
export const soonMs = 60_000;
export const longMs = 120_000;
let addresses = 10;

/** A built control server with its own PostgreSQL and Redis, for simulated nodes. */
export async function startServer(settings: Record<string, string | number> = {}): Promise<TestServer> {
  const dir = `/var/tmp/strata-scenario-${randomUUID().slice(0, 8)}`;
  mkdirSync(dir, { mode: 0o711 });
  return TestServer.start({ under: dir, settings: { advertise: '127.0.0.1', logLevel: 'debug', ...(await tinyCatalog(dir)), ...settings } });
}

/** Stops every simulated node, also those of tests that failed, and takes the server away. */
export async function endServer(server: TestServer | undefined): Promise<void> {
  TestCluster.stopAll();
  await server?.dispose();
  if (server) rmSync(dirname(server.dir), { recursive: true, force: true });
}
/** What a part has logged so far, with what was rotated away. */
export function logOf(server: TestServer, part: 'server' | 'postgres' | 'redis' | 'supervisor'): string {
  const dir = join(server.home, 'logs');
  return readdirSync(dir).filter((name) => name.startsWith(part)).map((name) => readFileSync(join(dir, name), 'utf8')).join(''); // prettier-ignore
}

export interface Gate {
  /** Resolves when an order has come to the gate. */
  reached: Promise<OrderBody>;
  open: () => void;
}
type Intent = Partial<{ kind: string; until: string; nodes: string[]; dryRun: boolean; force: boolean }>;
const prepare: Intent = { kind: 'install', until: 'prepare' };

/** A cluster of simulated nodes that come with join tokens. n1 is its control plane. */
export class TestCluster {
  readonly agents = new Map<string, SimulatedAgent>();
  readonly shared = new SimulatedCluster();
  readonly name = `c${this.shared.mark}`;
  private kubeApi: KubeApi | null = null;
  private static readonly living = new Set<TestCluster>();

  private constructor(readonly server: TestServer) {
    TestCluster.living.add(this);
  }
  static stopAll(): void {
    for (const cluster of TestCluster.living) cluster.stop();
  }

  /** Applies the spec, enrolls every node but `without`, and waits until all are online. */
  static async make(server: TestServer, size: number, options: { without?: string[]; spec?: Partial<ClusterSpecInput['spec']> } = {}): Promise<TestCluster> {
    const cluster = new TestCluster(server);
    cluster.kubeApi = await KubeApi.start(cluster.shared.members, `api.${cluster.name}.strata.internal`);
    const names = Array.from({ length: size }, (_, i) => `n${i + 1}`);
    await cluster.api.must('POST', '/v1/clusters', { body: { spec: cluster.specOf(names, options.spec) } });
    await Promise.all(names.filter((n) => !options.without?.includes(n)).map((n) => cluster.join(n)));
    await until(`the nodes of ${cluster.name} to be online`, soonMs, () => [...cluster.agents.values()].every((a) => a.connected));
    return cluster;
  }
  specOf(names: readonly string[], more: Partial<ClusterSpecInput['spec']> = {}): object {
    const nodes = names.map((name) => ({ name, role: name === 'n1' ? 'control-plane' : 'worker', join: 'token' }));
    const spec = { distribution: { kind: 'kubernetes', version: '1.37.2' }, native: { packages: ['gcc', 'net-tools'] }, ...more };
    return { apiVersion: 'strata/v1', kind: 'Cluster', metadata: { name: this.name }, spec: { nodes, ...spec } };
  }
  get api(): Api {
    return this.server.api;
  }
  get all(): SimulatedAgent[] {
    return [...this.agents.values()];
  }
  agent(name: string): SimulatedAgent {
    const found = this.agents.get(name);
    if (!found) throw new Error(`no agent ${name}`);
    return found;
  }
  async tokenFor(name: string): Promise<string> {
    return (await this.api.must<{ token: string }>('POST', `/v1/clusters/${this.name}/nodes/${name}/join-command`)).token;
  }
  /** Makes a machine and brings it in with a join token; its agent runs. */
  async join(name: string): Promise<SimulatedAgent> {
    addresses += 1;
    const machine = new Machine(name, `10.77.${addresses >> 8}.${addresses & 255}`, this.shared);
    const me = await enrollWith({ enrollPort: this.server.ports.enroll }, await this.tokenFor(name), { machineId: machine.host.baseFacts.machineId, name });
    const agent = new SimulatedAgent(machine, me);
    this.agents.set(name, agent);
    agent.interference.output = (_, output) =>
      typeof output.kubeconfig === 'string' ? { ...output, kubeconfig: this.kubeApi?.leadingHere(output.kubeconfig) } : output;
    agent.start();
    return agent;
  }

  async start(intent: Intent = prepare): Promise<string> {
    return (await this.api.must<RunStarted>('POST', `/v1/clusters/${this.name}/runs`, { body: { intent } })).runId;
  }
  async run(runId: string): Promise<RunDetails> {
    return this.api.must<RunDetails>('GET', `/v1/runs/${runId}`);
  }
  /** Waits for the end of a run, whatever may be killed meanwhile. */
  async ended(runId: string, timeoutMs = longMs): Promise<RunDetails> {
    try {
      return await until(`run ${runId} to end`, timeoutMs, async () => {
        const run = await this.run(runId).catch(() => null); // the server may be away
        return run?.state === 'ended' ? run : null;
      });
    } catch (cause) {
      const { waits, ...run } = await this.run(runId);
      throw new Error(`${(cause as Error).message}; it is ${run.state}, and waits: ${JSON.stringify(waits.slice(0, 8), null, 1)}`, { cause });
    }
  }
  async finished(intent: Intent = prepare): Promise<{ run: RunDetails; events: LedgerEvent[] }> {
    const run = await this.ended(await this.start(intent));
    return { run, events: await this.api.eventsOf(run.id) };
  }
  /** Stops the next order of a step on a node until the gate opens. */
  gate(node: string, step: RegExp): Gate {
    const { interference } = this.agent(node);
    const was = interference.beforeTask;
    let open: () => void = () => undefined;
    const opened = new Promise<void>((resolve) => (open = resolve));
    const reached = new Promise<OrderBody>((resolve, reject) => {
      setTimeout(() => reject(new Error(`waited ${longMs / 1000} s for ${node} to come to ${String(step)}`)), longMs).unref();
      interference.beforeTask = async (order) => {
        await was(order);
        if (!step.test(order.step)) return;
        resolve(order);
        await opened;
      };
    });
    reached.catch(() => undefined); // a gate that a test did not wait for
    return { reached, open };
  }
  /** The changes of every machine, by how often each was made. */
  counts(): Record<string, Record<string, number>> {
    return Object.fromEntries(this.all.map((a) => [a.name, a.machine.counts]));
  }
  stop(): void {
    TestCluster.living.delete(this);
    for (const agent of this.all) agent.stop();
    this.kubeApi?.stop();
  }
}
/** What was settled in a run's ledger: `step outcome`, without what came late. */
export const outcomes = (events: readonly LedgerEvent[]): string[] =>
  events.filter((e) => e.kind === 'OrderSettled' && e.body.late !== true).map((e) => `${e.step ?? ''} ${String(e.body.outcome)}`);
