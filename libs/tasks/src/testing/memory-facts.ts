import type { Facts } from '@strata/model';

/** A machine as the lab's are, without any of its limits: Debian 12, two cores, one address. */
export function bareFacts(name: string, address: string): Facts {
  return {
    hostname: name,
    machineId: `machine-${name}`,
    bootId: `boot-${name}-1`,
    os: { id: 'debian', version: '12', name: 'Debian GNU/Linux 12 (bookworm)', idLike: [] },
    kernel: '6.1.0-18-amd64',
    arch: 'x86_64',
    init: 'systemd',
    container: null,
    cpus: 2,
    memory: { total: 8e9, available: 7e9, limit: null, swap: 0 },
    disks: [{ mount: '/', type: 'ext4', size: 200e9, free: 150e9, inodesFree: 10e6 }],
    addresses: [{ interface: 'eth0', address, prefix: 24, mac: '02:00:00:00:00:01' }],
    routes: [{ destination: 'default', gateway: address.replace(/\d+$/, '1'), interface: 'eth0', metric: 0 }],
    mtu: { eth0: 1500 },
    listeners: [{ proto: 'tcp', address: '0.0.0.0', port: 22, pid: 101, process: 'sshd', unit: 'ssh.service' }],
    dns: { servers: ['192.0.2.53'], search: [], managedBy: 'file', target: null },
    time: { wallMs: 0, service: null, synchronized: false, canSet: true },
    cgroup: 'v2',
    canLowerOomScore: true,
    canSetSysctl: true,
    readOnlySysctl: false,
    kernelFeatures: { nftables: true, vxlan: true, fuse: true, overlay: true, br_netfilter: true, conntrack: true },
    packageManager: 'apt',
    packages: { interrupted: false, lockHolder: null, unattendedUpgrades: false },
    containerRuntimes: [],
    firewall: { tools: [], dropsInput: false, dropsForward: false },
    security: { selinux: 'disabled', apparmor: false },
    gpus: [],
    hostKeys: ['SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU'],
    nofile: 524288,
  };
}
