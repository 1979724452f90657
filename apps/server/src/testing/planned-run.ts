import { randomUUID } from 'node:crypto';
import type { ClusterSpec, Plan, Step } from '@strata/model';
import { ClusterSpec as Spec } from '@strata/model';
import { taskNamed } from '@strata/tasks';
import { sealOf } from '../orders/released-orders';
import { RunBook } from '../runs/run-book';
import type { TestServer } from './test-server';

export const specOf = (name: string, nodes: object[] = [{ name: 'n1', role: 'control-plane', join: 'token' }]): ClusterSpec =>
  Spec.parse({ apiVersion: 'strata/v1', kind: 'Cluster', metadata: { name }, spec: { distribution: { kind: 'kubernetes', version: '1.37.2' }, nodes } });

/** A step of a task on n1. */
export function stepOf(task: string, input: object, more: Partial<Step> = {}): Step {
  const t = taskNamed(task);
  return {
    ...{ key: `n1/${task}`, task, version: t.version, action: 'run', phase: 'prepare', layer: t.layer, node: 'n1', target: t.on, input, needs: [], pool: null },
    ...{ onFailure: 'hold-dependents', title: t.title, timeoutMs: t.timeoutMs, attempts: t.attempts },
    ...more,
  };
}

/** Begins a run whose plan is given: sealed and planned as PrepareRun does it, without first contact. */
export async function beginRun(server: TestServer, cluster: { id: string; spec: ClusterSpec }, steps: Step[]): Promise<string> {
  const { store, keys } = server.edges;
  const runId = randomUUID();
  const intent = { kind: 'install' as const, nodes: [], dryRun: false, force: false };
  await store.transaction(async (work) => {
    const epoch = await work.epochs.next('run');
    await work.clusters.takeLease({ clusterId: cluster.id, runId, epoch });
    await work.runs.create({ id: runId, clusterId: cluster.id, intent, epoch, specVersion: 1 });
    await work.ledger.append(runId, 0, { events: [{ kind: 'RunRequested', body: { intent, specVersion: 1, epoch, by: 'test' } }] });
  });
  const zero = '0'.repeat(64);
  const plan: Plan = {
    ...{ id: randomUUID(), kind: 'install', clusterId: cluster.id, specVersion: 1, factsDigest: zero, catalogDigest: zero },
    ...{ distribution: { kind: 'kubernetes', version: '1.37.2' }, nodes: [{ name: 'n1', role: 'control-plane', nodeId: null }], steps },
    ...{ skipped: [], absent: [], warnings: [] },
  };
  await store.runs.seal(runId, sealOf(keys.planSeal, { runId, clusterId: cluster.id, plan, spec: cluster.spec }));
  await server.serving.app.get(RunBook).record(runId, () => [{ kind: 'RunPlanned', body: { plan } }]);
  return runId;
}

/** Waits until `look` gives something, at most 20 s. */
export async function eventually<T>(look: () => T | undefined | null | false | Promise<T | undefined | null | false>, what = look.toString()): Promise<T> {
  for (const end = Date.now() + 20_000; Date.now() < end; await new Promise((r) => setTimeout(r, 20))) {
    const seen = await look();
    if (seen !== undefined && seen !== null && seen !== false) return seen;
  }
  throw new Error(`waited 20 s in vain for ${what}`);
}
