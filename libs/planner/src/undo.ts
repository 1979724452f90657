import type { Plan, Step, StepKey } from '@strata/model';
import type { Task } from '@strata/tasks';
import type { PlanContext } from './context';
import type { Distribution } from './distribution';
import { install } from './install';
import type { PlanRequest } from './request';
import { withoutReferences } from './samples';
import { Steps } from './steps';

/** What a plan that takes back is made from. */
export interface Taking {
  c: PlanContext;
  d: Distribution;
  tasks: (name: string) => Task;
  request: PlanRequest;
}

/** The steps that an install has on this machine and that can be taken back, the last one first. */
export function undoOf(t: Taking, node: string): Step[] {
  const list = new Steps('hold-dependents');
  install(list, withAllThatMayBe(t.c), t.d);
  const versions = new Map(
    list.all.filter((s) => s.task === 'artifact.obtain').map((s) => [(s.input as { name: string }).name, (s.input as { version: string }).version]),
  );
  return list.all
    .filter((s) => s.node === node && s.target === 'node' && takesBack(t.tasks(s.task)))
    .reverse()
    .map((s) => ({ ...s, action: 'undo' as const, input: withoutReferences(s.input, t.c.catalog, versions), title: `taken back: ${s.title}` }));
}
/**
 * The context in which an install has every optional step: an earlier spec may have asked for what this one does not ask for any more. Where it
 * never did, the node has kept no `before` of that step, and there is nothing to take back.
 */
function withAllThatMayBe(c: PlanContext): PlanContext {
  const { native } = c.spec;
  const dns = native.dns.servers.length + native.dns.search.length > 0 ? native.dns : { ...native.dns, servers: ['127.0.0.1'] };
  const storage = { ...c.spec.storage, kind: 'juicefs' as const };
  return {
    ...c,
    tunnel: true,
    everything: true,
    nodes: c.nodes.map((n) => ({ ...n, spec: { ...n.spec, hostname: 'set' as const } })),
    spec: { ...c.spec, storage, native: { ...native, dataDir: native.dataDir ?? '/data', dns, ntp: { ...native.ntp, enabled: true }, firewall: 'open-ports' } },
  };
}
const takesBack = (task: Task): boolean => task.changes && typeof task.body.undo === 'function';

/** Chains steps one after the other, the first after `first`. */
export function chained(steps: readonly Step[], first: readonly StepKey[]): Step[] {
  return steps.map((s, i) => ({ ...s, needs: i === 0 ? [...first] : [steps[i - 1]?.key ?? ''] }));
}
export type Skipped = Plan['skipped'];
