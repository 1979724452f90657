import type { Facts } from '@strata/model';
import { unitOfCgroup } from './network';
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
/** Packages that an interrupted dpkg left half done. */
export async function interruptedPackages(source: FactSource): Promise<string[]> {
  return [...(await text(source, ['dpkg', '--audit'])).matchAll(/^ (\S+)/gm)].map((m) => m[1] ?? '');
}
export async function packageFacts(source: FactSource, manager: Facts['packageManager']): Promise<Facts['packages']> {
  if (manager !== 'apt') return { interrupted: false, lockHolder: null, unattendedUpgrades: false };
  const [interrupted, holder, periodic] = await Promise.all([
    interruptedPackages(source),
    lockHolder(source),
    source.read('/etc/apt/apt.conf.d/20auto-upgrades'),
  ]);
  return { interrupted: interrupted.length > 0, lockHolder: holder, unattendedUpgrades: /Unattended-Upgrade\s+"[1-9]/.test(periodic ?? '') };
}

const runtimes = [
  { kind: 'docker', packages: ['docker-ce', 'docker.io', 'moby-engine'], unit: 'docker.service', socket: '/run/docker.sock' },
  { kind: 'containerd', packages: ['containerd.io', 'containerd'], unit: 'containerd.service', socket: '/run/containerd/containerd.sock' },
  { kind: 'podman', packages: ['podman'], unit: 'podman.socket', socket: '/run/podman/podman.sock' },
  { kind: 'k3s', packages: ['k3s'], unit: 'k3s.service', socket: '/run/k3s/containerd/containerd.sock' },
  { kind: 'k3s', packages: [], unit: 'k3s-agent.service', socket: '/run/k3s/containerd/containerd.sock' },
  { kind: 'cri-o', packages: ['cri-o'], unit: 'crio.service', socket: '/var/run/crio/crio.sock' },
] as const;
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
    runtimes.map(async (r) => {
      const show = states.find((s) => s.Id === r.unit) ?? {};
      const loaded = show.LoadState === 'loaded';
      const socket = (await holds(source, '-S', r.socket)) ? r.socket : null;
      const name = r.packages.find((p) => installed[p] !== undefined) ?? null;
      const ours = loaded && show.FragmentPath ? ((await source.read(show.FragmentPath)) ?? '').includes(strataMark) : false;
      return { kind: r.kind, version: name ? (installed[name] ?? null) : null, package: name, unit: loaded ? r.unit : null, socket, ours };
    }),
  );
  return found.filter(
    (r) => r.package !== null || r.unit !== null || (r.socket !== null && !found.some((o) => o !== r && o.socket === r.socket && o.unit !== null)),
  );
}

const unconditional = /^(counter( packets \d+ bytes \d+)? )?(drop|reject.*)$/;
export interface NftChain {
  family: string;
  table: string;
  chain: string;
}
/** Base chains of `nft list ruleset` at this hook that drop or reject what no rule of theirs accepts. */
export function droppingChains(ruleset: string, hook: 'input' | 'forward'): NftChain[] {
  const found: NftChain[] = [];
  let [family, table, chain] = ['', '', ''];
  let inside = false;
  const take = (): void => {
    if (!found.some((c) => c.family === family && c.table === table && c.chain === chain)) found.push({ family, table, chain });
  };
  for (const line of ruleset.split('\n').map((l) => l.trim())) {
    const opens = /^(?:table (\S+) (\S+)|chain (\S+)) \{/.exec(line);
    if (opens?.[1]) [family, table] = [opens[1], opens[2] ?? ''];
    if (opens?.[3]) [chain, inside] = [opens[3], false];
    else if (line.startsWith('type filter hook ')) {
      inside = line.startsWith(`type filter hook ${hook} `);
      if (inside && /policy drop;/.test(line)) take();
    } else if (inside && unconditional.test(line)) take();
  }
  return found;
}
/** The same for `iptables-save`. */
export function iptablesDrops(saved: string, chain: 'INPUT' | 'FORWARD'): boolean {
  return new RegExp(`^:${chain} (DROP|REJECT)|^-A ${chain} -j (DROP|REJECT)`, 'm').test(saved);
}
export async function firewallFacts(source: FactSource): Promise<Facts['firewall']> {
  const [active, ufw, nft, iptables] = await Promise.all([
    text(source, ['systemctl', 'is-active', 'firewalld.service']),
    source.read('/etc/ufw/ufw.conf'),
    text(source, ['nft', 'list', 'ruleset']),
    text(source, ['iptables-save', '-t', 'filter']),
  ]);
  const tools: string[] = [];
  if (keyValues(ufw).ENABLED === 'yes' && /^:ufw-/m.test(iptables)) tools.push('ufw'); // `ufw enable` does not start its unit
  if (lines(active)[0] === 'active') tools.push('firewalld');
  if (/^table /m.test(nft)) tools.push('nftables');
  if (/^-A /m.test(iptables)) tools.push('iptables');
  return {
    tools,
    dropsInput: tools.includes('firewalld') || droppingChains(nft, 'input').length > 0 || iptablesDrops(iptables, 'INPUT'),
    dropsForward: droppingChains(nft, 'forward').length > 0 || iptablesDrops(iptables, 'FORWARD'),
  };
}
