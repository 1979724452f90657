import { z } from 'zod';

export const Listener = z.object({
  proto: z.enum(['tcp', 'udp']),
  address: z.string(),
  port: z.int(),
  pid: z.int().nullable(),
  process: z.string().nullable(),
  unit: z.string().nullable(),
});
export type Listener = z.infer<typeof Listener>;

/** What a node reports it is. Gathered by the agent on its machine, or by the server over SSH before there is an agent. Sizes in bytes. */
export const Facts = z
  .object({
    hostname: z.string(),
    machineId: z.string(),
    bootId: z.string(),
    os: z.object({ id: z.string(), version: z.string(), name: z.string(), idLike: z.array(z.string()) }),
    kernel: z.string(),
    arch: z.string(), // as `uname -m`
    init: z.string(), // comm of pid 1
    container: z.string().nullable(), // lxc, systemd-nspawn, docker, ... or null
    cpus: z.int(),
    memory: z.object({ total: z.int(), available: z.int(), limit: z.int().nullable(), swap: z.int() }), // limit: the cgroup's, if any
    disks: z.array(z.object({ mount: z.string(), type: z.string(), size: z.int(), free: z.int(), inodesFree: z.int() })),
    addresses: z.array(z.object({ interface: z.string(), address: z.string(), prefix: z.int(), mac: z.string() })),
    routes: z.array(z.object({ destination: z.string(), gateway: z.string().nullable(), interface: z.string(), metric: z.int() })),
    mtu: z.record(z.string(), z.int()),
    listeners: z.array(Listener),
    dns: z.object({
      servers: z.array(z.string()),
      search: z.array(z.string()),
      managedBy: z.string(),
      target: z.string().nullable(),
      wildcard: z.array(z.string()).optional(),
    }), // wildcard: search domains under which any name resolves; file | systemd-resolved | networkmanager | resolvconf
    time: z.object({
      wallMs: z.number(),
      service: z.string().nullable(),
      synchronized: z.boolean(),
      canSet: z.boolean().optional(),
      zone: z.string().optional(),
    }), // canSet false: the clock is the container host's
    cgroup: z.enum(['v1', 'v2', 'hybrid']),
    canLowerOomScore: z.boolean(),
    canSetSysctl: z.boolean(),
    readOnlySysctl: z.boolean(),
    kernelFeatures: z.record(z.string(), z.boolean()), // nftables, vxlan, fuse, overlay, br_netfilter, conntrack
    packageManager: z.enum(['apt', 'dnf']).nullable(),
    packages: z.object({ interrupted: z.boolean(), lockHolder: z.string().nullable(), unattendedUpgrades: z.boolean() }),
    containerRuntimes: z.array(
      z.object({
        kind: z.string(),
        version: z.string().nullable(),
        package: z.string().nullable(),
        unit: z.string().nullable(),
        socket: z.string().nullable(),
        ours: z.boolean(),
        cri: z.boolean().optional(), // containerd of somebody else: whether a kubelet could use it as it is
      }),
    ),
    firewall: z.object({ tools: z.array(z.string()), dropsInput: z.boolean(), dropsForward: z.boolean(), chains: z.array(z.string()).optional() }), // chains: those that drop, with the tool that keeps them
    security: z.object({ selinux: z.string(), apparmor: z.boolean() }),
    gpus: z.array(z.object({ vendor: z.string(), model: z.string() })),
    hostKeys: z.array(z.string()), // SHA256:... of the ssh host keys
    volumeGroups: z.array(z.object({ name: z.string(), free: z.int() })).optional(), // of LVM
    devices: z.record(z.string(), z.boolean()).optional(), // /dev/kmsg, /dev/fuse, /dev/net/tun
    userNamespace: z.boolean().optional(), // root here is nobody on the machine around: an unprivileged container
    nofile: z.int(), // hard limit of open files for a service
  })
  .meta({ id: 'Facts' });
export type Facts = z.infer<typeof Facts>;

/** A yes/no derived from facts, so that tasks and planner never look at raw numbers. */
export interface Capabilities {
  lowerOomScore: boolean;
  kernelNftables: boolean; // kube-proxy's nftables mode wants kernel >= 5.13
  cgroupV1: boolean;
  container: boolean;
  gpu: boolean;
  fuse: boolean;
  setSysctl: boolean;
}
/** [major, minor] of a kernel release such as `6.1.0-18-amd64`. */
export function kernelVersion(release: string): [number, number] {
  const m = /^(\d+)\.(\d+)/.exec(release);
  return m ? [Number(m[1]), Number(m[2])] : [0, 0];
}
export function capabilities(f: Facts): Capabilities {
  const [major, minor] = kernelVersion(f.kernel);
  return {
    lowerOomScore: f.canLowerOomScore,
    kernelNftables: major > 5 || (major === 5 && minor >= 13),
    cgroupV1: f.cgroup !== 'v2',
    container: f.container !== null,
    gpu: f.gpus.length > 0,
    fuse: f.kernelFeatures.fuse ?? false,
    setSysctl: f.canSetSysctl,
  };
}
/** Memory that a workload may really use: the smaller of MemTotal and the cgroup's limit. Bytes. */
export const usableMemory = (f: Pick<Facts, 'memory'>): number => Math.min(f.memory.total, f.memory.limit ?? Infinity);
