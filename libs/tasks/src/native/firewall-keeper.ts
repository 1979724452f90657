import { FileImage, type Host } from '../ports/host';
import type { Kept } from './firewall-rules';

const script = '/usr/local/lib/strata/keep-firewall-open';
const service = 'strata-firewall.service';
const timer = 'strata-firewall.timer';
const unitFile = (unit: string): string => `/etc/systemd/system/${unit}`;
const files = [script, unitFile(service), unitFile(timer)] as const;
/** Programs of pods that do not notice when somebody flushes all rules, and their tables. */
const flushable = [
  { program: 'kube-proxy', table: 'kube-proxy' },
  { program: 'flanneld', table: 'flannel-ipv4' },
];
/** Such a file is there while that program's table was seen. */
const seen = '/run/strata-seen-';
/** Whoever loads a firewall anew when it starts. */
const loaders = 'nftables.service netfilter-persistent.service iptables.service docker.service';

const quoted = (words: readonly string[]): string => words.map((w) => (/^[\w./:=-]+$/.test(w) ? w : `'${w.replaceAll("'", `'\\''`)}'`)).join(' ');
/**
 * Neither nft nor iptables can say "add unless it is there", and whoever loads the rules of a machine (a unit, `nft -f` by hand, Docker)
 * knows nothing of ours. A chain that is not there, as while the rules are being loaded, is passed over until the next time.
 */
function scriptText(rules: readonly Kept[]): string {
  const chains = new Map<string, Kept[]>();
  for (const rule of rules) chains.set(quoted(rule.list), [...(chains.get(quoted(rule.list)) ?? []), rule]);
  const blocks = [...chains].map(([list, its]) => {
    const lines = its.map((r) => `  has ${quoted([r.id])} || put ${quoted(r.add)}`);
    return `if found=$(${list} 2>/dev/null); then\n${lines.join('\n')}\nfi`;
  });
  return `#!/bin/sh
# Written by Strata: puts the rules that let the cluster's traffic through back into this machine's firewall
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
has() { printf '%s\\n' "$found" | grep -qE -- "comment \\"?$1\\"?( |\\$)"; }
put() { echo "<5>put back: $*"; "$@"; }
${blocks.join('\n')}
# kube-proxy looks for its rules once an hour and flannel never again: one whose table was flushed is started anew
tables=$(nft list tables 2>/dev/null) || exit 0
again() {
  if printf '%s\\n' "$tables" | grep -qx "table ip $2"; then : >"${seen}$1"; return; fi
  [ -e "${seen}$1" ] || return
  for p in /proc/[0-9]*; do
    [ "$(cat "$p/comm" 2>/dev/null)" = "$1" ] && [ "$(readlink "$p/ns/net")" = "$(readlink /proc/self/ns/net)" ] || continue
    echo "<5>the rules of $1 are gone: it is started anew"
    kill "\${p#/proc/}" && rm -f "${seen}$1"
  done
}
${flushable.map((f) => `again ${f.program} ${f.table}`).join('\n')}
exit 0
`;
}
const serviceText = `# Written by Strata
[Unit]
Description=Strata: rules that let the cluster's traffic through this machine's firewall
After=${loaders}
Wants=${timer}

[Service]
Type=oneshot
ExecStart=${script}
LogLevelMax=notice

[Install]
WantedBy=multi-user.target ${loaders}
`;
const timerText = `# Written by Strata
[Unit]
Description=Strata: looks whether the firewall was loaded anew

[Timer]
OnActiveSec=15s
OnUnitInactiveSec=15s
AccuracySec=5s
`;
export const keeperImages = (host: Host): Promise<FileImage[]> => Promise.all(files.map((p) => host.files.image(p)));

/** Whether there is something to keep: rules of ours, or those of the cluster on a machine whose nftables.service flushes everybody's when it loads its own. */
const isNeeded = async (host: Host, rules: readonly Kept[]): Promise<boolean> =>
  rules.length > 0 || (await host.units.state('nftables.service')).enabled === 'enabled';

/** Whether the rules come back after a reboot and after the firewall was loaded anew. None, and nothing of ours may be left to bring them back. */
export async function isKept(host: Host, rules: readonly Kept[]): Promise<boolean> {
  const [text, unit, clock] = await Promise.all(files.map((p) => host.files.read(p)));
  if (!(await isNeeded(host, rules))) return text === null && unit === null && clock === null;
  if (text !== scriptText(rules) || unit !== serviceText || clock !== timerText) return false;
  const [s, t] = await Promise.all([service, timer].map((u) => host.units.state(u)));
  return s?.enabled === 'enabled' && t?.active === 'active';
}
export async function keep(host: Host, rules: readonly Kept[]): Promise<void> {
  if (!(await isNeeded(host, rules))) return dropKeeper(host, []);
  await host.files.write(script, scriptText(rules), { mode: 0o755 });
  await host.files.write(unitFile(service), serviceText);
  await host.files.write(unitFile(timer), timerText);
  await host.units.daemonReload();
  await host.units.enable(service);
  await host.units.restart(timer);
}
/** Called ahead of taking our rules out: or it would put them back. A file that `before` has no image of was not there. */
export async function dropKeeper(host: Host, before: readonly FileImage[]): Promise<void> {
  const was = (path: string): boolean => before.some((image) => image.path === path && image.kind !== 'absent');
  for (const unit of [timer, service])
    if (!was(unitFile(unit)) && (await host.units.state(unit)).load === 'loaded') {
      await host.units.stop(unit);
      if (unit === service) await host.units.disable(unit);
    }
  for (const image of before) await host.files.restore(image);
  for (const path of files) if (!before.some((image) => image.path === path)) await host.files.remove(path);
  if (!was(script)) for (const f of flushable) await host.files.remove(`${seen}${f.program}`);
  await host.units.daemonReload();
}
