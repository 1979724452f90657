import type { Facts } from '@strata/model';
import { z } from 'zod';

/**
 * Whose containerd runs the cluster's containers on a machine.
 * - `own`: ours, at the usual places of containerd, on a machine that has no other;
 * - `beside`: ours, at places that nobody else uses, because a runtime of somebody else has the usual ones;
 * - `adopted`: somebody else's, as it is, because it serves Kubernetes already.
 */
export const RuntimePlace = z.enum(['own', 'beside', 'adopted']);
export type RuntimePlace = z.infer<typeof RuntimePlace>;

/** Where a containerd and all that belongs to it is. */
export interface RuntimePaths {
  unit: string;
  unitFile: string;
  socket: string;
  binaries: string;
  ctr: string;
  runc: string;
  config: string;
  /** Folder of registries' settings, one folder a registry. */
  registries: string;
  data: string;
  state: string;
  nri: string;
  opt: string;
  cniBin: string;
  cniConf: string;
}
const usual: RuntimePaths = {
  unit: 'containerd.service',
  unitFile: '/etc/systemd/system/containerd.service',
  socket: '/run/containerd/containerd.sock',
  binaries: '/usr/local/bin',
  ctr: '/usr/local/bin/ctr',
  runc: '/usr/local/bin/runc',
  config: '/etc/containerd/config.toml',
  registries: '/etc/containerd/certs.d',
  data: '/var/lib/containerd',
  state: '/run/containerd',
  nri: '/run/nri',
  opt: '/opt/containerd',
  cniBin: '/opt/cni/bin',
  cniConf: '/etc/cni/net.d',
};
/** The one table that says where the runtime is: kubelet, kubeadm, crictl, image import and undo all go by it. */
export const runtimePaths: Readonly<Record<RuntimePlace, RuntimePaths>> = {
  own: usual,
  adopted: { ...usual, ctr: 'ctr' }, // wherever its package put it
  beside: {
    unit: 'strata-containerd.service',
    unitFile: '/etc/systemd/system/strata-containerd.service',
    socket: '/run/strata/containerd/containerd.sock',
    // not on the PATH: dockerd and other runtimes take the first `runc` and the first shim that they find there
    binaries: '/opt/strata/runtime/bin',
    ctr: '/opt/strata/runtime/bin/ctr',
    runc: '/opt/strata/runtime/bin/runc',
    config: '/etc/strata/containerd/config.toml',
    registries: '/etc/strata/containerd/certs.d',
    data: '/var/lib/strata/containerd',
    state: '/run/strata/containerd',
    nri: '/run/strata/nri',
    opt: '/opt/strata/runtime/opt',
    cniBin: '/opt/strata/runtime/cni',
    cniConf: '/etc/cni/strata.d', // podman and others keep networks of their own in net.d, and the first file there wins
  },
};
/** Every folder in which a node's network configuration may be looked for: flannel puts it into each. */
export const cniConfFolders: readonly string[] = [...new Set(Object.values(runtimePaths).map((p) => p.cniConf))];

export type ContainerRuntime = Facts['containerRuntimes'][number];
/** Runtimes of somebody else that share nothing with ours but the network's folders, or that we stay clear of. */
const besides = new Set(['docker', 'containerd', 'podman']);
/** Whether the policy may let a runtime stay: those that come with a kubelet of their own may not. */
export const mayStay = (r: Pick<ContainerRuntime, 'kind'>): boolean => besides.has(r.kind);

/** Whether somebody else's containerd can be used as it is: containerd 2 with its CRI plugin on and the network where ours is put. */
export const servesKubernetes = (r: ContainerRuntime): boolean =>
  r.kind === 'containerd' && r.socket === usual.socket && r.cri === true && Number(/^(?:\d+:)?v?(\d+)\./.exec(r.version ?? '')?.[1] ?? 0) >= 2;

/** Where the runtime of a machine is, or is to be. Once ours is there it stays where it is. */
export function runtimePlace({ containerRuntimes: all }: Pick<Facts, 'containerRuntimes'>): RuntimePlace {
  const ours = all.filter((r) => r.ours).map((r) => r.unit);
  if (ours.includes(runtimePaths.beside.unit)) return 'beside';
  if (ours.includes(usual.unit)) return 'own';
  const others = all.filter((r) => !r.ours && mayStay(r));
  if (others.some(servesKubernetes)) return 'adopted';
  return others.length > 0 ? 'beside' : 'own';
}
