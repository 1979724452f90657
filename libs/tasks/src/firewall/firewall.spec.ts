import { type Ask, anyCluster, droppingPlaces, type Interest, lookAtFirewall, placeName } from './index';

interface Machine {
  nft?: string;
  saved?: string;
  legacy?: string;
  version?: string;
  files?: Record<string, string>;
  firewalld?: boolean;
}
const machine = (m: Machine): Ask => ({
  read: async (path) => Promise.resolve(m.files?.[path] ?? null),
  run: async (argv) =>
    Promise.resolve(
      {
        nft: m.nft,
        'iptables-save': m.saved,
        'iptables-legacy-save': m.legacy,
        iptables: m.version ?? (m.saved === undefined ? '' : 'iptables v1.8.9 (nf_tables)'),
        systemctl: m.firewalld ? 'active\n' : 'inactive\n',
      }[argv[0]] ?? '',
    ),
});
const dropping = async (m: Machine, interest: Interest = anyCluster): Promise<string[]> =>
  droppingPlaces(await lookAtFirewall(machine(m)), interest).map(placeName);
const input = (...rules: string[]): string =>
  `table inet t {\n\tchain c {\n\t\ttype filter hook input priority filter; policy accept;\n\t\t${rules.join('\n\t\t')}\n\t}\n}`;
const saved = (...rules: string[]): string =>
  ['*filter', ':INPUT ACCEPT [0:0]', ':FORWARD ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]', ...rules, 'COMMIT'].join('\n');

it('finds each base chain of each nftables table that drops by its policy, at whatever priority', async () => {
  const nft = `table inet filter { # handle 1
	set banned { # handle 9
		type ipv4_addr
		elements = { 192.0.2.1,
			     192.0.2.2 }
	}
	chain input { # handle 2
		type filter hook input priority filter; policy drop;
		ip saddr { 192.0.2.1,
			   192.0.2.2 } drop # handle 3
		tcp dport 22 accept # handle 4
	}
	chain early { # handle 5
		type filter hook prerouting priority raw; policy drop;
	}
	chain mine { # handle 6
		drop # handle 7
	}
}
table ip second {
	chain fwd {
		type filter hook forward priority -10; policy drop;
	}
	chain out {
		type filter hook output priority filter; policy drop;
	}
}
table ip6 third {
	chain input {
		type filter hook input priority filter; policy drop;
	}
}
table inet asleep {
	flags dormant

	chain input {
		type filter hook input priority filter; policy drop;
	}
}
table netdev edge {
	chain ingress {
		type filter hook ingress device "eth0" priority -500; policy drop;
	}
}
table ip kube-proxy {
	chain filter-input {
		type filter hook input priority -110; policy accept;
		ct state new jump reject-all
	}
	chain reject-all {
		reject
	}
}`;
  expect(await dropping({ nft })).toEqual([
    'nftables inet filter input',
    'nftables inet filter early',
    'nftables ip second fwd',
    'nftables netdev edge ingress',
  ]);
});

it.each([
  ['counter packets 4 bytes 240 reject with icmp port-unreachable', true],
  ['log prefix "dropped: {" level info drop', true],
  ['iifname "eth0" drop comment "from outside"', true],
  ['iifname != "lo" ct state new drop', true],
  ['iifname { "eth0", "eth1" } tcp dport != { 22, 80 } drop', true],
  ['tcp flags syn / fin,syn,rst,ack counter packets 0 bytes 0 drop', true],
  ['ip saddr != 192.0.2.0/24 drop', true],
  ['meta l4proto { tcp, udp } reject', true],
  ['ct state invalid drop', false],
  ['ct state vmap { established : accept, invalid : drop }', false],
  ['iifname "docker0" drop', false],
  ['ip saddr @banned drop', false],
  ['ip saddr 198.51.100.0/24 drop', false],
  ['meta l4proto icmp drop', false],
  ['udp dport 8472 drop', false],
  ['limit rate over 10/second drop', false],
  ['tcp dport 22 accept', false],
])('nftables: %s is in the way: %s', async (rule, found) => {
  expect(await dropping({ nft: input(rule) })).toEqual(found ? ['nftables inet t c'] : []);
});

it('follows jumps and verdict maps to where it drops, also in circles', async () => {
  const other = (rule: string): string => `\tchain other {\n\t\t${rule}\n\t\tjump other\n\t}\n}`;
  const with_ = (first: string, rule: string): string => input(first).replace(/\}$/, other(rule));
  expect(await dropping({ nft: with_('ct state new jump other', 'log drop') })).toEqual(['nftables inet t c']);
  expect(await dropping({ nft: with_('iifname vmap { "lo" : accept, "eth0" : goto other }', 'drop') })).toEqual(['nftables inet t c']);
  expect(await dropping({ nft: with_('jump other', 'ip saddr @banned drop') })).toEqual([]);
  expect(await dropping({ nft: with_('tcp dport 23 jump other', 'drop') })).toEqual([]);
});

it('counts a range of addresses only where it meets those of the cluster', async () => {
  const interest = { ranges: ['10.244.0.0/16', '192.0.2.0/24'] };
  expect(await dropping({ nft: input('ip saddr 10.0.0.0/8 drop') }, interest)).toHaveLength(1);
  expect(await dropping({ nft: input('ip saddr { 172.16.0.0/12, 192.168.0.0/16 } drop') }, interest)).toEqual([]);
  expect(await dropping({ saved: saved('-A INPUT -s 192.0.2.7/32 -j DROP') }, interest)).toEqual(['iptables filter INPUT']);
});

it.each([
  ['-A INPUT -j REJECT --reject-with icmp-host-prohibited', true],
  ['-A INPUT -i eth0 -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN -j DROP', true],
  ['-A INPUT ! -i lo -m conntrack --ctstate NEW -m comment --comment "the rest -j ACCEPT" -j DROP', true],
  ['-A INPUT -p tcp -m multiport ! --dports 22,80 -j DROP', true],
  ['-A INPUT -j LOGDROP\n-A LOGDROP -j LOG\n-A LOGDROP -j DROP', true],
  ['-A INPUT -g AWAY\n-A AWAY -j DROP', true],
  ['-A INPUT -m conntrack --ctstate INVALID -j DROP', false],
  ['-A INPUT -i docker0 -j DROP', false],
  ['-A INPUT -s 198.51.100.7/32 -j DROP', false],
  ['-A INPUT -m limit --limit 5/min -j DROP', false],
  ['-A INPUT -p tcp -m tcp --dport 6443 -j REJECT', false],
  ['-A INPUT -j KUBE-FIREWALL\n-A KUBE-FIREWALL -j DROP', false],
  ['-A INPUT -j LOG', false],
])('iptables: %s is in the way: %s', async (rules, found) => {
  expect(await dropping({ saved: saved(rules) })).toEqual(found ? ['iptables filter INPUT'] : []);
});

/** `iptables-save` of a machine on which Docker runs. */
const docker = `*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [12:3400]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -o docker0 -j DROP
-A DOCKER-USER -j RETURN
COMMIT`;
it('opens where Docker drops, and in its DOCKER-USER, which comes first at each of its starts', async () => {
  expect(await dropping({ saved: docker })).toEqual(['iptables filter FORWARD', 'iptables filter DOCKER-USER']);
  expect(await dropping({ saved: docker.replace('FORWARD DROP', 'FORWARD ACCEPT') })).toEqual([]);
  const own = docker.replace('FORWARD DROP', 'FORWARD ACCEPT').replace('-A DOCKER-USER -j RETURN', '-A DOCKER-USER -i eth0 -j DROP');
  expect(await dropping({ saved: own })).toEqual(['iptables filter FORWARD', 'iptables filter DOCKER-USER']);
});

it('finds all owners of one machine, and both kinds of iptables', async () => {
  const nft = `table ip filter {\n\tchain FORWARD {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n${input('drop')}`;
  const files = { '/proc/net/ip_tables_names': 'filter\n' };
  const mixed = nft.replace('\t}\n}\n', '\t}\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n');
  expect(await dropping({ nft: mixed, saved: docker })).toEqual([
    'nftables ip filter forward',
    'nftables inet t c',
    'iptables filter FORWARD',
    'iptables filter DOCKER-USER',
  ]);
  const legacy = '# Generated\n*filter\n:INPUT DROP [0:0]\n:FORWARD ACCEPT [0:0]\nCOMMIT\n*mangle\n:PREROUTING DROP [0:0]\nCOMMIT';
  expect(await dropping({ nft, saved: docker, legacy, files })).toEqual([
    'nftables inet t c',
    'iptables filter FORWARD',
    'iptables filter DOCKER-USER',
    'iptables-legacy filter INPUT',
    'iptables-legacy mangle PREROUTING',
  ]);
});

it("leaves ufw's and firewalld's own chains to them, but not what others put ahead of them", async () => {
  const files = { '/etc/ufw/ufw.conf': 'ENABLED=yes\n' };
  const ufw = saved('-A INPUT -j ufw-before-input', '-A FORWARD -j ufw-reject-forward', '-A ufw-reject-forward -j REJECT')
    .replace(':INPUT ACCEPT', ':INPUT DROP')
    .replace(':OUTPUT', ':ufw-user-input - [0:0]\n:ufw-before-input - [0:0]\n:OUTPUT');
  expect(await dropping({ saved: ufw, files })).toEqual([]);
  expect(await dropping({ saved: ufw.replace('-A INPUT -j ufw-before-input', '-A INPUT -j DOCKER-USER\n-A DOCKER-USER -i eth0 -j DROP'), files })).toEqual([
    'iptables filter INPUT',
  ]);
  expect(await dropping({ saved: ufw })).toEqual(['iptables filter INPUT', 'iptables filter FORWARD']); // switched off, but its chains are still loaded
  const nft = `table inet firewalld {\n\tchain filter_INPUT {\n\t\ttype filter hook input priority filter + 10; policy accept;\n\t\treject with icmpx admin-prohibited\n\t}\n}`;
  expect(await dropping({ nft, firewalld: true })).toEqual([]);
  expect(await dropping({ nft, saved: docker, firewalld: true })).toEqual(['iptables filter FORWARD', 'iptables filter DOCKER-USER']);
});
