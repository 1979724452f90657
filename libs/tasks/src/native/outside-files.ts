import { bypassesProxy, type Outside } from '@strata/model';
import type { Host } from '../ports/host';

/** What the package managers are told. Pure text from typed settings, and the few looks that it is made from. */
export interface OutsideSettings extends Outside {
  apt: { mirror?: string | undefined; securityMirror?: string | undefined };
  /** `server`: packages lie in a folder of this machine, and no source is asked. */
  packagesFrom?: 'server' | undefined;
}
export const aptConfig = '/etc/apt/apt.conf.d/99strata';
export const aptSources = '/etc/apt/strata.list';
export const dnfConfig = '/etc/dnf/dnf.conf';
/** What `packages.source` puts there. apt reads it as another user, so it is no part of our own, closed folder. */
export const packagesFolder = '/var/lib/strata-packages';
const head = 'Written by Strata';

export interface AptFacts {
  /** Host and port of every source that the machine has. */
  hosts: readonly { host: string; port: string }[];
  release: { id: string; codename: string };
  /** Keys of the distribution's own archive, if they are where it keeps them. */
  keyring: string | null;
}

/** What apt is told, or null for nothing. A source that lies past the proxy is named: apt knows no suffixes and no ranges. */
export function aptConfigText(s: OutsideSettings, facts: AptFacts): string | null {
  const { proxy } = s;
  const direct = proxy === null ? [] : [...new Set([...facts.hosts, ...mirrors(s).map(hostOf)].filter((at) => bypassesProxy(at, proxy.noProxy)).map((at) => at.host))].sort(); // prettier-ignore
  const lines = [
    ...(proxy === null ? [] : [`Acquire::http::Proxy "${proxy.http}";`, `Acquire::https::Proxy "${proxy.https}";`]),
    ...direct.flatMap((name) => [`Acquire::http::Proxy::${name} "DIRECT";`, `Acquire::https::Proxy::${name} "DIRECT";`]),
    // the machine's own sources are left as they are, and not read
    ...(s.apt.mirror === undefined && s.packagesFrom === undefined ? [] : [`Dir::Etc::sourcelist "${aptSources}";`, 'Dir::Etc::sourceparts "/dev/null";']),
  ];
  return lines.length === 0 ? null : `// ${head}\n${lines.join('\n')}\n`;
}

/** The mirror as apt's sources, or null without one. */
export function aptSourcesText(s: OutsideSettings, { release: { id, codename }, keyring }: AptFacts): string | null {
  const { mirror, securityMirror } = s.apt;
  // by its digest in a signed order, so no key of the distribution is asked
  if (s.packagesFrom === 'server') return `# ${head}\ndeb [trusted=yes] file:${packagesFolder} ./\n`;
  if (mirror === undefined) return null;
  const parts = id === 'debian' ? 'main' : 'main universe';
  const line = (url: string, suite: string): string => `deb ${keyring === null ? '' : `[signed-by=${keyring}] `}${url.replace(/\/$/, '')} ${suite} ${parts}\n`;
  const security = securityMirror ?? (id === 'debian' ? undefined : mirror); // Debian's lies in an archive of its own
  return `# ${head}\n${line(mirror, codename)}${line(mirror, `${codename}-updates`)}${security === undefined ? '' : line(security, `${codename}-security`)}`;
}
export const dnfLines = (s: OutsideSettings): string[] => (s.proxy === null ? [] : [`proxy=${s.proxy.https}`]);

const mirrors = (s: OutsideSettings): string[] => [s.apt.mirror, s.apt.securityMirror].filter((url) => url !== undefined);
const hostOf = (url: string): { host: string; port: string } => {
  const [, scheme = '', host = '', port] = /^(https?):\/\/([^/:\s]+)(?::(\d+))?/.exec(url) ?? [];
  return { host, port: port ?? (scheme === 'https' ? '443' : '80') };
};

/** Looks at what apt has on this machine. */
export async function aptFacts(host: Host): Promise<AptFacts> {
  const folder = '/etc/apt/sources.list.d';
  const names = (await host.files.list(folder)).filter((n) => /\.(list|sources)$/.test(n)).map((n) => `${folder}/${n}`);
  const hosts: AptFacts['hosts'][number][] = [];
  for (const path of ['/etc/apt/sources.list', ...names])
    for (const line of ((await host.files.read(path)) ?? '').split('\n').filter((l) => !l.trimStart().startsWith('#')))
      hosts.push(...[...line.matchAll(/https?:\/\/[^/\s]+/g)].map((m) => hostOf(m[0])));
  const release = (await host.files.read('/etc/os-release')) ?? (await host.files.read('/usr/lib/os-release')) ?? '';
  const value = (key: string): string => new RegExp(`^${key}="?([A-Za-z0-9._-]*)"?$`, 'm').exec(release)?.[1] ?? '';
  const id = value('ID');
  const keyring = `/usr/share/keyrings/${id}-archive-keyring.gpg`;
  return { hosts, release: { id, codename: value('VERSION_CODENAME') }, keyring: (await host.files.stat(keyring)) === null ? null : keyring };
}
