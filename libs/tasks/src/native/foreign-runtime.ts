import type { Facts, Finding } from '@strata/model';
import type { Host } from '../ports/host';
import { blocker } from './findings';

type Runtime = Facts['containerRuntimes'][number];

/** Container runtimes of this machine that are not ours, with words for each. podman has no daemon in our way. */
export async function foreignRuntimes(host: Host): Promise<(Runtime & { words: string })[]> {
  const { containerRuntimes } = await host.facts('containerRuntimes');
  return containerRuntimes
    .filter((r) => !r.ours && r.kind !== 'podman')
    .map((r) => ({ ...r, words: [r.kind, r.version, r.package && `package ${r.package}`, r.unit && `unit ${r.unit}`].filter(Boolean).join(', ') }));
}

/** Why this machine's foreign runtimes do not let us go on under the policy; empty if they do. */
export async function refusal(host: Host, policy: 'refuse' | 'adopt'): Promise<Finding[]> {
  const found = await foreignRuntimes(host);
  if (policy === 'refuse')
    return found.map(
      (r) =>
      blocker('runtime.foreign', `another container runtime is here: ${r.words}`, adoptable(r) ? `remove it${r.package ? ` (\`apt-get purge ${r.package}\`)` : ''}, or set \`native.containerd.foreign: adopt\` to use it as it is` : `remove it${r.package ? ` (\`apt-get purge ${r.package}\`)` : ''}`), // prettier-ignore
    );
  const others = found
    .filter((r) => !adoptable(r))
    .map((r) => blocker('runtime.not-adoptable', `${r.words} cannot be used by Kubernetes`, 'remove it, or run it on another machine'));
  const containerd = found.find((r) => r.kind === 'containerd');
  if (containerd && /^\s*disabled_plugins\s*=\s*\[[^\]]*["']cri["']/m.test((await host.files.read('/etc/containerd/config.toml')) ?? ''))
    others.push(blocker('runtime.cri-disabled', `${containerd.words} has its CRI plugin turned off in /etc/containerd/config.toml (Docker's package does that)`, 'take "cri" out of disabled_plugins there and restart containerd, or remove it')); // prettier-ignore
  if (containerd?.version && Number(/^(?:\d+:)?(\d+)/.exec(containerd.version)?.[1]) < 2)
    others.push(blocker('runtime.old', `${containerd.words} is older than 2.0`, 'upgrade it to containerd 2, or remove it and let Strata install its own'));
  return others;
}
/** Docker is adopted together with its containerd. */
const adoptable = (r: Runtime): boolean => r.kind === 'containerd' || r.kind === 'docker';
