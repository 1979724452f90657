import { labNetwork, natNetwork, secondCard } from './address-plan';

/** One file to write into a node's root; `mode` defaults to 0644. A `link` is a symbolic link to that target, `copyOf` a file of this machine. */
export type NodeFile =
  | { readonly path: string; readonly text: string; readonly mode?: number }
  | { readonly path: string; readonly link: string }
  | { readonly path: string; readonly copyOf: string };

/**
 * Kernel settings that a node may write: each gets a private file bound over the machine's one, with the value that a machine boots with.
 * The real ones belong to the whole machine, and nspawn shows them read-only.
 */
export const privateSysctls: Readonly<Record<string, string>> = {
  'fs.inotify.max_user_instances': '128',
  'fs.inotify.max_user_watches': '65536',
  'kernel.keys.root_maxbytes': '25000000',
  'kernel.keys.root_maxkeys': '1000000',
  'kernel.panic': '0',
  'kernel.panic_on_oops': '0',
  'vm.max_map_count': '65530',
  'vm.overcommit_memory': '0',
  'vm.panic_on_oom': '0',
  'vm.swappiness': '60',
};

/** What a real machine has and an nspawn node lacks. Runs first at each boot. */
const prepScript = `#!/bin/sh
mount --make-rshared /
mount -o remount,rw,nosuid,nodev,noexec /sys/fs/cgroup 2>/dev/null
# nspawn mounts the v1 controllers read-only
while read -r _ dir type opts _; do
  case "$type:$dir" in
    cgroup:/sys/fs/cgroup/systemd) ;;
    cgroup:/sys/fs/cgroup/*) mount -o remount,bind,rw,nosuid,nodev,noexec "$dir" || exit 1 ;;
  esac
done < /proc/self/mounts
[ -e /sys/fs/cgroup/cpuset/cgroup.clone_children ] && echo 1 > /sys/fs/cgroup/cpuset/cgroup.clone_children
# settings of the kernel: private ones, the real ones belong to the whole machine
mkdir -p /run/lab
while read -r key value; do
  real=/proc/sys/$(echo "$key" | tr . /)
  [ -e "$real" ] || continue
  echo "$value" > "/run/lab/$key"
  mount --bind "/run/lab/$key" "$real" || exit 1
done < /etc/lab/sysctl
exit 0
`;

const prepUnit = `[Unit]
Description=lab node preparation
DefaultDependencies=no
After=local-fs.target
Before=sysinit.target systemd-sysctl.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/lab-prep
[Install]
WantedBy=sysinit.target
`;

/** The file that gives a node its address at every boot. */
export const networkFile = (slot: number, address: string, gateway = labNetwork(slot).hostAddress): NodeFile => ({
  path: '/etc/systemd/network/10-host0.network',
  text: `[Match]\nName=host0\n[Network]\nAddress=${address}/24\nGateway=${gateway}\nLinkLocalAddressing=no\n`,
});
/** The same for a node behind a NAT. */
export const natNetworkFile = (slot: number, address: string): NodeFile => networkFile(slot, address, natNetwork(slot).routerInside);

/** The same for its second card, which leads nowhere else. */
export const secondCardFile = (address: string): NodeFile => ({
  path: `/etc/systemd/network/11-${secondCard}.network`,
  text: `[Match]\nName=${secondCard}\n[Network]\nAddress=${address}/24\nLinkLocalAddressing=no\n[Link]\nRequiredForOnline=no\n`,
});

export interface NodeIdentity {
  readonly name: string;
  readonly address: string;
  readonly slot: number;
  /** Public key line that may log in as root and ops. */
  readonly authorizedKey: string;
  readonly nameservers: readonly string[];
}

/** Files that make a root file system this node. Written once, before its first boot. */
export function nodeFiles(node: NodeIdentity): NodeFile[] {
  const key = `${node.authorizedKey.trim()}\n`;
  return [
    networkFile(node.slot, node.address),
    // systemd-networkd keeps its hands off the container network's links
    { path: '/etc/systemd/network/05-cni.network', text: '[Match]\nName=cni* flannel* veth*\n[Link]\nUnmanaged=yes\n' },
    { path: '/etc/hostname', text: `${node.name}\n` },
    { path: '/etc/hosts', text: `127.0.0.1 localhost\n${node.address} ${node.name}\n` },
    { path: '/etc/resolv.conf', text: node.nameservers.map((n) => `nameserver ${n}\n`).join('') },
    { path: '/root/.ssh/authorized_keys', text: key, mode: 0o600 },
    {
      path: '/etc/lab/sysctl',
      text: Object.entries(privateSysctls)
        .map(([k, v]) => `${k} ${v}\n`)
        .join(''),
    },
    { path: '/usr/local/sbin/lab-prep', text: prepScript, mode: 0o755 },
    { path: '/etc/systemd/system/lab-prep.service', text: prepUnit },
    { path: '/etc/systemd/system/sysinit.target.wants/lab-prep.service', link: '../lab-prep.service' },
    // else a halt waits 90 s for processes in containers that ignore SIGTERM
    { path: '/etc/systemd/system.conf.d/lab.conf', text: '[Manager]\nDefaultTimeoutStopSec=8s\n' },
  ];
}

/** `/etc/hosts` with a node's own line changed to its new address; other lines stay. */
export const hostsWithAddress = (hosts: string, node: string, address: string): string =>
  hosts
    .split('\n')
    .map((line) => (line.split(/\s+/).slice(1).includes(node) && !line.startsWith('127.') ? `${address} ${node}` : line))
    .join('\n');
