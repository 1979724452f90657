import { manifestsApply } from '@strata/tasks';
import type { PlanContext } from './context';
import type { Distribution } from './distribution';
import type { Steps } from './steps';

/** The containerized layer: each bundle after the one before it, when all nodes that are here can take its pods. */
export function bundles(on: Steps, c: PlanContext, d: Distribution): void {
  on.phase('activate');
  const line = on.line(null, d.networkReady, ...c.nodes.map((n) => d.nodeReady(n.name)));
  for (const { name, content } of c.bundles)
    line.step(manifestsApply, { bundle: name, objects: content.objects, gates: content.gates }, { as: name, title: `bundle ${name} runs` });
}
