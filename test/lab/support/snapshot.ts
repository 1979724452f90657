import { allowed } from './allowed-differences';
import type { Lab } from './lab';
import { must } from './program';

/** A machine as text: lines `section thing: what it is`, in order. Two snapshots compare by their lines. */
export type Snapshot = readonly string[];

/** Run in the node with nothing but what a bare machine has; each line is `section<TAB>thing<TAB>value`. */
const script = String.raw`
cd /
export LC_ALL=C
tab=$(printf '\t')
# every file: type, mode, owner, and the size of plain files
find / /var/lib/strata /var/lib/containerd /var/lib/kubelet -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/tmp -o -path /var/cache -o -path /var/log -o -path /var/lib/apt/lists \) -prune \
  -o \( -type d -printf 'file\t%p\td %m %U:%G\n' \) -o \( -type l -printf 'file\t%p\tl -> %l\n' \) -o \( -type f -printf 'file\t%p\tf %m %U:%G %s\n' \) -o -printf 'file\t%p\t%y %m %U:%G\n'
# of what is gone at the next boot: the folder of network namespaces
for d in /run/netns; do [ -e $d ] && printf 'file\t%s\tis there\n' $d; done
# what is in those that somebody may edit
find /etc /usr/local /opt /root /home /srv /boot /usr/lib/systemd /usr/lib/tmpfiles.d /usr/lib/modules-load.d /usr/lib/sysctl.d /var/spool -xdev -type f -exec sha256sum {} + 2>/dev/null |
  while read -r sum name; do printf 'content\t%s\t%s\n' "$name" "$sum"; done
# packages, accounts, units
dpkg-query -W -f 'package\t\${Package}\t\${Version} \${db:Status-Abbrev}\n'
apt-mark showmanual | while read -r p; do printf 'wanted package\t%s\tmanual\n' "$p"; done
for db in passwd group; do getent $db | while IFS= read -r line; do printf '%s\t%s\t%s\n' $db "\${line%%:*}" "\${line#*:}"; done; done
systemctl list-unit-files --no-legend --no-pager | while read -r unit state _; do printf 'unit file\t%s\t%s\n' "$unit" "$state"; done
systemctl list-units --all --no-legend --no-pager --plain | while read -r unit load active sub _; do printf 'unit\t%s\t%s %s %s\n' "$unit" "$load" "$active" "$sub"; done
hostname | while read -r name; do printf 'hostname\t-\t%s\n' "$name"; done
# settings of the kernel that are the node's own: its network's, and the private ones of the lab
find /proc/sys/net -type f -perm -u=r 2>/dev/null | while read -r f; do
  case "$f" in */neigh/*|*_count|*/stable_secret|*/flush) continue ;; esac
  printf 'sysctl\t%s\t%s\n' "\${f#/proc/sys/}" "$(tr '\n\t' '; ' < "$f" 2>/dev/null)"; done
for f in kernel/panic kernel/panic_on_oops kernel/keys/root_maxbytes kernel/keys/root_maxkeys vm/overcommit_memory vm/panic_on_oom vm/max_map_count vm/swappiness fs/inotify/max_user_watches fs/inotify/max_user_instances; do
  printf 'sysctl\t%s\t%s\n' "$f" "$(cat /proc/sys/$f)"; done
# mounts of the system itself
while read -r _ _ _ from at options rest; do printf 'mount\t%s\t%s %s\n' "$at" "\${rest#*- }" "$options"; done < /proc/1/mountinfo
# processes that are not of the kernel, by their program
for p in /proc/[0-9]*; do exe=$(readlink $p/exe 2>/dev/null) && case "$exe" in */sh|*/dash|*/bash|*/find|*/readlink|*/sort) ;; *) printf 'process\t%s\truns\n' "$exe" ;; esac; done | sort -u
`.replaceAll('\\$', '$');

/** Takes a snapshot of a node; links, routes and firewall are looked at from outside, with this machine's programs. */
export async function snapshot(lab: Lab, name: string): Promise<Snapshot> {
  await lab.must(name, ['systemctl', 'is-system-running', '--wait'], { timeoutMs: 60_000 }).catch(() => undefined); // degraded is a state as well
  const inside = await lab.must(name, ['bash', '-s'], { input: script, timeoutMs: 180_000 });
  const { pid } = lab.node(name);
  if (pid === null) throw new Error(`${name} does not run`);
  const network = async (section: string, argv: readonly string[]): Promise<string[]> => {
    const { stdout } = await must(['nsenter', '-t', String(pid), '-n', ...argv], { timeoutMs: 30_000 });
    const lines = stdout
      .replace(/@if\d+/g, '')
      .split('\n')
      .filter(Boolean); // the other end's number is another after each boot
    return lines.map((line, i) => (section === 'firewall' ? `${section}\t${i}\t${line}` : `${section}\t${line.trim()}\tpresent`)); // prettier-ignore
  };
  const outside = await Promise.all([
    network('link', ['ip', '-o', '-br', 'link']),
    network('address', ['ip', '-o', '-br', 'address']),
    network('route', ['ip', 'route', 'show', 'table', 'all']),
    network('rule', ['ip', 'rule']),
    network('firewall', ['nft', '-s', 'list', 'ruleset']),
  ]);
  return [...inside.split('\n').filter(Boolean), ...outside.flat()].map((line) => line.split('\t').join(' | ')).sort();
}

/** Lines that only one of both has and that no allowed difference covers: `- ` was before, `+ ` is now. */
export function differences(before: Snapshot, after: Snapshot): string[] {
  return allDifferences(before, after).filter((line) => !allowed.some((a) => a.lines.test(line.slice(2))));
}
/** The same with those that are allowed. */
export function allDifferences(before: Snapshot, after: Snapshot): string[] {
  const [was, is] = [new Set(before), new Set(after)];
  return [...before.filter((l) => !is.has(l)).map((l) => `- ${l}`), ...after.filter((l) => !was.has(l)).map((l) => `+ ${l}`)];
}
