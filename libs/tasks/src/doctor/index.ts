import type { Check, CheckCode } from '@strata/model';
import { Checked, type Looking } from './check';
import { api, apiserver, etcd, manifests } from './control-plane';
import { ownFiles } from './files';
import { agent, clock, disk, memory } from './machine';
import { containerd, credentials, kubelet, names, partsOf, service } from './services';

export { Checked, type Looking } from './check';
export { full as fullDisk } from './machine';

/**
 * Everything that a look at one machine can tell, in the order in which one breaks the next. Changes nothing: it works on a host that only reads, too.
 * A check that cannot be made is `unknown` and stops no other.
 */
export async function lookAtNode(l: Looking): Promise<Check[]> {
  const parts = await partsOf(l.host);
  const wall = async (): Promise<number> => Number((await l.host.programs.run(['date', '+%s'])).stdout) * 1000;
  const all: [CheckCode, string, () => Promise<Check | null>][] = [
    ['node.disk', 'the disks have space', () => disk(l)],
    ['node.memory', 'there is memory left', () => memory(l)],
    ['node.clock', 'the clock is right', () => clock(l)],
    ['node.agent', 'the agent runs', () => agent(l)],
  ];
  if (parts.k3s !== null) {
    const unit = parts.k3s;
    all.push(['node.kubelet', 'K3s runs', () => service(l, unit, { code: 'node.kubelet', title: 'K3s runs', file: `/etc/systemd/system/${unit}` })]);
  }
  if (parts.k3s === null) all.push(['node.containerd', 'the container runtime runs', () => containerd(l)]);
  if (parts.kubernetes) {
    all.push(['node.names', "the cluster's names resolve", () => names(l)]);
    all.push(['node.credentials', 'kubelet has its credentials', async () => credentials(l, await wall())]);
    all.push(['node.kubelet', 'kubelet runs', () => kubelet(l)]);
    if (parts.controlPlane)
      all.push(
        ['node.manifests', 'the control plane is laid out', () => manifests(l)],
        ['node.etcd', 'etcd is well', () => etcd(l)],
        ['node.apiserver', 'the API server is well', () => apiserver(l)],
      );
    all.push(['node.api', "this machine reaches the cluster's API", () => api(l)]);
  }
  all.push(['node.files', 'what Strata wrote is as it was written', () => ownFiles(l)]);
  const found = await Promise.all(all.map(([code, title, look]) => look().catch((e: unknown) => new Checked(code, l.where, title).unknown(e instanceof Error ? e.message : String(e)))));
  return found.filter((c) => c !== null);
} // prettier-ignore
