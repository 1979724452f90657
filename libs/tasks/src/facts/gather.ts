import type { Facts } from '@strata/model';
import { addressFacts, dnsFacts, listenerFacts } from './network';
import { firewallFacts, packageFacts, packageManager, runtimeFacts } from './software';
import { type FactSource, holds, lines, output, text } from './source';
import {
  bounded,
  CAP_SYS_RESOURCE,
  cgroupFacts,
  deviceFacts,
  diskFacts,
  gpuFacts,
  hostKeyFacts,
  kernelFeatures,
  memoryFacts,
  osFacts,
  securityFacts,
  timeFacts,
  userNamespaceFact,
  volumeGroupFacts,
} from './system';

export type FactName = keyof Facts;

/** How each fact is found. `once` shares what several of them need. */
type Once = <T>(key: string, find: () => Promise<T>) => Promise<T>;
type Find<T> = (source: FactSource, once: Once) => Promise<T>;
const file =
  (path: string): Find<string> =>
  async (source) =>
    ((await source.read(path)) ?? '').trim();
const status = (source: FactSource, once: Once): Promise<string | null> => once('status', () => source.read('/proc/1/status'));
const network = (source: FactSource, once: Once): ReturnType<typeof addressFacts> => once('network', () => addressFacts(source));
const manager = (source: FactSource, once: Once): Promise<Facts['packageManager']> => once('manager', () => packageManager(source));

const finders: { [K in FactName]: Find<Facts[K]> } = {
  hostname: file('/proc/sys/kernel/hostname'),
  machineId: file('/etc/machine-id'),
  bootId: file('/proc/sys/kernel/random/boot_id'),
  os: osFacts,
  kernel: file('/proc/sys/kernel/osrelease'),
  arch: (source) => text(source, ['uname', '-m']),
  init: file('/proc/1/comm'),
  container: async (source) => {
    const kind = lines(await text(source, ['systemd-detect-virt', '--container']))[0] ?? 'none';
    return kind === 'none' ? null : kind;
  },
  cpus: async (source) => Number(await output(source, ['nproc'])) || 1,
  memory: memoryFacts,
  disks: diskFacts,
  addresses: async (source, once) => (await network(source, once)).addresses,
  routes: async (source, once) => (await network(source, once)).routes,
  mtu: async (source, once) => (await network(source, once)).mtu,
  listeners: listenerFacts,
  dns: dnsFacts,
  time: async (source, once) => timeFacts(source, await status(source, once)),
  cgroup: async (source) => cgroupFacts(await source.read('/proc/self/mounts')),
  canLowerOomScore: async (source, once) => bounded(await status(source, once), CAP_SYS_RESOURCE),
  canSetSysctl: (source) => holds(source, '-w', '/proc/sys/net/ipv4/ip_forward'),
  readOnlySysctl: async (source) => !(await holds(source, '-w', '/proc/sys/fs/inotify/max_user_watches')),
  kernelFeatures,
  packageManager: manager,
  packages: async (source, once) => packageFacts(source, await manager(source, once)),
  containerRuntimes: runtimeFacts,
  firewall: firewallFacts,
  security: securityFacts,
  gpus: gpuFacts,
  hostKeys: hostKeyFacts,
  volumeGroups: volumeGroupFacts,
  devices: deviceFacts,
  userNamespace: userNamespaceFact,
  nofile: async (source) => Number(/^Max open files\s+\S+\s+(\d+)/m.exec((await source.read('/proc/1/limits')) ?? '')?.[1] ?? 0),
};

/**
 * What Strata knows about a machine, gathered side by side: all of it, or only the facts named, which is much cheaper.
 * What cannot be read is left at its empty value; nothing is changed.
 */
export async function gatherFacts<K extends FactName = FactName>(source: FactSource, ...only: K[]): Promise<Pick<Facts, K>> {
  const names = only.length > 0 ? only : (Object.keys(finders) as K[]);
  const kept = new Map<string, Promise<unknown>>();
  const once: Once = <T>(key: string, find: () => Promise<T>): Promise<T> => {
    const found = kept.get(key) ?? find();
    kept.set(key, found);
    return found as Promise<T>;
  };
  const found = await Promise.all(names.map(async (name) => [name, await finders[name](source, once)] as const));
  return Object.fromEntries(found) as Pick<Facts, K>;
}

const ownLink = /^(veth|cni|flannel|cali|kube-|nodelocaldns|vb-|strata-tun)/;
/** Interfaces that pods, their network and our own tunnel come and go with. */
export const isPodLink = (name: string): boolean => ownLink.test(name);

/** The part of facts that a plan rests on: without what moves all the time (free space, time, listeners, pods' interfaces). Hash its canonical JSON. */
export function stableFacts(facts: Facts): unknown {
  const { listeners: _listeners, volumeGroups: _volumeGroups, time, memory, disks, packages, ...rest } = facts;
  return {
    ...rest,
    addresses: facts.addresses.filter((a) => !isPodLink(a.interface)),
    routes: facts.routes.filter((r) => !isPodLink(r.interface)),
    mtu: Object.fromEntries(Object.entries(facts.mtu).filter(([name]) => !isPodLink(name))),
    firewall: { dropsInput: facts.firewall.dropsInput },
    time: { service: time.service, canSet: time.canSet },
    memory: { total: memory.total, limit: memory.limit, swap: memory.swap },
    disks: disks.map((d) => ({ mount: d.mount, type: d.type, size: d.size })),
    packages: { unattendedUpgrades: packages.unattendedUpgrades },
  };
}
