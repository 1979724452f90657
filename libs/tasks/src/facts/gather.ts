import type { Facts } from '@strata/model';
import { addressFacts, dnsFacts, listenerFacts } from './network';
import { firewallFacts, packageFacts, packageManager, runtimeFacts } from './software';
import { type FactSource, holds, lines, output, text } from './source';
import {
  bounded,
  CAP_SYS_RESOURCE,
  cgroupFacts,
  diskFacts,
  gpuFacts,
  hostKeyFacts,
  kernelFeatures,
  memoryFacts,
  osFacts,
  securityFacts,
  timeFacts,
} from './system';

/** Everything Strata knows about a machine, gathered side by side. What cannot be read is left at its empty value; nothing is changed. */
export async function gatherFacts(source: FactSource): Promise<Facts> {
  const one = async (path: string): Promise<string> => ((await source.read(path)) ?? '').trim();
  const [status, mounts, limits] = await Promise.all([source.read('/proc/1/status'), source.read('/proc/self/mounts'), source.read('/proc/1/limits')]);
  const [hostname, machineId, bootId, kernel, init] = await Promise.all(
    ['/proc/sys/kernel/hostname', '/etc/machine-id', '/proc/sys/kernel/random/boot_id', '/proc/sys/kernel/osrelease', '/proc/1/comm'].map(one),
  );
  const [arch, cpus, container] = await Promise.all([
    text(source, ['uname', '-m']),
    output(source, ['nproc']),
    text(source, ['systemd-detect-virt', '--container']),
  ]);
  const [os, memory, disks, network, listeners, dns, time] = await Promise.all([
    osFacts(source), memoryFacts(source), diskFacts(source), addressFacts(source), listenerFacts(source), dnsFacts(source), timeFacts(source, status),
  ]); // prettier-ignore
  const [features, manager, runtimes, firewall, security, gpus, hostKeys] = await Promise.all([
    kernelFeatures(source), packageManager(source), runtimeFacts(source), firewallFacts(source), securityFacts(source), gpuFacts(source), hostKeyFacts(source),
  ]); // prettier-ignore
  const [netSysctl, globalSysctl, packages] = await Promise.all([
    holds(source, '-w', '/proc/sys/net/ipv4/ip_forward'),
    holds(source, '-w', '/proc/sys/fs/inotify/max_user_watches'),
    packageFacts(source, manager),
  ]);
  return {
    hostname: hostname ?? '', machineId: machineId ?? '', bootId: bootId ?? '', os, kernel: kernel ?? '', arch, init: init ?? '',
    container: container === '' || container === 'none' ? null : (lines(container)[0] ?? null),
    cpus: Number(cpus) || 1,
    memory, disks, ...network, listeners, dns, time,
    cgroup: cgroupFacts(mounts),
    canLowerOomScore: bounded(status, CAP_SYS_RESOURCE),
    canSetSysctl: netSysctl,
    readOnlySysctl: !globalSysctl,
    kernelFeatures: features, packageManager: manager, packages, containerRuntimes: runtimes, firewall, security, gpus, hostKeys,
    nofile: Number(/^Max open files\s+\S+\s+(\d+)/m.exec(limits ?? '')?.[1] ?? 0),
  }; // prettier-ignore
}

const ownLink = /^(veth|cni|flannel|cali|kube-|nodelocaldns|vb-)/;
/** Interfaces that pods and the pod network come and go with. */
export const isPodLink = (name: string): boolean => ownLink.test(name);

/** The part of facts that a plan rests on: without what moves all the time (free space, time, listeners, pods' interfaces). Hash its canonical JSON. */
export function stableFacts(facts: Facts): unknown {
  const { listeners: _listeners, time, memory, disks, packages, ...rest } = facts;
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
