import type { Facts } from '@strata/model';
import { anyCluster, type Ask, droppingPlaces, type Hook, lookAtFirewall, placeName } from '../firewall';
import { unitOfCgroup } from './network';
import { runtimePaths } from '../runtime-place';
import { containerdVersion, couldServe } from './foreign-containerd';
import { type FactSource, holds, lines, text } from './source';
import { keyValues } from './system';

/** Where containerd, runc and k3s live when Strata put them there; first line of every file that Strata writes whole. */
export const strataMark = 'Written by Strata';

export async function packageManager(source: FactSource): Promise<Facts['packageManager']> {
  if (await holds(source, '-x', '/usr/bin/apt-get')) return 'apt';
  return (await holds(source, '-x', '/usr/bin/dnf')) ? 'dnf' : null;
}

const locks = ['/var/lib/dpkg/lock-frontend', '/var/lib/dpkg/lock', '/var/lib/apt/lists/lock', '/var/cache/apt/archives/lock'];
/** Who holds dpkg's or apt's lock now, as "apt-get (pid 812, apt-daily-upgrade.service)"; null if nobody. */
export async function lockHolder(source: FactSource): Promise<string | null> {
  const [table, inodes] = await Promise.all([source.read('/proc/locks'), text(source, ['stat', '-c', '%i', ...locks])]);
  const ours = new Set(lines(inodes));
  for (const line of lines(table)) {
    const m = /^\d+: (?:POSIX|OFDLCK)\s+\S+\s+WRITE\s+(\d+)\s+\S+:(\d+)\s/.exec(line);
    if (!m || !ours.has(m[2] ?? '') || m[1] === '0') continue;
    const [comm, cgroup] = await Promise.all([source.read(`/proc/${m[1]}/comm`), source.read(`/proc/${m[1]}/cgroup`)]);
    if (comm === null) continue;
    const unit = unitOfCgroup(cgroup);
    return `${comm.trim()} (pid ${m[1]}${unit ? `, ${unit}` : ''})`;
  }
  return null;
}
const dpkgUpdates = '/var/lib/dpkg/updates';
/**
 * Packages that an interrupted dpkg left half done: unpacked, half installed, half configured, with triggers to come. apt refuses to work also while
 * dpkg's own notes of its last run are still there. What `dpkg --audit` says besides (a package without checksums) stops nobody.
 */
export async function interruptedPackages(source: FactSource): Promise<string[]> {
  const [table, notes] = await Promise.all([text(source, ['dpkg-query', '-W', '-f', '${db:Status-Abbrev}|${Package}\\n']), source.list(dpkgUpdates)]);
  const names = lines(table).filter((l) => /^.[UHFWt]|^..R/.test(l)).map((l) => l.split('|')[1] ?? ''); // prettier-ignore
  return names.length === 0 && notes.some((n) => /^\d+$/.test(n)) ? [`what is noted in ${dpkgUpdates}`] : names;
}
export async function packageFacts(source: FactSource, manager: Facts['packageManager']): Promise<Facts['packages']> {
  if (manager !== 'apt') return { interrupted: false, lockHolder: null, unattendedUpgrades: false };
  const [interrupted, holder, periodic] = await Promise.all([
    interruptedPackages(source),
    lockHolder(source),
    source.read('/etc/apt/apt.conf.d/20auto-upgrades'),
  ]);
  // while dpkg works its packages are half done, and nothing is wrong
  return { interrupted: interrupted.length > 0 && holder === null, lockHolder: holder, unattendedUpgrades: /Unattended-Upgrade\s+"[1-9]/.test(periodic ?? '') };
}

interface KnownRuntime {
  kind: string;
  packages: readonly string[];
  snap?: string;
  unit: string;
  socket: string;
}
const runtimes = [
  { kind: 'docker', packages: ['docker-ce', 'docker.io', 'moby-engine'], unit: 'docker.service', socket: '/run/docker.sock' },
  { kind: 'docker', packages: [], snap: 'docker', unit: 'snap.docker.dockerd.service', socket: '/run/docker.sock' },
  { kind: 'containerd', packages: ['containerd.io', 'containerd'], unit: 'containerd.service', socket: '/run/containerd/containerd.sock' },
  { kind: 'podman', packages: ['podman'], unit: 'podman.socket', socket: '/run/podman/podman.sock' },
  { kind: 'k3s', packages: ['k3s'], unit: 'k3s.service', socket: '/run/k3s/containerd/containerd.sock' },
  { kind: 'k3s', packages: [], unit: 'k3s-agent.service', socket: '/run/k3s/containerd/containerd.sock' },
  {
    kind: 'microk8s',
    packages: [],
    snap: 'microk8s',
    unit: 'snap.microk8s.daemon-containerd.service',
    socket: '/var/snap/microk8s/common/run/containerd.sock',
  },
  { kind: 'cri-o', packages: ['cri-o'], unit: 'crio.service', socket: '/var/run/crio/crio.sock' },
  { kind: 'containerd', packages: [], unit: runtimePaths.beside.unit, socket: runtimePaths.beside.socket },
] as const satisfies readonly KnownRuntime[];
/** Installed packages of these names with their versions, by dpkg or rpm. */
async function versions(source: FactSource, names: readonly string[]): Promise<Record<string, string>> {
  const dpkg = await source.run(['dpkg-query', '-W', '-f', '${db:Status-Abbrev}|${Package}|${Version}\\n', ...names]);
  const rows = dpkg
    ? lines(dpkg.stdout)
        .filter((l) => l.startsWith('ii'))
        .map((l) => l.split('|').slice(1))
    : lines(await text(source, ['rpm', '-q', '--qf', '%{NAME}|%{VERSION}\\n', ...names])).map((l) => l.split('|'));
  return Object.fromEntries(rows.filter((r) => r[1] !== undefined).map((r) => [r[0] ?? '', r[1] ?? '']));
}
/** Container runtimes by package, unit or socket. `ours`: its unit file bears our mark. */
export async function runtimeFacts(source: FactSource): Promise<Facts['containerRuntimes']> {
  const units = [...new Set(runtimes.map((r) => r.unit))];
  const [installed, shown] = await Promise.all([
    versions(source, runtimes.flatMap((r) => r.packages)), // prettier-ignore
    text(source, ['systemctl', 'show', '-p', 'Id,LoadState,FragmentPath', '--', ...units]),
  ]);
  const states = shown.split(/\n\s*\n/).map(keyValues);
  const found = await Promise.all(
    runtimes.map(async (r: KnownRuntime) => {
      const show = states.find((s) => s.Id === r.unit) ?? {};
      const loaded = show.LoadState === 'loaded';
      const socket = (await holds(source, '-S', r.socket)) ? r.socket : null;
      const name = r.packages.find((p) => installed[p] !== undefined) ?? null;
      const snap = r.snap && loaded ? `snap ${r.snap}` : null;
      const ours = loaded && show.FragmentPath ? ((await source.read(show.FragmentPath)) ?? '').includes(strataMark) : false;
      const foreign = r.kind === 'containerd' && !ours && (loaded || name !== null);
      const version = name ? (installed[name] ?? null) : foreign ? await containerdVersion(source) : null;
      return {
        kind: r.kind, version, package: name ?? snap, unit: loaded ? r.unit : null, socket, ours, ...(foreign && { cri: await couldServe(source) }),
      }; // prettier-ignore
    }),
  );
  return found.filter(
    (r) => r.package !== null || r.unit !== null || (r.socket !== null && !found.some((o) => o !== r && o.socket === r.socket && o.unit !== null)),
  );
}

/** Over SSH and without our own packages as well: what is not there says nothing. */
const asking = (source: FactSource): Ask => ({ read: (path) => source.read(path), run: (argv) => text(source, argv) });
export async function firewallFacts(source: FactSource): Promise<Facts['firewall']> {
  const firewall = await lookAtFirewall(asking(source));
  const places = droppingPlaces({ ...firewall, ufw: false }, anyCluster); // ufw's are the kernel's
  const drops = (...hooks: Hook[]): boolean => places.some((p) => hooks.includes(p.hook));
  const tools = [
    ...(firewall.ufw ? ['ufw'] : []),
    ...(firewall.firewalld ? ['firewalld'] : []),
    ...(firewall.nft.length > 0 ? ['nftables'] : []),
    ...(firewall.iptables.some((i) => i.tables.some((t) => t.rules.length > 0)) ? ['iptables'] : []),
  ];
  return {
    tools,
    dropsInput: firewall.firewalld || drops('ingress', 'prerouting', 'input'),
    dropsForward: drops('ingress', 'prerouting', 'forward'),
    chains: places.map(placeName),
  };
}
