import type { MemoryHost } from './memory-host';
import type { ProgramResult } from '../ports/host';
import { runtimePaths } from '../runtime-place';

/** What a program of a memory machine answers. */
export const said = (stdout = '', code = 0, stderr = ''): ProgramResult => ({ code, stdout, stderr });

/** What a Debian repository offers of the packages that installs ask for. */
export function seedRepository(host: MemoryHost): void {
  const plain = [
    'libc6-dev',
    'cpp',
    'libnetfilter-conntrack3',
    'libnftables1',
    'ethtool',
    'ebtables',
    'iptables',
    'fuse3',
    'curl',
    'ca-certificates',
    'kmod',
    'procps',
    'util-linux',
    'e2fsprogs',
    'mount',
    'netbase',
    'redis-tools',
  ];
  for (const name of plain) host.packages.repository.set(name, { version: '1.0-1' });
  host.packages.repository.set('gcc', { version: '12.2.0-3', brings: ['cpp', 'libc6-dev'], files: { '/usr/bin/gcc': 'gcc' } });
  host.packages.repository.set('net-tools', { version: '2.10-0.1', files: { '/usr/bin/netstat': 'netstat' } });
  host.packages.repository.set('socat', { version: '1.7.4-4', files: { '/usr/bin/socat': 'socat' } });
  host.packages.repository.set('ipset', { version: '7.17-1', brings: [], files: { '/usr/sbin/ipset': 'ipset' } });
  host.packages.repository.set('conntrack', { version: '1.4.7-1', brings: ['libnetfilter-conntrack3'], files: { '/usr/sbin/conntrack': 'conntrack' } });
  host.packages.repository.set('nftables', { version: '1.0.6-2', brings: ['libnftables1'], files: { '/usr/sbin/nft': 'nft' } });
  host.packages.repository.set('chrony', {
    version: '4.3-2',
    units: ['chrony.service'],
    files: {
      '/etc/chrony/chrony.conf': 'pool 2.debian.pool.ntp.org iburst\nconfdir /etc/chrony/conf.d\n',
      '/etc/default/chrony': 'DAEMON_OPTS="-F 1"\n',
      '/usr/sbin/chronyd': 'chronyd',
      '/usr/bin/chronyc': 'chronyc',
    },
  });
}

/** Programs that native tasks run, behaving as far as the tasks look. */
export function seedPrograms(host: MemoryHost): void {
  host.program('sshd', (argv) => {
    const dropIns = host.files.names('/etc/ssh/sshd_config.d').map((n) => host.files.text(`/etc/ssh/sshd_config.d/${n}`) ?? '');
    const text = [...dropIns, host.files.text('/etc/ssh/sshd_config') ?? ''].join('\n');
    if (/^Nonsense/m.test(text)) return said('', 255, 'Bad configuration option: Nonsense');
    if (!argv.includes('-T')) return said();
    const value = (key: string, otherwise: string): string => new RegExp(`^${key} (.*)$`, 'im').exec(text)?.[1] ?? otherwise;
    return said(
      `port 22\npasswordauthentication ${value('PasswordAuthentication', 'yes')}\nkbdinteractiveauthentication ${value('KbdInteractiveAuthentication', 'no')}\n`,
    );
  });
  host.program('chronyc', (argv) => {
    if (!host.units.active.has('chrony.service')) return said('', 1, '506 Cannot talk to daemon');
    const text = host.files.names('/etc/chrony/sources.d').map((n) => host.files.text(`/etc/chrony/sources.d/${n}`) ?? '').join('\n'); // prettier-ignore
    return said(
      argv.includes('sources') ? [...text.matchAll(/^server (\S+)/gm)].map((m) => `^,*,${m[1]},2,6,377,10,0.0001,0.0001,0.001`).join('\n') : '200 OK',
    );
  });
  host.program('nft', (argv) => nft(host, [...argv.slice(1)]));
  host.program('apt-config', () => {
    const text = host.files.names('/etc/apt/apt.conf.d').map((n) => host.files.text(`/etc/apt/apt.conf.d/${n}`) ?? '').join('\n'); // prettier-ignore
    return said([...text.matchAll(/^ {2}("\S+");$/gm)].map((m) => `Unattended-Upgrade::Package-Blacklist:: ${m[1]};`).join('\n'));
  });
  host.program('date', () => said(`${(host.clock?.now() ?? host.baseFacts.time.wallMs) / 1000}\n`));
  host.program('stat', (argv) => {
    const gone = argv.slice(argv.indexOf('--') + 1).find((path) => !host.files.tree.has(path));
    return gone === undefined ? said('directory\n') : said('', 1, `stat: cannot statx '${gone}': No such file or directory`);
  });
  host.program('chattr', () => said());
  host.program('lsattr', ([, path = '']) => said(`--S-----------------e------- ${path}\n`));
  host.program('systemctl', () => said());
  host.program('containerd', () => said('containerd github.com/containerd/containerd/v2 v2.4.2 strata\n'));
  host.program('ctr', (argv) =>
    host.units.active.has(argv.includes(runtimePaths.beside.socket) ? runtimePaths.beside.unit : 'containerd.service')
      ? said('Client:\n  Version:  v2.4.2\nServer:\n  Version:  v2.4.2\n')
      : said('', 1, 'cannot access socket'),
  );
  host.program('runc', () => said('runc version 1.4.3\n'));
}

interface NftChainRules {
  [chain: string]: { text: string; handle: number }[];
}
/** As much of nft as tasks use: chains of a dropping firewall (`extra` nft-chains), rules inserted and deleted by handle, tables listed and deleted. */
function nft(host: MemoryHost, args: string[]): ProgramResult {
  const chains = (host.extra.get('nft-chains') as NftChainRules | undefined) ?? {};
  const [verb = '', what = '', ...rest] = args.filter((a) => !a.startsWith('-'));
  const key = rest.slice(0, 3).join(' ');
  const show = (name: string): string => {
    const hook = name.split(' ')[2] ?? '';
    const rules = (chains[name] ?? []).map((r) => `\t\t${r.text}${args.includes('-a') ? ` # handle ${r.handle}` : ''}`);
    return [
      `table ${name.split(' ').slice(0, 2).join(' ')} {`,
      `\tchain ${hook} {`,
      `\t\ttype filter hook ${hook} priority filter; policy drop;`,
      ...rules,
      '\t}',
      '}',
    ].join('\n');
  };
  if (verb === 'list' && what === 'ruleset') return said(Object.keys(chains).map(show).join('\n'));
  if (verb === 'list' && what === 'tables') return said([...new Set(Object.keys(chains).map((c) => `table ${c.split(' ').slice(0, 2).join(' ')}`))].join('\n'));
  const rules = chains[key];
  if (!rules) return said('', 1, 'Error: No such file or directory');
  if (verb === 'list') return said(show(key));
  if (verb === 'insert') {
    const words = rest
      .slice(3)
      .join(' ')
      .replace(/comment "?([^"]+)"?$/, 'comment "$1"');
    rules.unshift({ text: words, handle: Math.max(0, ...Object.values(chains).flatMap((c) => c.map((r) => r.handle))) + 1 });
  } else if (verb === 'delete') rules.splice(0, rules.length, ...rules.filter((r) => r.handle !== Number(rest.at(-1))));
  return said();
}
