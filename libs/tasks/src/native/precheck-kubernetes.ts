import type { Finding } from '@strata/model';
import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { strataMark } from '../facts/software';
import type { Host } from '../ports/host';
import { blocker, info } from './findings';

interface Known {
  name: string;
  packages: readonly string[];
  units: readonly string[];
  paths: readonly string[];
  /** How its owner takes it off the machine; the packages that were found are named besides. */
  remedy: string;
}
/** Clusters that a machine may be a node of already, or may have been: their packages, units and what they leave behind. */
const clusters: readonly Known[] = [
  {
    name: 'Kubernetes',
    packages: ['kubelet', 'kubeadm', 'kubernetes-cni', 'kubernetes-node', 'kubernetes-master'],
    units: ['kubelet.service'],
    paths: ['/etc/kubernetes', '/var/lib/etcd', '/etc/systemd/system/kubelet.service.d', '/etc/default/kubelet', '/etc/sysconfig/kubelet'],
    remedy: 'run `kubeadm reset`',
  },
  {
    name: 'K3s', packages: ['k3s', 'k3s-selinux'], units: ['k3s.service', 'k3s-agent.service'], paths: ['/etc/rancher/k3s', '/var/lib/rancher/k3s'],
    remedy: 'run `k3s-uninstall.sh`, or `k3s-agent-uninstall.sh` on an agent',
  },
  {
    name: 'RKE2', packages: ['rke2-server', 'rke2-agent'], units: ['rke2-server.service', 'rke2-agent.service'],
    paths: ['/etc/rancher/rke2', '/var/lib/rancher/rke2'], remedy: 'run `rke2-uninstall.sh`',
  },
  { name: 'k0s', packages: ['k0s'], units: ['k0scontroller.service', 'k0sworker.service'], paths: ['/etc/k0s', '/var/lib/k0s'], remedy: 'run `k0s reset`' },
  { name: 'MicroK8s', packages: [], units: ['snap.microk8s.daemon-kubelite.service'], paths: ['/var/snap/microk8s'], remedy: 'run `snap remove --purge microk8s`' },
  { name: 'Canonical Kubernetes', packages: [], units: ['snap.k8s.kubelet.service'], paths: ['/var/snap/k8s'], remedy: 'run `snap remove --purge k8s`' },
]; // prettier-ignore
/** Clients: they are in nobody's way. */
const clientPackages = ['kubectl', 'cri-tools'];
const clientSnaps = ['/snap/bin/kubectl', '/snap/bin/docker', '/snap/bin/helm'];

/** Whether this machine is a node of ours: then its kubelet, its K3s and their folders are no strangers. */
async function isOurs(host: Host): Promise<boolean> {
  if ((await host.files.stat('/etc/kubernetes/strata')) !== null) return true;
  for (const unit of ['kubelet.service', 'k3s.service', 'k3s-agent.service'])
    if (((await host.files.read(`/etc/systemd/system/${unit}`)) ?? '').includes(strataMark)) return true;
  return false;
}
/** An empty folder is nobody's. */
async function holdsSomething(host: Host, path: string): Promise<boolean> {
  const stat = await host.files.stat(path);
  return stat !== null && (stat.kind !== 'directory' || (await host.files.list(path)).length > 0);
}
async function findingOf(host: Host, k: Known): Promise<Finding | null> {
  const installed = k.packages.length === 0 ? {} : await host.packages.installed(k.packages);
  const packages = Object.entries(installed).flatMap(([name, version]) => (version === null ? [] : [`${name} ${version}`]));
  const units: string[] = [];
  for (const unit of k.units) if ((await host.units.state(unit)).load === 'loaded') units.push(unit);
  const paths: string[] = [];
  for (const path of k.paths) if (await holdsSomething(host, path)) paths.push(path);
  const parts = [
    packages.length > 0 && `package ${packages.join(', ')}`,
    units.length > 0 && `unit ${units.join(', ')}`,
    paths.length > 0 && `files in ${paths.join(', ')}`,
  ].filter((part) => part !== false);
  if (parts.length === 0) return null;
  const purge = packages.length > 0 ? `, then \`apt-get purge ${packages.map((p) => p.split(' ')[0]).join(' ')}\`` : '';
  const folders = paths.length > 0 ? `, and remove ${paths.join(', ')} if nothing in there is needed` : '';
  return blocker('kubernetes.foreign', `${k.name} of somebody else is here: ${parts.join('; ')}`, `take another machine, or take it off this one: ${k.remedy}${purge}${folders}; Strata never removes it`); // prettier-ignore
}

/** Another cluster's node, running or left over. It is never removed by us: what it holds may be somebody's only copy. */
export const precheckKubernetes = definePrecheck({
  name: 'precheck.kubernetes', version: 1,
  title: 'No other cluster is on the machine',
  input: z.strictObject({}),
  async look({ host }) {
    if (await isOurs(host)) return [];
    const found: Finding[] = [];
    for (const known of clusters) {
      const finding = await findingOf(host, known);
      if (finding) found.push(finding);
    }
    const clients = Object.entries(await host.packages.installed(clientPackages)).flatMap(([name, version]) => (version === null ? [] : [`package ${name} ${version}`]));
    for (const path of clientSnaps) if ((await host.files.stat(path)) !== null) clients.push(`snap ${path.split('/').at(-1) ?? ''}`);
    return [...found, ...clients.map((words) => info('kubernetes.client', `${words} is here and is left as it is`))];
  },
}); // prettier-ignore
