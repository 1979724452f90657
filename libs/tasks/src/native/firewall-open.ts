import { Cidr, Port } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { FileImage, type Host } from '../ports/host';
import { must } from '../programs';
import { restoreZones, ZonesBefore, zonesBefore } from './firewalld-zones';
import { type FoundRule, forgets, foundRules, installed, type Owner, ownerOf, type Rule, rulesOf } from './firewall-backends';

const unit = 'strata-firewall.service';
const unitFile = `/etc/systemd/system/${unit}`;
const InterfaceName = z.string().regex(/^[a-z][a-z0-9.-]{0,14}$/);

/** Puts our rules in again after a reboot and whenever the firewall is loaded anew, where its owner keeps no rules but its own. */
const unitText = (rules: readonly Rule[]): string => `# Written by Strata
[Unit]
Description=Strata: rules that let the cluster's traffic through this machine's firewall
After=nftables.service netfilter-persistent.service

[Service]
Type=oneshot
${rules.map((r) => `ExecStart=-/usr/sbin/${r.add.join(' ')}`).join('\n')}

[Install]
WantedBy=multi-user.target nftables.service netfilter-persistent.service
`;

async function absent(host: Host, rules: readonly Rule[]): Promise<Rule[]> {
  const missing: Rule[] = [];
  for (const rule of rules) if (!(await rule.present(host))) missing.push(rule);
  return missing;
}
async function reload(host: Host, owner: Owner): Promise<void> {
  if (owner === 'firewalld') await must(host, ['firewall-cmd', '--reload']);
}

/** Adds accepting rules through the tool that owns this machine's firewall. Nothing drops, nothing to do. */
export const firewallOpen = defineTask({
  name: 'firewall.open', version: 1, layer: 'native', timeout: '10m', attempts: 2,
  title: "The firewall lets the cluster's traffic through",
  input: z.strictObject({
    ports: z.array(z.strictObject({ proto: z.enum(['tcp', 'udp']), port: Port, from: z.array(Cidr) })),
    trust: z.array(Cidr).default([]),
    interfaces: z.array(InterfaceName).default([]),
  }),
  before: z.strictObject({ owner: z.enum(['ufw', 'firewalld', 'iptables', 'nftables']), kept: z.array(z.string()), unit: FileImage, zones: ZonesBefore.optional() }),
  output: z.strictObject({}),
  async check({ host, input }) {
    const owner = await ownerOf(host);
    if (owner === null) return { state: 'satisfied', output: {} };
    const rules = await rulesOf(host, owner, input);
    const missing = await absent(host, rules);
    const kept = !forgets(owner) || ((await host.files.read(unitFile)) === unitText(rules) && (await host.units.state(unit)).enabled === 'enabled');
    const ours = await foundRules(host, owner, input);
    const surplus = ours.filter(notIn(rules));
    if (missing.length + surplus.length === 0 && kept) return { state: 'satisfied', output: {} };
    const zones = owner === 'firewalld' ? { zones: await zonesBefore(host) } : {};
    const before = { owner, kept: ours.map((r) => r.id), unit: await host.files.image(unitFile), ...zones };
    const reason = missing.length > 0 ? `${owner} lacks ${missing.length} rules` : surplus.length > 0 ? `${owner} has ${surplus.length} rules of an older spec` : 'the rules would be gone after a reboot';
    return { state: 'unsatisfied', reason, before };
  },
  async apply({ host, input, before }) {
    const rules = await rulesOf(host, before.owner, input);
    if (forgets(before.owner)) {
      await host.files.write(unitFile, unitText(rules));
      await host.units.daemonReload();
      await host.units.enable(unit);
    }
    for (const rule of await absent(host, rules)) await must(host, rule.add);
    for (const rule of (await foundRules(host, before.owner, input)).filter(notIn(rules))) await must(host, rule.remove);
  },
  async verify({ host, before }) {
    await reload(host, before.owner);
  },
  async undo({ host, input, before }) {
    if ((await host.units.state(unit)).load === 'loaded' && before.unit.kind === 'absent') await host.units.disable(unit);
    await host.files.restore(before.unit);
    await host.units.daemonReload();
    if (!(await installed(host, before.owner))) return;
    for (const rule of await foundRules(host, before.owner, input)) if (!before.kept.includes(rule.id)) await must(host, rule.remove);
    if (before.zones) await restoreZones(host, before.zones);
    await reload(host, before.owner);
  },
}); // prettier-ignore

const notIn =
  (rules: readonly Rule[]) =>
  (found: FoundRule): boolean =>
    !rules.some((r) => r.id === found.id);
