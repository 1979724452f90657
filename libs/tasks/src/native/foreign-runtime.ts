import type { Finding } from '@strata/model';
import type { Host } from '../ports/host';
import { type ContainerRuntime, mayStay } from '../runtime-place';
import { blocker } from './findings';

export type ForeignRuntime = ContainerRuntime & { words: string };

/** Container runtimes of this machine that are not ours, with words for each. */
export async function foreignRuntimes(host: Host): Promise<ForeignRuntime[]> {
  const { containerRuntimes } = await host.facts('containerRuntimes');
  return containerRuntimes.filter((r) => !r.ours).map((r) => ({ ...r, words: wordsOf(r) }));
}
const wordsOf = (r: ContainerRuntime): string =>
  [r.kind, r.version, r.package && `package ${r.package}`, r.unit && `unit ${r.unit}`, r.socket && `socket ${r.socket}`].filter(Boolean).join(', ');

/** Why this machine's foreign runtimes do not let us go on under the policy; empty if they do. podman has no daemon in anybody's way. */
export async function refusal(host: Host, policy: 'refuse' | 'adopt'): Promise<Finding[]> {
  const found = (await foreignRuntimes(host)).filter((r) => r.kind !== 'podman');
  return found.filter((r) => policy === 'refuse' || !mayStay(r)).map((r) => (mayStay(r) ? refused(r) : impossible(r)));
}
const refused = (r: ForeignRuntime): Finding =>
  blocker('runtime.foreign', `another container runtime is here: ${r.words}`, `set \`native.containerd.foreign: adopt\`: then it is left as it is and goes on, and the cluster's own containerd runs beside it; or ${removal(r)}`); // prettier-ignore
const impossible = (r: ForeignRuntime): Finding =>
  blocker('runtime.not-adoptable', `${r.words} cannot share a machine with a node of this cluster`, `take another machine, or ${removal(r)}; Strata never removes it`); // prettier-ignore

/** How its owner takes a runtime off the machine. */
function removal(r: ForeignRuntime): string {
  if (r.package?.startsWith('snap ')) return `remove it (\`snap remove ${r.package.slice(5)}\`)`;
  if (r.kind === 'k3s') return 'remove it (`k3s-uninstall.sh`, on an agent `k3s-agent-uninstall.sh`)';
  return r.package ? `remove it (\`apt-get purge ${r.package}\`)` : 'remove it';
}
