import type { Facts } from '@strata/model';
import { type FactSource, holds, lines, output, text } from './source';

/** KEY=value lines of /etc/os-release and the like, quotes removed. */
export function keyValues(content: string | null): Record<string, string> {
  return Object.fromEntries(
    lines(content)
      .map((line) => /^\s*([A-Za-z_][\w]*)\s*=\s*(.*?)\s*$/.exec(line))
      .filter((m) => m !== null)
      .map((m) => [m[1] ?? '', (m[2] ?? '').replace(/^(["'])(.*)\1$/, '$2')]),
  );
}

export async function osFacts(source: FactSource): Promise<Facts['os']> {
  const release = keyValues((await source.read('/etc/os-release')) ?? (await source.read('/usr/lib/os-release')));
  return {
    id: release.ID ?? 'unknown',
    version: release.VERSION_ID ?? '',
    name: release.PRETTY_NAME ?? release.NAME ?? 'an unknown system',
    idLike: (release.ID_LIKE ?? '').split(/\s+/).filter(Boolean),
  };
}

const noLimit = 2 ** 60; // cgroup v1 says "no limit" by a number near 2^63
function smallestLimit(...values: (string | null)[]): number | null {
  const limits = values.map((v) => Number(v?.trim() || NaN)).filter((n) => Number.isFinite(n) && n > 0 && n < noLimit);
  return limits.length > 0 ? Math.min(...limits) : null;
}

/** Bytes. The limit is that of the cgroup which the machine, if it is a container, sees as its root. */
export async function memoryFacts(source: FactSource): Promise<Facts['memory']> {
  const info = Object.fromEntries(
    lines(await source.read('/proc/meminfo')).map((l) => [l.split(':')[0] ?? '', Number(/(\d+)/.exec(l.split(':')[1] ?? '')?.[1] ?? 0) * 1024]),
  );
  const [v2, v1, stat] = await Promise.all(
    ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes', '/sys/fs/cgroup/memory/memory.stat'].map((path) => source.read(path)),
  );
  const limit = smallestLimit(v2 ?? null, v1 ?? null, /^hierarchical_memory_limit (\d+)$/m.exec(stat ?? '')?.[1] ?? null);
  return {
    total: info.MemTotal ?? 0,
    available: info.MemAvailable ?? 0,
    limit: limit !== null && limit < (info.MemTotal ?? 0) ? limit : null,
    swap: info.SwapTotal ?? 0,
  };
}

const virtual = new Set(['tmpfs', 'devtmpfs', 'squashfs', 'efivarfs', 'ramfs', 'fuse.lxcfs', 'proc', 'sysfs', 'cgroup', 'cgroup2', 'devpts', 'mqueue']);
export async function diskFacts(source: FactSource): Promise<Facts['disks']> {
  const table = await text(source, ['df', '-l', '-B1', '--output=fstype,size,avail,iavail,target']);
  return lines(table)
    .slice(1)
    .map((line) => /^(\S+)\s+(\d+|-)\s+(\d+|-)\s+(\d+|-)\s+(\/.*)$/.exec(line))
    .filter((m) => m !== null)
    .map(([, type = '', size, free, inodes, mount = '']) => ({
      mount,
      type,
      size: Number(size) || 0,
      free: Number(free) || 0,
      inodesFree: Number(inodes) || 0,
    }))
    .filter((d) => !virtual.has(d.type) && (d.type !== 'overlay' || d.mount === '/') && !/^\/run\/host(\/|$)/.test(d.mount)); // /run/host: what a container's manager lends it
}

export function cgroupFacts(mounts: string | null): Facts['cgroup'] {
  const rows = lines(mounts).map((l) => l.split(' '));
  const at = (path: string): string | undefined => rows.findLast((r) => r[1] === path)?.[2];
  if (at('/sys/fs/cgroup') === 'cgroup2') return 'v2';
  return at('/sys/fs/cgroup/unified') === 'cgroup2' ? 'hybrid' : 'v1';
}

/** Whether pid 1, and so every service, may ever hold this capability (its number in linux/capability.h). */
export function bounded(status: string | null, capability: number): boolean {
  const set = /^CapBnd:\s*([0-9a-f]+)$/m.exec(status ?? '')?.[1];
  return set !== undefined && ((BigInt(`0x${set}`) >> BigInt(capability)) & 1n) === 1n;
}
export const CAP_SYS_RESOURCE = 24;
export const CAP_SYS_TIME = 25;

const timeServices = ['chrony', 'chronyd', 'systemd-timesyncd', 'ntp', 'ntpsec', 'openntpd'];
/** `timedatectl` is not asked: looking must not start a service. */
export async function timeFacts(source: FactSource, status: string | null): Promise<Facts['time']> {
  const [now, shown] = await Promise.all([
    text(source, ['date', '+%s.%N']),
    text(source, ['systemctl', 'is-active', ...timeServices.map((s) => `${s}.service`)]),
  ]);
  const states = lines(shown);
  const service = timeServices.find((_, i) => states[i] === 'active') ?? null;
  const zone = /zoneinfo\/(.+)$/.exec((await output(source, ['readlink', '/etc/localtime'])) ?? '')?.[1];
  return {
    ...(zone === undefined ? {} : { zone }),
    wallMs: Math.round(Number(now) * 1000) || 0,
    service,
    synchronized: await synchronized(source, service),
    canSet: bounded(status, CAP_SYS_TIME),
  };
}
async function synchronized(source: FactSource, service: string | null): Promise<boolean> {
  if (service === 'systemd-timesyncd') return holds(source, '-e', '/run/systemd/timesync/synchronized');
  if (service?.startsWith('chrony') !== true) return false;
  return (await text(source, ['chronyc', '-n', '-c', 'tracking'])).endsWith('Normal');
}

/** A symbol that is only there if the feature is built in or its module is loaded, and the module's name. */
const symbols: Record<string, { symbol: string; module: string }> = {
  nftables: { symbol: 'nf_tables_newtable', module: 'nf_tables' },
  vxlan: { symbol: 'vxlan_xmit', module: 'vxlan' },
  br_netfilter: { symbol: 'br_nf_pre_routing', module: 'br_netfilter' },
  conntrack: { symbol: 'nf_conntrack_in', module: 'nf_conntrack' },
  overlay: { symbol: 'ovl_fill_super', module: 'overlay' },
  fuse: { symbol: 'fuse_dev_open', module: 'fuse' },
};
/** What the kernel does now or could do after `modprobe`: nftables, vxlan, fuse, overlay, br_netfilter, conntrack. */
export async function kernelFeatures(source: FactSource): Promise<Record<string, boolean>> {
  const wanted = Object.values(symbols).map((s) => s.symbol);
  const found = new Set(lines(await text(source, ['grep', '-oE', `\\b(${wanted.join('|')})\\b`, '/proc/kallsyms'])));
  const types = (await source.read('/proc/filesystems')) ?? '';
  const features = await Promise.all(
    Object.entries(symbols).map(async ([name, s]) => {
      const here = found.has(s.symbol) || new RegExp(`\\b${name}$`, 'm').test(types) || (await holds(source, '-e', `/sys/module/${s.module}`));
      return [name, here || (await source.run(['modprobe', '-n', '-q', s.module]))?.code === 0] as const;
    }),
  );
  return Object.fromEntries(features);
}
/** The feature of a module by its name; null if we know none. */
export const featureOfModule = (module: string): string | null => Object.entries(symbols).find(([, s]) => s.module === module)?.[0] ?? null;

export async function securityFacts(source: FactSource): Promise<Facts['security']> {
  const [enforce, apparmor] = await Promise.all([source.read('/sys/fs/selinux/enforce'), source.read('/sys/module/apparmor/parameters/enabled')]);
  return { selinux: enforce === null ? 'disabled' : enforce.trim() === '1' ? 'enforcing' : 'permissive', apparmor: apparmor?.trim() === 'Y' };
}

const vendors: Record<string, string> = { '0x10de': 'nvidia', '0x1002': 'amd', '0x8086': 'intel' };
export async function gpuFacts(source: FactSource): Promise<Facts['gpus']> {
  const root = '/sys/bus/pci/devices';
  const devices = await source.list(root);
  if (devices.length === 0) return [];
  const show = lines(await text(source, ['grep', '-sH', '.', ...devices.flatMap((d) => ['class', 'vendor', 'device'].map((f) => `${root}/${d}/${f}`))]));
  const value = (device: string, field: string): string =>
    show
      .find((l) => l.startsWith(`${root}/${device}/${field}:`))
      ?.split(':')
      .at(-1) ?? '';
  return devices
    .filter((d) => /^0x03(00|02|80)/.test(value(d, 'class')))
    .map((d) => ({ vendor: vendors[value(d, 'vendor')] ?? value(d, 'vendor'), model: value(d, 'device') }));
}

/** SHA256:… of the machine's ssh host keys, as `ssh-keygen -lf` prints them. */
export async function hostKeyFacts(source: FactSource): Promise<string[]> {
  const files = (await source.list('/etc/ssh')).filter((f) => /^ssh_host_.*_key\.pub$/.test(f)).sort();
  const found = await Promise.all(files.map((f) => output(source, ['ssh-keygen', '-l', '-E', 'sha256', '-f', `/etc/ssh/${f}`])));
  return found.map((l) => /SHA256:\S+/.exec(l ?? '')?.[0]).filter((k) => k !== undefined);
}

/** Volume groups of LVM and their free bytes; empty where there is no LVM. */
export async function volumeGroupFacts(source: FactSource): Promise<NonNullable<Facts['volumeGroups']>> {
  const shown = await output(source, ['vgs', '--noheadings', '--nosuffix', '--units', 'b', '--separator', ':', '-o', 'vg_name,vg_free']);
  return lines(shown).flatMap((line) => {
    const [name = '', free] = line.trim().split(':');
    return name === '' ? [] : [{ name, free: Math.round(Number(free)) || 0 }];
  });
}

const devices = ['/dev/kmsg', '/dev/fuse', '/dev/net/tun'];
/** Devices that a container may lack. */
export const deviceFacts = async (source: FactSource): Promise<Record<string, boolean>> =>
  Object.fromEntries(await Promise.all(devices.map(async (path) => [path, await holds(source, '-e', path)] as const)));

/** Whether root of this machine is an ordinary user of the one around it. */
export async function userNamespaceFact(source: FactSource): Promise<boolean> {
  const map = /^\s*0\s+(\d+)\s+(\d+)/.exec((await source.read('/proc/self/uid_map')) ?? '');
  return map !== null && (map[1] !== '0' || Number(map[2]) < 4_294_967_295);
}
