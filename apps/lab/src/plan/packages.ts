/** The Debian release of every lab node. */
export const suite = 'bookworm';

/** A bare machine: what it needs to boot, to be reached, and to install more. Nothing else but their dependencies. */
export const barePackages = ['systemd', 'systemd-sysv', 'dbus', 'apt', 'openssh-server', 'iproute2'] as const;

/** What Strata's native layer installs; the `ready` base has it already, so warm runs need no package download. */
export const readyPackages = [
  'ca-certificates',
  'chrony',
  'conntrack',
  'curl',
  'ethtool',
  'fuse3',
  'gcc',
  'iptables',
  'iputils-ping',
  'kmod',
  'libc6-dev',
  'net-tools',
  'netbase',
  'nftables',
  'openssl',
  'procps',
  'socat',
  'sudo',
] as const;

export type BaseName = 'bare' | 'ready';
export const packagesOf = (base: BaseName): string[] => (base === 'bare' ? [...barePackages] : [...barePackages, ...readyPackages]);

/** Timers that would take the package lock behind a test's back, and units that make no sense on a node without devices of its own. */
export const disabledUnits = [
  'apt-daily.timer',
  'apt-daily-upgrade.timer',
  'dpkg-db-backup.timer',
  'e2scrub_all.timer',
  'e2scrub_reap.service',
  'fstrim.timer',
  'systemd-networkd-wait-online.service',
];
export const maskedUnits = [
  'systemd-udevd.service',
  'systemd-udev-trigger.service',
  'systemd-udevd-kernel.socket',
  'systemd-udevd-control.socket',
  'sys-kernel-debug.mount',
  'sys-kernel-tracing.mount',
  'dev-hugepages.mount',
];

/** What the lab itself runs on the host: program -> Debian package. */
export const hostPrograms: Readonly<Record<string, string>> = {
  debootstrap: 'debootstrap',
  'systemd-nspawn': 'systemd-container',
  nft: 'nftables',
  ip: 'iproute2',
  tc: 'iproute2',
  'ssh-keygen': 'openssh-client',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
  flock: 'util-linux',
  mount: 'mount',
  'mkfs.ext4': 'e2fsprogs',
};
