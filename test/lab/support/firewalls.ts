import type { Lab } from './lab';
import { aptInstall } from './obstacles';

/** Firewalls as owners of machines set them up: they drop what they do not know, and let SSH in. `host0` is the network card of a lab node. */

const write = (lab: Lab, node: string, [path, text]: readonly [string, string]): Promise<string> =>
  lab.must(node, ['sh', '-ec', 'mkdir -p "$(dirname "$1")"; cat > "$1"', 'sh', path], { input: text });

/** nftables by /etc/nftables.conf: two tables that drop what comes in and what is forwarded, one of them by a rule in a chain that it jumps to, and a third, early, hook. */
export async function nftables(lab: Lab, node: string): Promise<void> {
  await write(lab, node, ['/etc/nftables.conf', `#!/usr/sbin/nft -f
flush ruleset
table inet filter {
	set banned {
		type ipv4_addr
		elements = { 198.51.100.7, 198.51.100.8 }
	}
	chain input {
		type filter hook input priority filter; policy drop;
		iif "lo" accept
		ip saddr @banned drop
		ct state vmap { established : accept, related : accept, invalid : drop }
		meta l4proto icmp accept
		tcp dport 22 accept comment "the operator's way in"
		log prefix "dropped: " limit rate 1/minute
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
	}
}
table ip guard {
	chain early {
		type filter hook prerouting priority raw; policy accept;
		iifname "host0" udp dport != { 53, 68, 123, 32768-65535 } counter drop
	}
	chain late {
		type filter hook forward priority 10; policy accept;
		ct state established,related accept
		iifname vmap { "lo" : accept, "host0" : jump strangers, "flannel.1" : jump strangers }
	}
	chain strangers {
		ct state new counter reject
	}
}
`]); // prettier-ignore
  await lab.must(node, ['systemctl', 'enable', '--now', 'nftables.service']);
}
/** iptables as Docker leaves it, with an owner's rule in DOCKER-USER, kept by iptables-persistent. */
export async function dockerLike(lab: Lab, node: string): Promise<void> {
  await aptInstall(lab, node, ['iptables-persistent']);
  await write(lab, node, ['/etc/iptables/rules.v4', `*filter
:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER-USER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -m comment --comment "the operator's way in" -j ACCEPT
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-USER -i host0 -m conntrack --ctstate NEW -j DROP
-A DOCKER-USER -j RETURN
-A DOCKER-ISOLATION-STAGE-1 -o docker0 -j DROP
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
`]); // prettier-ignore
  await lab.must(node, ['systemctl', 'restart', 'netfilter-persistent.service']);
}
/** ufw that denies whatever comes in or is routed, with a last rule of the owner that says so once more. */
export async function ufw(lab: Lab, node: string): Promise<void> {
  await aptInstall(lab, node, ['ufw']);
  for (const words of ['default deny incoming', 'default deny routed', 'allow 22/tcp', 'deny from any', 'route deny from any', '--force enable'])
    await lab.must(node, ['ufw', ...words.split(' ')]);
}
/** Two owners at once: the old kernel tables of iptables, loaded by a unit of the machine's owner, and an nftables table that forwards nothing. */
export async function twoOwners(lab: Lab, node: string): Promise<void> {
  await write(lab, node, ['/usr/local/sbin/own-firewall', `#!/bin/sh -e
iptables-legacy-restore <<'END'
*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:LOGDROP - [0:0]
-A INPUT -i lo -j ACCEPT
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -p icmp -j ACCEPT
-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT
-A INPUT -j LOGDROP
-A FORWARD -j LOGDROP
-A LOGDROP -j DROP
COMMIT
END
nft -f - <<'END'
table inet own
delete table inet own
table inet own {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established accept
	}
}
END
`]); // prettier-ignore
  const unit = '[Unit]\nDescription=own firewall\n[Service]\nType=oneshot\nExecStart=/usr/local/sbin/own-firewall\n[Install]\nWantedBy=multi-user.target\n';
  await write(lab, node, ['/etc/systemd/system/own-firewall.service', unit]);
  await lab.must(node, ['sh', '-ec', 'chmod 755 /usr/local/sbin/own-firewall; systemctl daemon-reload; systemctl enable --now own-firewall.service']);
}

/** Everything that a machine's firewall is, to compare byte for byte: what the kernel has, and what is loaded at the next boot. Without what counts packets. */
export async function ruleSets(lab: Lab, node: string): Promise<string> {
  const script = `nft -s list ruleset
for kind in iptables ip6tables iptables-legacy; do command -v $kind-save >/dev/null && echo "== $kind" && $kind-save | sed '/^#/d; s/ \\[[0-9:]*\\]$//'; done
for file in /etc/nftables.conf /etc/iptables/* /etc/ufw/* /etc/default/ufw /usr/local/sbin/*; do [ -f "$file" ] && echo "== $file" && cat "$file"; done
command -v ufw >/dev/null && ufw status numbered
systemctl list-unit-files --no-legend --no-pager '*firewall*' '*nftables*' '*netfilter*' '*ufw*'
find /usr/local/lib /run/strata-* /etc/systemd/system 2>/dev/null | sort
exit 0`;
  return lab.must(node, ['bash', '-c', script]);
}
