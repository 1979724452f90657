import { type Listener, Role } from '@strata/model';
import { z } from 'zod';
import { definePrecheck } from '../define-task';
import type { Host } from '../ports/host';
import { blocker } from './findings';

interface Need {
  proto: 'tcp' | 'udp';
  port: number;
  what: string;
  holders: readonly string[];
}
const everyNode: readonly Need[] = [
  { proto: 'tcp', port: 10250, what: 'kubelet', holders: ['kubelet', 'k3s-server', 'k3s-agent', 'k3s'] },
  { proto: 'tcp', port: 10256, what: 'the health of kube-proxy', holders: ['kube-proxy', 'k3s-server', 'k3s-agent', 'k3s'] },
  { proto: 'udp', port: 8472, what: 'the pod network (vxlan)', holders: [] },
];
const controlPlane: readonly Need[] = [
  { proto: 'tcp', port: 6443, what: 'the Kubernetes API', holders: ['kube-apiserver', 'k3s-server', 'k3s'] },
  { proto: 'tcp', port: 2379, what: 'etcd', holders: ['etcd', 'k3s-server', 'k3s'] },
  { proto: 'tcp', port: 2380, what: 'etcd', holders: ['etcd', 'k3s-server', 'k3s'] },
  { proto: 'tcp', port: 10257, what: 'kube-controller-manager', holders: ['kube-controller-manager', 'kube-controller', 'k3s-server', 'k3s'] },
  { proto: 'tcp', port: 10259, what: 'kube-scheduler', holders: ['kube-scheduler', 'k3s-server', 'k3s'] },
];

/** Whether a Kubernetes that runs here was installed by Strata: then its own processes may hold its ports. */
async function oursRuns(host: Host): Promise<boolean> {
  for (const path of ['/etc/kubernetes/strata', '/etc/rancher/k3s/strata']) if ((await host.files.stat(path)) !== null) return true;
  return false;
}
const who = (l: Listener): string => (l.process === null ? 'an unknown process' : `${l.process} (pid ${l.pid ?? '?'}${l.unit ? `, ${l.unit}` : ''})`);
const remedy = (l: Listener): string => {
  if (l.unit?.endsWith('.service')) return `stop it (\`systemctl disable --now ${l.unit}\`), or give it another port`;
  return l.pid === null ? 'find it (`ss -lntup`) and stop it' : `stop process ${l.pid}, or give it another port`;
};

/** Ports that will be used, and which process and unit holds one that is taken. */
export const precheckPorts = definePrecheck({
  name: 'precheck.ports', version: 1,
  title: 'The ports of Kubernetes are free',
  input: z.strictObject({ role: Role }),
  async look({ host, input }) {
    const { listeners } = await host.facts('listeners');
    const ours = await oursRuns(host);
    const needs = input.role === 'control-plane' ? [...controlPlane, ...everyNode] : everyNode;
    return needs.flatMap((need) => {
      const taken = listeners.find((l) => l.proto === need.proto && l.port === need.port && !(ours && (l.process === null || need.holders.includes(l.process))));
      return taken ? [blocker('port.taken', `port ${need.port}/${need.proto}, which ${need.what} needs, is held by ${who(taken)}`, remedy(taken))] : [];
    });
  },
}); // prettier-ignore
