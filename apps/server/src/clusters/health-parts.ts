import type { ClusterHealth, HealthPart, NodeView, PodsView } from '@strata/model';
import type { ClusterNode } from '@strata/tasks';

/** From here on a clock is named: certificates, tokens and leases are judged wrongly then. The same limit as in `strata doctor`. */
const skewMs = 60_000;
type Layer = ClusterHealth['layers'][number];

/** What to do about something that an apply makes: not another one while a run is at work, which may be about to. */
const makes = (run: string | null, otherwise: string): string => (run === null ? otherwise : `run ${run} is at work: strata runs watch ${run}`);

/** Each machine by its agent, and its shared mount where it has one. `run`: the one that is at work. */
export function nativeParts(nodes: readonly NodeView[], run: string | null): HealthPart[] {
  return nodes.filter((n) => n.state !== 'removed').map((n) => {
    const wrong = nodeTrouble(n, run);
    return { what: n.name, ok: wrong === null, words: wrong ?? `its agent ${n.agentVersion ?? ''} answers${n.storage ? `, ${n.storage.path} is mounted` : ''}` };
  });
} // prettier-ignore
function nodeTrouble({ state, online, lastSeenAt, skewMs: skew, storage }: NodeView, run: string | null): string | null {
  if (state === 'planned') return `it has no agent yet: ${makes(run, 'strata apply, or its join command')}`;
  if (!online) return `its agent has no session${lastSeenAt === null ? '' : `, it was heard last at ${lastSeenAt}`}: strata doctor tells why`;
  if (storage && storage.state !== 'ok') return `${storage.path}: ${storage.words}`;
  return skew !== null && Math.abs(skew) > skewMs ? `its clock is ${Math.round(Math.abs(skew) / 1000)} s ${skew > 0 ? 'ahead of' : 'behind'} the control server's` : null;
} // prettier-ignore

/** A cluster that no kubeconfig is kept of. */
export const noApi = (run: string | null): HealthPart => ({
  what: 'API',
  ok: false,
  words: `there is no Kubernetes yet, or no more: ${makes(run, 'strata apply')}`,
});

/** What the API says of each node that has an agent. */
export function kubernetesParts(names: readonly string[], found: readonly ClusterNode[], run: string | null): HealthPart[] {
  return names.map((name) => {
    const node = found.find((n) => n.name === name);
    if (!node) return { what: name, ok: false, words: `Kubernetes knows no such node: ${makes(run, 'strata apply joins it')}` };
    if (!node.ready) return { what: name, ok: false, words: `not Ready: ${node.message || 'no reason was given'}` };
    return { what: name, ok: true, words: `Ready, ${node.version}${node.unschedulable ? ', cordoned: no new pod comes there' : ''}` };
  });
}

/** The pods of a layer in one line, and one for each that something is wrong with. */
export function podParts({ pods, behind }: PodsView, layer: Layer['layer']): HealthPart[] {
  const mine = pods.filter((p) => p.layer === layer);
  if (mine.length === 0 && behind === null) return [];
  const wrong = mine.filter((p) => p.trouble !== null).map((p) => ({ what: `${p.namespace}/${p.name}`, ok: false, words: p.trouble ?? '' }));
  const all = `${mine.length} ${mine.length === 1 ? 'pod' : 'pods'}${wrong.length === 0 ? '' : `, something is wrong with ${wrong.length}`}`;
  return [{ what: 'pods', ok: wrong.length === 0 && behind === null, words: behind === null ? all : `${all}, as far as is known: ${behind}` }, ...wrong];
}

/** A layer is well when all its parts are. */
export const layerOf = (layer: Layer['layer'], parts: HealthPart[]): Layer => ({ layer, ok: parts.every((p) => p.ok), parts });
