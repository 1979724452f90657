import { until } from './program';
import type { World } from './world';
import type { LedgerEvent } from './api';

export interface Run {
  id: string;
  clusterId: string;
  intent: { kind: string; nodes: string[] };
  state: string;
  result: string | null;
  because: string;
  steps: { total: number; done: number; changed: number; failed: number };
}

/** The run that has begun since those that are known. */
export async function newRun(world: World, known: readonly string[] = [], timeoutMs = 60_000): Promise<Run> {
  return until('a new run', timeoutMs, async () => (await runs(world)).find((r) => !known.includes(r.id)) ?? null);
}
/** All runs, newest first. */
export async function runs(world: World): Promise<Run[]> {
  return (await world.server.api.must<{ runs: Run[] }>('GET', '/v1/runs?limit=200')).runs;
}
export const newestRun = async (world: World): Promise<Run> => {
  const [newest] = await runs(world);
  if (!newest) throw new Error('there is no run');
  return newest;
};

/** The last outcome of each step that settled. */
export function outcomes(events: readonly LedgerEvent[]): Map<string, string> {
  return new Map(events.flatMap((e) => (e.kind === 'OrderSettled' && e.step !== null ? [[e.step, String(e.body.outcome)]] : [])));
}
/** The steps of the plan that a run was made with. */
export function planned(events: readonly LedgerEvent[]): { key: string; task: string; target: string; input: unknown; needs: string[] }[] {
  const plan = events.find((e) => e.kind === 'RunPlanned')?.body.plan as { steps: ReturnType<typeof planned> } | undefined;
  if (!plan) throw new Error('the run has no plan');
  return plan.steps;
}

interface Pod {
  metadata: { name: string };
  spec: { nodeName?: string };
  status: { phase?: string };
}
interface Node {
  metadata: { name: string };
  status: { conditions: { type: string; status: string }[] };
}
/** Each node of the cluster and whether Kubernetes calls it Ready. */
export async function ready(world: World): Promise<Record<string, boolean>> {
  const { items } = JSON.parse(await world.server.kubectl(world.cluster, ['get', 'nodes', '-o', 'json'])) as { items: Node[] };
  return Object.fromEntries(items.map((n) => [n.metadata.name, n.status.conditions.some((c) => c.type === 'Ready' && c.status === 'True')]));
}
/** The demo's pods that run: name by node. */
export async function webPods(world: World): Promise<Map<string, string>> {
  const { items } = JSON.parse(await world.server.kubectl(world.cluster, ['get', 'pods', '-l', 'app=web', '-o', 'json'])) as { items: Pod[] };
  return new Map(items.flatMap((p) => (p.status.phase === 'Running' && p.spec.nodeName ? [[p.spec.nodeName, p.metadata.name]] : [])));
}
/** What the demo's service answers, asked by its name in a pod: the names of the nodes that answered. Often enough that chance leaves none out. */
export async function answersIn(world: World, pod: string): Promise<string[]> {
  const ask = 'i=0; while [ $i -lt 20 ]; do wget -qO- http://web.default.svc.cluster.local/ || exit 1; i=$((i+1)); done';
  const text = await world.server.kubectl(world.cluster, ['exec', pod, '--', 'sh', '-c', ask]);
  return [...new Set(text.split('\n').flatMap((line) => line.trim().split(/\s+/)[0] || []))].sort();
}
/** An agent that has rested starts afresh by itself, and a look in that moment says that it is away: waits until each is connected. */
export async function everyAgentConnected(world: World): Promise<void> {
  const online = async (): Promise<boolean> =>
    (await world.server.api.must<{ online: boolean }[]>('GET', `/v1/clusters/${world.cluster}/nodes`)).every((n) => n.online);
  await until('every agent to be connected', 60_000, online);
}
